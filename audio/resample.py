"""Resampling between any two rates, and the ratio of two rates."""

import math
import re
from fractions import Fraction

import numpy as np
import soxr

from ..command import UserError
from ..command.rates import HIGHEST_RATE, LOWEST_RATE

# The high rate over the low rate: a whole number, or a quotient such as 22050/8000.
Ratio = int | Fraction

# Longer numbers, such as 1e999999999, would fill the memory.
_RATIO_TEXT = re.compile(r"\s*[-+]?\d{1,9}(\.\d{1,9})?(/\d{1,9})?\s*")
# The highest rate of a recording over the lowest.
HIGHEST_RATIO = HIGHEST_RATE // LOWEST_RATE


def quotient(value: str | float | Fraction) -> Ratio:
    """Parses a ratio of rates.

    Args:
        value: a number from 1/768 to 768, or text such as "4" and "22050/8000".

    Returns:
        an int if the ratio is whole, otherwise a reduced fraction.

    Raises:
        UserError: it is neither.
    """
    try:
        if isinstance(value, str) and not _RATIO_TEXT.fullmatch(value):
            raise ValueError
        ratio = Fraction(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        raise UserError(
            f"ratio {value!r} is not a number or a quotient such as 22050/8000"
        ) from error
    if not 1 <= HIGHEST_RATIO * ratio <= HIGHEST_RATIO**2:
        raise UserError(f"ratio {value} must be between 1/{HIGHEST_RATIO} and {HIGHEST_RATIO}")
    return ratio.numerator if ratio.denominator == 1 else ratio


def resample(wave: np.ndarray, from_hz: float, to_hz: float) -> np.ndarray:
    """Resamples a wave with soxr's linear-phase filter of very high quality, without delay.

    Args:
        wave: shape (n,) or (n, channels).
        from_hz: the wave's sample rate.
        to_hz: the new sample rate.

    Returns:
        float32 of `resampled_length(n, from_hz, to_hz)` samples.
    """
    wave = wave.astype(np.float32, copy=False)
    if from_hz == to_hz:
        return wave
    resampled = soxr.resample(wave, from_hz, to_hz, quality="VHQ")
    return fit_length(resampled, resampled_length(len(wave), from_hz, to_hz))


def resampled_length(n: int, from_hz: float, to_hz: float) -> int:
    """Returns how many samples n samples at `from_hz` become at `to_hz`; half is rounded up."""
    return math.floor(n * to_hz / from_hz + 0.5)


def fit_length(wave: np.ndarray, n: int) -> np.ndarray:
    """Pads a wave with zeros, or cuts it, to n samples along its first axis.

    soxr has its own rules for rounding a length, which may differ by a sample.
    """
    if len(wave) == n:
        return wave
    padding = [(0, max(0, n - len(wave)))] + [(0, 0)] * (wave.ndim - 1)
    return np.pad(wave, padding)[:n]


def remove_above(wave: np.ndarray, sample_rate: int, end_hz: float) -> np.ndarray:
    """Removes everything above a frequency, without any slope.

    Args:
        wave: shape (n,).
        sample_rate: in Hz.
        end_hz: the frequency.

    Returns:
        float32 of shape (n,).
    """
    spectrum = np.fft.rfft(wave)
    spectrum[np.fft.rfftfreq(len(wave), 1 / sample_rate) > end_hz] = 0
    return np.fft.irfft(spectrum, len(wave)).astype(np.float32)
