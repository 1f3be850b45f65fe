"""Interpolation with short sincs under a window: Lanczos's, and the one of SciPy's resample_poly.

Samples beyond the ends of a wave are 0.
"""

from collections.abc import Callable

import numpy as np

from .polyphase import polyphase
from .resample import Ratio

# Samples on either side, and the shape of the window, of scipy.signal.resample_poly.
KAISER_SAMPLES, KAISER_BETA = 10, 5.0


def interpolate_lanczos(low: np.ndarray, ratio: Ratio, a: int) -> np.ndarray:
    """Interpolates with a sinc under the main lobe of a wider one (Duchon 1979).

    The weights add up to 1 at each instant, so that a constant wave remains one.

    Args:
        low: shape (n,).
        ratio: the high rate over the low rate.
        a: samples on either side.

    Returns:
        float32 of n * ratio samples, rounded.
    """

    def weigh(places: np.ndarray) -> np.ndarray:
        distances = _distances(places, a)
        weights = np.sinc(distances) * np.sinc(distances / a)
        return weights / weights.sum(axis=1, keepdims=True)

    return _interpolate(low, ratio, a, weigh)


def interpolate_kaiser(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Interpolates with a sinc under Kaiser's window, like scipy.signal.resample_poly.

    Args:
        low: shape (n,).
        ratio: the high rate over the low rate, at least 1.

    Returns:
        float32 of n * ratio samples, rounded.
    """

    def kernel(distances: np.ndarray) -> np.ndarray:
        inside = np.maximum(1 - (distances / KAISER_SAMPLES) ** 2, 0)
        return np.sinc(distances) * np.i0(KAISER_BETA * np.sqrt(inside))

    # All weights together have the mean 1 at an instant; those of one instant add up to nearly 1.
    up = ratio.numerator
    reach = KAISER_SAMPLES * up
    total = kernel(np.arange(-reach, reach + 1) / up).sum()

    def weigh(places: np.ndarray) -> np.ndarray:
        return kernel(_distances(places, KAISER_SAMPLES)) * up / total

    return _interpolate(low, ratio, KAISER_SAMPLES, weigh)


def _distances(places: np.ndarray, reach: int) -> np.ndarray:
    """Returns how far places (phases,) are from their neighbours, (phases, 2 * reach)."""
    return places[:, np.newaxis] - np.arange(1 - reach, reach + 1)


def _interpolate(
    low: np.ndarray, ratio: Ratio, reach: int, weigh: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    padded = np.pad(low.astype(np.float64), (reach - 1, reach))
    return polyphase(padded, len(low), ratio, weigh).astype(np.float32)
