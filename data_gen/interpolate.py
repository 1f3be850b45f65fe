"""The classical ways to bring a low-rate wave to the high rate.

The data protocols use them, upsampling uses them to feed the networks that want an interpolated
input, and each is a baseline that can be named wherever a model can.
Each takes a wave (n,) and the ratio r and returns (n * r,), float32; the low sample k stands at
the high sample k * r.
"""

from collections.abc import Callable

import numpy as np
import soxr
from scipy import signal
from scipy.interpolate import make_interp_spline

from .command import UserError


def hold(low: np.ndarray, ratio: int) -> np.ndarray:
    """Zero-order hold: each sample is repeated."""
    return np.repeat(low, ratio).astype(np.float32)


def linear(low: np.ndarray, ratio: int) -> np.ndarray:
    """Straight lines between the samples; the last sample is held."""
    high_instants = np.arange(len(low) * ratio) / ratio
    return np.interp(high_instants, np.arange(len(low)), low).astype(np.float32)


def spline(low: np.ndarray, ratio: int) -> np.ndarray:
    """Cubic not-a-knot spline through the samples, continued past the last one.

    Source: upsample() of Kuleshov's published code (SciPy's splrep and splev, order 3).
    Waves of fewer than four samples take straight lines, since they tell no cubic.
    """
    if len(low) < 4:
        return linear(low, ratio)
    curve = make_interp_spline(np.arange(len(low)), low.astype(np.float64), k=3)
    return curve(np.arange(len(low) * ratio) / ratio).astype(np.float32)


def sinc(low: np.ndarray, ratio: int) -> np.ndarray:
    """Band-limited interpolation: soxr's linear-phase windowed sinc of very high quality."""
    high = soxr.resample(low.astype(np.float32), 1, ratio, quality="VHQ")
    return np.pad(high, (0, max(0, len(low) * ratio - len(high))))[: len(low) * ratio]


def fft(low: np.ndarray, ratio: int) -> np.ndarray:
    """Zeros appended to the spectrum of the whole wave (Lim et al. 2018)."""
    return np.asarray(signal.resample(low, len(low) * ratio), np.float32)


METHODS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "hold": hold,
    "linear": linear,
    "spline": spline,
    "sinc": sinc,
    "fft": fft,
}


def get(name: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """Looks an interpolation up by its name.

    Raises:
        UserError: there is no such interpolation.
    """
    if name not in METHODS:
        raise UserError(f"no interpolation is named {name!r}; there are {', '.join(METHODS)}")
    return METHODS[name]
