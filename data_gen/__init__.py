"""Datasets: from a corpus to shards of checked waves, and from shards to batches of patches.

An example has two sides: the high side is a wave at the high rate, and the low side is the wave at
the low rate that a protocol makes from it.
"""
