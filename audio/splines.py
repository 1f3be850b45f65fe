"""Interpolation with splines: polynomials of one degree that join as smoothly as they can.

A spline is computed as a sum of B-splines around the samples (Unser et al. 1993, B-spline signal
processing), which needs NumPy only. It has SciPy's default ends, which are those of FITPACK: the
two pieces at an end are the same polynomial (not-a-knot). Past the last sample, the last polynomial
continues.
"""

import functools
import math

import numpy as np

from .polyphase import polyphase
from .resample import Ratio

# How far the influence of a sample reaches. That of degree 5 falls by the factor 0.43 with each
# sample of distance, those of lower degrees faster: after 48 samples, it is below 1e-17.
_SETTLED = 48


def interpolate_spline(low: np.ndarray, ratio: Ratio, degree: int) -> np.ndarray:
    """Interpolates with a spline.

    Args:
        low: shape (n,), n > degree.
        ratio: the high rate over the low rate.
        degree: from 2 to 5. The pieces of even degrees join in the middle between samples.

    Returns:
        float32 of n * ratio samples, rounded.
    """
    c = _coefficients(low.astype(np.float64), degree)
    # Continue the last piece: its highest derivative does not jump at the end either.
    no_jump = _no_jump(degree)
    c = np.append(c, -np.dot(no_jump[:-1], c[-degree - 1 :]) / no_jump[-1])
    half = degree // 2

    def weigh(places: np.ndarray) -> np.ndarray:
        return _bspline(places[:, np.newaxis] - np.arange(-half, half + 2), degree)

    return polyphase(c, len(low), ratio, weigh).astype(np.float32)


def _coefficients(y: np.ndarray, degree: int) -> np.ndarray:
    """Solves for the weights of the B-splines around the samples -half to n - 1 + half.

    There, half is half of the degree, rounded down. The sum of the B-splines is y (n,) at the
    samples; at the `half` joints next to each end, the highest derivative does not jump.
    """
    half = degree // 2
    inverse, poles = _inverse(degree)
    # Whatever follows beyond the ends, these coefficients have the sum y at the samples.
    c = np.convolve(np.pad(y, _SETTLED - 1 + half, mode="reflect"), inverse, mode="valid")
    # The powers of a pole have the sum 0 at the samples. They correct the ends.
    reach = min(len(c), _SETTLED)
    decays = np.zeros((2 * half, len(c)))
    decays[:half, :reach] = poles[:, np.newaxis] ** np.arange(reach)
    decays[half:] = decays[:half, ::-1]
    return c - np.linalg.solve(_jumps(decays, degree).T, _jumps(c, degree)) @ decays


def _jumps(c: np.ndarray, degree: int) -> np.ndarray:
    """Returns the jumps at the joints next to the ends, (..., 2 * half), for c (..., n)."""
    half = degree // 2
    windows = np.lib.stride_tricks.sliding_window_view(c, degree + 2, axis=-1)
    ends = np.concatenate([windows[..., :half, :], windows[..., -half:, :]], axis=-2)
    return ends @ _no_jump(degree)


@functools.lru_cache
def _inverse(degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the samples are convolved with far from the ends, and its decays on one side.

    Returns:
        the inverse of a B-spline's values at the samples, (2 * _SETTLED - 1,), and its poles
        inside the unit circle, (half,).
    """
    half = degree // 2
    kernel = _bspline(np.arange(-half, half + 1), degree)
    circular = np.zeros(4 * _SETTLED)
    circular[np.arange(-half, half + 1)] = kernel
    inverse = np.fft.irfft(1 / np.fft.rfft(circular))
    poles = np.roots(kernel)
    return inverse[np.arange(1 - _SETTLED, _SETTLED)], poles[np.abs(poles) < 1]


def _no_jump(degree: int) -> np.ndarray:
    """Returns the weights of neighbouring coefficients whose sum is a jump, (degree + 2,)."""
    return np.array([(-1.0) ** k * math.comb(degree + 1, k) for k in range(degree + 2)])


def _bspline(x: np.ndarray, degree: int) -> np.ndarray:
    """Evaluates the B-spline around 0, whose pieces are one sample long."""
    edges = [np.maximum(x + (degree + 1) / 2 - k, 0.0) ** degree for k in range(degree + 2)]
    return np.tensordot(_no_jump(degree), edges, 1) / math.factorial(degree)
