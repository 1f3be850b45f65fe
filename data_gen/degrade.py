"""The published protocols that make a low-rate wave from a high-rate one.

A protocol has two steps: `down` makes the low-rate wave, `up` interpolates it to the high rate.
Shards store the output of `down`. A network with interpolated input gets the output of both.

Waves are (n,), with n a multiple of the ratio (`crop`). A ratio is a whole number from 2 to 12;
`sinc`, `fft` and `hann_sinc` also take quotients above 1 and up to 12, such as 22050/8000.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..audio import Ratio, interpolate, resample
from ..audio.hann_sinc import resample_hann
from ..command.errors import UserError, lookup

# From 4 to 48 kHz.
MAX_RATIO = 12
# Samples that are mirrored at each end, so that a filter of order 8 begins smoothly.
_MIRRORED = 27


@dataclass(frozen=True)
class Protocol:
    """A way down to the low rate and a way back up.

    Args:
        name: key of `PROTOCOLS`.
        downsample: makes the low-rate wave: `(wave, ratio) -> wave`. The ratio is an int unless
            the protocol takes quotients.
        interpolation: key of `interpolate.METHODS`, the way up.
        takes_quotients: whether the ratio may be other than a whole number.
    """

    name: str
    downsample: Callable[[np.ndarray, Any], np.ndarray]
    interpolation: str
    takes_quotients: bool = False

    def check(self, ratio: Ratio) -> None:
        """Raises a UserError if the protocol does not take the ratio."""
        _check_range(ratio)
        if not self.takes_quotients:
            check_whole(ratio, f"the protocol {self.name}")

    def down(self, wave: np.ndarray, ratio: Ratio) -> np.ndarray:
        """Makes the low-rate wave: (n,), n a multiple of the ratio, to (n / ratio,)."""
        self.check(ratio)
        return self.downsample(wave, ratio)

    def up(self, low: np.ndarray, ratio: Ratio) -> np.ndarray:
        """Interpolates a low-rate wave to the high rate: (n,) to (n * ratio,)."""
        return interpolate.get(self.interpolation)(low, ratio)

    def __call__(self, wave: np.ndarray, ratio: Ratio) -> np.ndarray:
        """Removes the high band of a wave: (n,) to (n,), cropped to a multiple of the ratio."""
        return self.up(self.down(crop(wave, ratio), ratio), ratio)


def crop(wave: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Drops the samples past the last multiple of the ratio, as Kuleshov's preparation does.

    The low-rate wave of the remaining samples then has a whole number of samples. For a quotient
    such as 441/160, their number must be a multiple of the numerator.
    """
    _check_range(ratio)
    return wave[: len(wave) - len(wave) % ratio.numerator]


def _check_range(ratio: Ratio) -> None:
    if not 1 < ratio <= MAX_RATIO:
        raise UserError(
            f"ratio {ratio} is not a whole number from 2 to {MAX_RATIO}, "
            f"or a quotient above 1 and up to {MAX_RATIO}"
        )


def check_whole(ratio: Ratio, what: str) -> int:
    """Returns a whole ratio.

    Args:
        ratio: the high rate over the low rate.
        what: the thing that needs a whole ratio, for the message.

    Raises:
        UserError: the ratio is a quotient.
    """
    if ratio.denominator != 1:
        others = ", ".join(name for name, each in PROTOCOLS.items() if each.takes_quotients)
        raise UserError(
            f"ratio {ratio}: {what} needs a whole number from 2 to {MAX_RATIO}; "
            f"protocols that take quotients are {others}"
        )
    return ratio.numerator


