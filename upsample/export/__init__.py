"""Export of trained networks as TFLite files."""
