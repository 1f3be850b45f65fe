"""The sample rates of recordings, datasets and networks."""

# Memory and filters grow with the rate, so a damaged header must not set it.
LOWEST_RATE, HIGHEST_RATE = 1000, 768_000  # Hz
