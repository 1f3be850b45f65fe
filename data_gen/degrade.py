"""The published protocols that make a low-rate wave from a high-rate one.

Two steps: `down` gives the low-rate wave, `up` brings it back to the high rate.
Shards store the output of `down`; a network that wants an interpolated input gets that of both.
Waves are (n,) with n a multiple of the ratio (`crop`), from 2 to 8.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import soxr
from scipy import signal

from ..audio import interpolate
from ..command import UserError

RATIOS = range(2, 9)


class Protocol(NamedTuple):
    """A way down to the low rate and a way up again, each `(wave, ratio) -> wave`."""

    down: Callable[[np.ndarray, int], np.ndarray]
    interpolation: str

    def up(self, low: np.ndarray, ratio: int) -> np.ndarray:
        """Brings a low-rate wave (n,) to the high rate (n * ratio,)."""
        return interpolate.get(self.interpolation)(low, ratio)

    def __call__(self, wave: np.ndarray, ratio: int) -> np.ndarray:
        """Takes the treble of a wave away: (n,) to (n,), cropped to a multiple of the ratio."""
        return self.up(self.down(crop(wave, ratio), ratio), ratio)


def crop(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Drops the samples past the last multiple of the ratio, as Kuleshov's preparation does."""
    if ratio not in RATIOS:
        raise UserError(f"ratio {ratio} is not a whole number from {RATIOS[0]} to {RATIOS[-1]}")
    return wave[: len(wave) - len(wave) % ratio]


def _decimate(wave: np.ndarray, ratio: int, zero_phase: bool) -> np.ndarray:
    # The filter runs in float64: an order-8 recursion near 0.1 of the band loses 1e-4 in float32.
    padded = np.pad(wave.astype(np.float64), (0, max(0, 28 - len(wave))))
    low = signal.decimate(padded, ratio, zero_phase=zero_phase)
    return low[: len(wave) // ratio].astype(np.float32)


def decimate(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Chebyshev I of order 8, ripple 0.05 dB, cutoff 0.8 / r, forwards and backwards; every r-th.

    Source: Kuleshov et al. 2017, by SciPy's decimate as it stands today.
    """
    return _decimate(wave, ratio, zero_phase=True)


def decimate_lagged(wave: np.ndarray, ratio: int) -> np.ndarray:
    """As `decimate`, but the filter runs forwards only, so that the low side lags.

    Source: the published samples of Kuleshov's code lag by some 10 samples, since the SciPy of
    its time filtered one way.
    """
    return _decimate(wave, ratio, zero_phase=False)


def subsample(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Every r-th sample with no filter, so that the treble aliases.

    Source: the multi-speaker Makefile of Kuleshov's code, which asks for no low-pass.
    """
    return wave[::ratio].astype(np.float32)


def decimate_randomly(wave: np.ndarray, ratio: int, rng: np.random.Generator) -> np.ndarray:
    """A low-pass drawn at random, without lag, and every r-th sample; in no paper.

    For training only: a network that knows one filter alone undoes just that one, and is upset by
    the low waves of other resamplers. Half of the filters are Chebyshev I, forwards and backwards;
    half are windowed sincs (Kaiser). They end between 0.6 and 1 times the low band.

    Args:
        wave: shape (n,), n a multiple of the ratio.
        ratio: whole number from 2 to 8.
        rng: draws the filter.

    Returns:
        float32 of shape (n / ratio,).
    """
    if rng.random() < 0.5:
        order, ripple, cutoff = rng.integers(6, 13), rng.uniform(0.02, 0.5), rng.uniform(0.6, 0.95)
        sections = signal.cheby1(order, ripple, cutoff / ratio, output="sos")
        padded = np.pad(wave.astype(np.float64), (0, max(0, 64 - len(wave))))
        filtered = signal.sosfiltfilt(sections, padded)[: len(wave)]
    else:
        taps, beta, cutoff = rng.integers(16, 65), rng.uniform(4.0, 10.0), rng.uniform(0.7, 1.0)
        kernel = signal.firwin(2 * taps * ratio + 1, cutoff / ratio, window=("kaiser", beta))
        filtered = signal.oaconvolve(wave, kernel)[taps * ratio :]
    return filtered[: len(wave) : ratio].astype(np.float32)


def hasten(wave: np.ndarray, steps: int) -> np.ndarray:
    """Makes a wave faster by 5 % a step, and so its pitch and its formants higher.

    For training only: one voice becomes several. Source: Ko et al. 2015, "Audio augmentation for
    speech recognition", which also makes waves slower; that would leave the top of the band empty,
    where there are levels to learn. So would a filter that keeps out what goes beyond the band: it
    is folded back, and fills the roll-off.

    Args:
        wave: shape (n,).
        steps: from 1.

    Returns:
        float32 of shape (m,), m about n / (1 + 0.05 steps).
    """
    up, down = Fraction(20, 20 + steps).as_integer_ratio()
    kernel = signal.firwin(2 * 32 * up + 1, 1 / up, window=("kaiser", 5.0))
    return signal.resample_poly(wave, up, down, window=kernel).astype(np.float32)


def sinc_down(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Soxr's linear-phase windowed sinc, the modern protocol (AERO, AP-BWE, NVSR)."""
    low = soxr.resample(wave.astype(np.float32), ratio, 1, quality="VHQ")
    n = len(wave) // ratio
    return np.pad(low, (0, max(0, n - len(low))))[:n]


def fft_down(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Keeps the lowest 1/r of the whole wave's spectrum (Lim et al. 2018)."""
    return np.asarray(signal.resample(wave, len(wave) // ratio), np.float32)


PROTOCOLS: dict[str, Protocol] = {
    "decimate_spline": Protocol(decimate, "spline"),
    "decimate_lagged_spline": Protocol(decimate_lagged, "spline"),
    "subsample_spline": Protocol(subsample, "spline"),
    # Kuleshov's way down, Lim's way up: as TFNet's code makes its data.
    "decimate_fft": Protocol(decimate, "fft"),
    "sinc": Protocol(sinc_down, "sinc"),
    "fft": Protocol(fft_down, "fft"),
}


def get(name: str) -> Protocol:
    """Looks a protocol up by its name.

    Raises:
        UserError: there is no such protocol.
    """
    if name not in PROTOCOLS:
        raise UserError(f"no protocol is named {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def decimate_spline(wave: np.ndarray, ratio: int, zero_phase: bool = True) -> np.ndarray:
    """Kuleshov's protocol: `decimate` (or `decimate_lagged`), then a cubic spline back.

    Args:
        wave: shape (n,).
        ratio: whole number from 2 to 8.
        zero_phase: False gives the lag of the published samples.

    Returns:
        float32 of n samples, less those past the last multiple of the ratio.
    """
    return PROTOCOLS["decimate_spline" if zero_phase else "decimate_lagged_spline"](wave, ratio)


def subsample_spline(wave: np.ndarray, ratio: int) -> np.ndarray:
    """`subsample`, then a cubic spline back; arguments as `decimate_spline`."""
    return PROTOCOLS["subsample_spline"](wave, ratio)


def sinc(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Windowed sinc down and up; arguments as `decimate_spline`."""
    return PROTOCOLS["sinc"](wave, ratio)


def fft(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Spectrum cut and padded; arguments as `decimate_spline`."""
    return PROTOCOLS["fft"](wave, ratio)
