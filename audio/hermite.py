"""Interpolation with cubics between neighbouring samples, which differ in their derivatives.

Each piece has the values and the derivatives of the two samples at its ends, so that pieces join
smoothly. Past the last sample, the last piece continues. A wave of two samples gets a straight
line; a single sample is repeated.

Sources: Fritsch and Butland 1984, A method for constructing local monotone piecewise cubic
interpolants; Akima 1970, A new method of interpolation and smooth curve fitting; Moler and Ionita
2019, Makima piecewise cubic interpolation; Catmull and Rom 1974, A class of local interpolating
splines.
"""

from collections.abc import Callable

import numpy as np

from .polyphase import polyphase
from .resample import Ratio


def interpolate_hermite(
    low: np.ndarray, ratio: Ratio, derive: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Interpolates with cubics.

    Args:
        low: shape (n,).
        ratio: the high rate over the low rate.
        derive: one of the functions below. It takes the slopes from each sample to the next,
            (n - 1,), n > 2, and returns the derivatives at the samples, (n,).

    Returns:
        float32 of n * ratio samples, rounded.
    """
    n = len(low)
    y = np.pad(low.astype(np.float64), (0, max(0, 2 - n)), mode="edge")
    slopes = np.diff(y)
    d = derive(slopes) if len(slopes) > 1 else np.repeat(slopes, 2)
    # The last piece, one sample past its end.
    last = np.array([y[-2], d[-2], y[-1], d[-1]])
    y = np.append(y[:n], np.dot([5, 2, -4, 4], last))
    d = np.append(d[:n], np.dot([12, 5, -12, 8], last))

    def weigh_values(t: np.ndarray) -> np.ndarray:
        rise = t**2 * (3 - 2 * t)
        return np.stack([1 - rise, rise], axis=1)

    def weigh_derivatives(t: np.ndarray) -> np.ndarray:
        return np.stack([t * (1 - t) ** 2, t**2 * (t - 1)], axis=1)

    high = polyphase(y, n, ratio, weigh_values) + polyphase(d, n, ratio, weigh_derivatives)
    return high.astype(np.float32)


def central(slopes: np.ndarray) -> np.ndarray:
    """Derivatives of Catmull and Rom: the slope between the two neighbours of a sample."""
    ends = slopes[0], slopes[-1]
    return np.concatenate([ends[:1], (slopes[:-1] + slopes[1:]) / 2, ends[1:]])


def harmonic(slopes: np.ndarray) -> np.ndarray:
    """Derivatives of PCHIP: the harmonic mean of the slopes on both sides, 0 at peaks.

    The curve rises and falls only where the samples do.
    """
    before, after = slopes[:-1], slopes[1:]
    same = before * after > 0
    inner = np.zeros(len(same))
    np.divide(2 * before * after, before + after, out=inner, where=same)
    ends = (_harmonic_end(*slopes[:2]), _harmonic_end(*slopes[:-3:-1]))
    return np.concatenate([ends[:1], inner, ends[1:]])


def _harmonic_end(first: float, second: float) -> float:
    """The derivative of the parabola through three samples, from 0 to three times the slope."""
    parabola = (3 * first - second) / 2
    return sorted([0.0, parabola, 3 * first])[1]


def akima(slopes: np.ndarray) -> np.ndarray:
    """Derivatives of Akima: the mean of both slopes; the more even side has more weight."""
    m = _extended(slopes)
    return _weighted(m, np.abs(np.diff(m)))


def makima(slopes: np.ndarray) -> np.ndarray:
    """Derivatives of the modified Akima, which prefers the flatter side: less overshoot."""
    m = _extended(slopes)
    return _weighted(m, np.abs(np.diff(m)) + np.abs(m[1:] + m[:-1]) / 2)


def _extended(slopes: np.ndarray) -> np.ndarray:
    """Adds two slopes at both ends, by which the slopes keep changing."""
    start = slopes[0] + (slopes[0] - slopes[1]) * np.array([2, 1])
    end = slopes[-1] + (slopes[-1] - slopes[-2]) * np.array([1, 2])
    return np.concatenate([start, slopes, end])


def _weighted(m: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the means of neighbouring slopes, each weighted by what is on the other side."""
    before, after = weights[2:], weights[:-2]
    total = before + after
    # Where two straight lines meet, both slopes have the same weight.
    middle = (m[1:-2] + m[2:-1]) / 2
    return np.divide(before * m[1:-2] + after * m[2:-1], total, out=middle, where=total > 0)
