"""Classical interpolations from a low-rate wave to the high rate.

The protocols of datasets use them, networks with interpolated input need them, and each is a
baseline that commands accept in place of a model.

Each takes a wave (n,) and the ratio r, a whole number or a quotient, and returns float32 (n * r,),
rounded for a quotient. The high-rate sample k is at the instant k / r, counted in low-rate samples.
All need NumPy and soxr only.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from ..command.errors import lookup
from .hann_sinc import resample_hann
from .hermite import akima, central, harmonic, interpolate_hermite, makima
from .resample import Ratio, resample, resampled_length
from .splines import interpolate_spline
from .windowed_sinc import interpolate_kaiser, interpolate_lanczos


def hold(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Zero-order hold: repeats each sample until the next one."""
    k = np.arange(_length(low, ratio))
    return low[k * ratio.denominator // ratio.numerator].astype(np.float32)


def nearest(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Repeats the nearest sample: in the middle between two, the earlier one."""
    up, down = ratio.numerator, ratio.denominator
    k = np.arange(_length(low, ratio))
    # k down / up - 1/2, rounded up
    index = (2 * k * down + up - 1) // (2 * up)
    return low[np.minimum(index, len(low) - 1)].astype(np.float32)


def linear(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Straight lines between the samples; holds the last sample."""
    instants = np.arange(_length(low, ratio)) * ratio.denominator / ratio.numerator
    return np.interp(instants, np.arange(len(low)), low).astype(np.float32)


def spline(low: np.ndarray, ratio: Ratio, degree: int = 3) -> np.ndarray:
    """Not-a-knot spline through the samples, continued past the last one; see `splines`.

    Waves of too few samples for one polynomial, `degree` or fewer, get straight lines.

    Source: upsample() of Kuleshov's published code (SciPy's splrep and splev, order 3).
    """
    if len(low) <= degree:
        return linear(low, ratio)
    return interpolate_spline(low, ratio, degree)


def sinc(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Band-limited interpolation: soxr's linear-phase windowed sinc of very high quality."""
    return resample(low, ratio.denominator, ratio.numerator)


def hann_sinc(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Interpolation with torchaudio's short sinc, which leaves images above the cutoff."""
    return resample_hann(low, ratio)[: _length(low, ratio)]


def fft(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Zeros appended to the spectrum of the whole wave (Lim et al. 2018).

    A quotient a/b needs a multiple of b samples; others are padded with zeros for the transform.
    """
    n = _length(low, ratio)
    low = np.pad(low, (0, -len(low) % ratio.denominator))
    spectrum = np.fft.rfft(low)
    if len(low) % 2 == 0:
        # The highest bin of an even length also represents its mirror image.
        spectrum[-1] /= 2
    high = np.fft.irfft(spectrum, len(low) * ratio.numerator // ratio.denominator)
    return (float(ratio) * high).astype(np.float32)[:n]


def _length(low: np.ndarray, ratio: Ratio) -> int:
    return resampled_length(len(low), ratio.denominator, ratio.numerator)


METHODS: dict[str, Callable[[np.ndarray, Ratio], np.ndarray]] = {
    "hold": hold,
    "nearest": nearest,
    "linear": linear,
    "quadratic": partial(spline, degree=2),
    "spline": spline,
    "quintic": partial(spline, degree=5),
    "pchip": partial(interpolate_hermite, derive=harmonic),
    "akima": partial(interpolate_hermite, derive=akima),
    "makima": partial(interpolate_hermite, derive=makima),
    "catmull_rom": partial(interpolate_hermite, derive=central),
    "lanczos3": partial(interpolate_lanczos, a=3),
    "lanczos8": partial(interpolate_lanczos, a=8),
    "kaiser": interpolate_kaiser,
    "sinc": sinc,
    "hann_sinc": hann_sinc,
    "fft": fft,
}


def get(name: str) -> Callable[[np.ndarray, Ratio], np.ndarray]:
    """Looks up an interpolation by name; raises a UserError that lists them if there is none."""
    return lookup(METHODS, name, "interpolation")
