"""Classical interpolations from a low-rate wave to the high rate.

The protocols of datasets use them, networks with interpolated input need them, and each is a
baseline that commands accept in place of a model.

Each takes a wave (n,) and the ratio r and returns float32 (n * r,), rounded for a quotient. The
low-rate sample k is at the instant of the high-rate sample k * r.
"""

from collections.abc import Callable

import numpy as np

from ..command.errors import UserError, lookup
from .hann_sinc import resample_hann
from .resample import Ratio, resample, resampled_length

# The influence of one sample on the coefficients of a cubic spline falls by this factor with each
# sample of distance. After 32 samples it is below 1e-18.
_POLE = np.sqrt(3) - 2
_SETTLED = 32


def hold(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Zero-order hold: repeats each sample."""
    return np.repeat(low, _whole(ratio, "hold")).astype(np.float32)


def linear(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Straight lines between the samples; holds the last sample."""
    ratio = _whole(ratio, "linear")
    high_instants = np.arange(len(low) * ratio) / ratio
    return np.interp(high_instants, np.arange(len(low)), low).astype(np.float32)


def spline(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Cubic not-a-knot spline through the samples, continued past the last one.

    Waves of fewer than four samples do not determine a cubic and get straight lines.

    Source: upsample() of Kuleshov's published code (SciPy's splrep and splev, order 3). It is
    computed as a sum of B-splines (Unser et al. 1993, B-spline signal processing), which needs
    NumPy only.
    """
    ratio = _whole(ratio, "spline")
    if len(low) < 4:
        return linear(low, ratio)
    c = _spline_coefficients(low.astype(np.float64))
    # Continue the last piece: its third derivative does not jump at the last sample either.
    c = np.append(c, np.dot([-1, 4, -6, 4], c[-4:]))
    high = np.empty((len(low), ratio), np.float32)
    for phase in range(ratio):
        t = phase / ratio
        weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
        high[:, phase] = np.convolve(c, np.array(weights[::-1]) / 6, mode="valid")
    return high.reshape(-1)


def _spline_coefficients(y: np.ndarray) -> np.ndarray:
    """Solves for the weights of the B-splines around the samples -1 to n, c (n + 2,), for y (n,).

    (c[k - 1] + 4 c[k] + c[k + 1]) / 6 = y[k]. The third derivative does not jump at the second
    sample nor at the last but one: c[-1] - 4 c[0] + 6 c[1] - 4 c[2] + c[3] = 0, likewise at the
    end.
    """
    n = len(y)
    no_jump = np.array([1, -4, 6, -4, 1])
    if n <= 2 * _SETTLED:
        equations = np.zeros((n + 2, n + 2))
        for k in range(n):
            equations[k, k : k + 3] = np.array([1, 4, 1]) / 6
        equations[n, :5] = equations[n + 1, -5:] = no_jump
        return np.linalg.solve(equations, np.append(y, [0, 0]))
    # Far from the ends, the inverse of the equations is a decay on both sides. The ends are then
    # corrected with pole**k, which solves the equations for y = 0.
    decay = _POLE ** np.arange(_SETTLED)
    inverse = -6 * _POLE / (1 - _POLE**2) * np.append(decay[:0:-1], decay)
    c = np.convolve(np.pad(y, _SETTLED, mode="reflect"), inverse, mode="valid")
    for ends in (c[:_SETTLED], c[::-1][:_SETTLED]):
        ends -= np.dot(no_jump, ends[:5]) / (1 - _POLE) ** 4 * decay
    return c


def sinc(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Band-limited interpolation: soxr's linear-phase windowed sinc of very high quality."""
    return resample(low, ratio.denominator, ratio.numerator)


def hann_sinc(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Interpolation with torchaudio's short sinc, which leaves images above the cutoff."""
    n = resampled_length(len(low), ratio.denominator, ratio.numerator)
    return resample_hann(low, ratio)[:n]


def fft(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Zeros appended to the spectrum of the whole wave (Lim et al. 2018).

    A quotient a/b needs a multiple of b samples; others are padded with zeros for the transform.
    """
    n = resampled_length(len(low), ratio.denominator, ratio.numerator)
    low = np.pad(low, (0, -len(low) % ratio.denominator))
    spectrum = np.fft.rfft(low)
    if len(low) % 2 == 0:
        # The highest bin of an even length also represents its mirror image.
        spectrum[-1] /= 2
    high = np.fft.irfft(spectrum, len(low) * ratio.numerator // ratio.denominator)
    return (float(ratio) * high).astype(np.float32)[:n]


def _whole(ratio: Ratio, method: str) -> int:
    if ratio.denominator != 1:
        raise UserError(
            f"ratio {ratio}: the interpolation {method} needs a whole number; "
            f"those that take quotients are {', '.join(QUOTIENTS)}"
        )
    return ratio.numerator


METHODS: dict[str, Callable[[np.ndarray, Ratio], np.ndarray]] = {
    "hold": hold,
    "linear": linear,
    "spline": spline,
    "sinc": sinc,
    "fft": fft,
    "hann_sinc": hann_sinc,
}
# Methods whose ratio may be a quotient such as 22050/8000.
QUOTIENTS = ("sinc", "fft", "hann_sinc")


def get(name: str) -> Callable[[np.ndarray, Ratio], np.ndarray]:
    """Looks up an interpolation by name; raises a UserError that lists them if there is none."""
    return lookup(METHODS, name, "interpolation")
