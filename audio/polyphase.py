"""Weighted sums of neighbouring low-rate samples, which is what local interpolations compute.

The weights depend only on where a high-rate sample is between two low-rate samples. With a ratio
a/b there are a such places, or phases, which repeat every b low-rate samples.
"""

from collections.abc import Callable

import numpy as np

from .resample import Ratio, resampled_length


def polyphase(
    samples: np.ndarray, n: int, ratio: Ratio, weigh: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Interpolates a wave of n samples.

    Args:
        samples: the wave with the neighbours of its ends, (n + taps - 1,). The neighbours of the
            low-rate sample k are `samples[k : k + taps]`.
        n: the number of low-rate samples.
        ratio: the high rate over the low rate.
        weigh: takes places (phases,), in low-rate samples after the sample before them, from 0 to
            below 1; returns the weights (phases, taps) of the neighbours.

    Returns:
        float64 of n * ratio samples, rounded.
    """
    up, down = ratio.numerator, ratio.denominator
    length = resampled_length(n, down, up)
    starts = np.arange(min(up, length)) * down
    weights = weigh(starts % up / up)
    windows = np.lib.stride_tricks.sliding_window_view(samples, weights.shape[1])
    high = np.zeros((-(-length // up), up))
    for phase, (first, each) in enumerate(zip(starts // up, weights, strict=True)):
        # The last period may be incomplete.
        seen = windows[first::down][: len(high)]
        high[: len(seen), phase] = seen @ each
    return high.reshape(-1)[:length]
