"""Training methods: how objectives follow from a system."""