def _decimate(wave: np.ndarray, ratio: int, zero_phase: bool) -> np.ndarray:
    # SciPy takes longer to load than a small corpus to measure.
    from scipy import signal

    sos, state = _chebyshev(ratio)
    # The filter runs in float64: an order-8 recursion near 0.1 of the band loses 1e-4 in float32.
    # Filtering in both directions needs more samples than those that are mirrored at an end.
    x = wave.astype(np.float64)
    if len(x) <= _MIRRORED:
        x = np.pad(x, (0, _MIRRORED + 1 - len(x)))
    if zero_phase:
        # As scipy.signal.sosfiltfilt does, which computes the state anew for each wave.
        before = 2 * x[0] - x[_MIRRORED:0:-1]
        after = 2 * x[-1] - x[-2 : -_MIRRORED - 2 : -1]
        x = np.concatenate([before, x, after])
        for _ in range(2):
            x, _ = signal.sosfilt(sos, x, zi=state * x[0])
            x = x[::-1]
        x = x[_MIRRORED:]
    else:
        x = signal.sosfilt(sos, x)
    return x[::ratio][: len(wave) // ratio].astype(np.float32)


@functools.lru_cache
def _chebyshev(ratio: int) -> tuple[np.ndarray, np.ndarray]:
    """Designs the filter of `scipy.signal.decimate`, which designs it anew for each wave.

    Returns:
        the filter in second-order sections, and its state after a long time at 1.
    """
    from scipy import signal

    sos = signal.cheby1(8, 0.05, 0.8 / ratio, output="sos")
    return sos, signal.sosfilt_zi(sos)


def decimate(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Runs a Chebyshev I filter forwards and backwards, then keeps every r-th sample.

    The filter has order 8, ripple 0.05 dB and cutoff 0.8 / r.

    Source: Kuleshov et al. 2017, with today's `scipy.signal.decimate`. SciPy 1.6 to 1.9, and so the
    published script with the SciPy 1.6.0 that its README has asked for since April 2021, rounds the
    filter's coefficients to the float32 of the wave. On speech, the root mean square of the error
    is then 0.2 % of the wave's at ratio 4, 6 % at ratio 6 and 36 % at ratio 8. Other versions of
    SciPy, and this function, differ by less than 1e-5.
    """
    return _decimate(wave, ratio, zero_phase=True)


def decimate_lagged(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Decimates like `decimate`, but filters forwards only, so that the low side lags.

    Source: the published samples of Kuleshov's code lag by about 10 samples, since the SciPy of
    2017 filtered in one direction.
    """
    return _decimate(wave, ratio, zero_phase=False)


def subsample(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Keeps every r-th sample without a filter, so that the high band aliases.

    Source: the multi-speaker Makefile of Kuleshov's code, which switches the low-pass off.
    """
    return wave[::ratio].astype(np.float32)


def sinc_down(wave: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Applies soxr's linear-phase windowed sinc: the modern protocol (AERO, NVSR)."""
    return resample(wave, ratio.numerator, ratio.denominator)


def hann_sinc_down(wave: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Applies torchaudio's short sinc with a Hann window (AP-BWE)."""
    return resample_hann(wave, 1 / Fraction(ratio))


def fft_down(wave: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Keeps the lowest 1/r of the whole wave's spectrum (Lim et al. 2018)."""
    from scipy import signal

    n_low = len(wave) * ratio.denominator // ratio.numerator
    return np.asarray(signal.resample(wave, n_low), np.float32)


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("decimate_spline", decimate, "spline"),
        Protocol("decimate_lagged_spline", decimate_lagged, "spline"),
        Protocol("subsample_spline", subsample, "spline"),
        # Kuleshov's way down and Lim's way up, as in TFNet's code.
        Protocol("decimate_fft", decimate, "fft"),
        Protocol("sinc", sinc_down, "sinc", takes_quotients=True),
        Protocol("fft", fft_down, "fft", takes_quotients=True),
        Protocol("hann_sinc", hann_sinc_down, "hann_sinc", takes_quotients=True),
    )
}


def get(name: str) -> Protocol:
    """Looks up a protocol by name; raises a UserError that lists them if there is none."""
    return lookup(PROTOCOLS, name, "protocol")
