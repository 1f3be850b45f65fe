"""From a corpus to checked shards of waves, and from shards to batches of patches."""
