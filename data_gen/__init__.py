"""From corpora to checked shards of waves, and from those to patches."""
