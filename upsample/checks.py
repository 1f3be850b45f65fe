"""Checks of what callers pass to an upsampler or a stream; each raises a UserError."""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..audio import Ratio
from ..command import UserError
from ..command.rates import HIGHEST_RATE, LOWEST_RATE

# Refuses waves (channels, n), which would take hours as n channels.
MAX_CHANNELS = 64
# Waves are in [-1, 1]. Somewhat louder ones are restored; the squares of very loud ones overflow.
LOUDEST = 1e6


def check_rate(name: str, rate: float) -> None:
    """Raises a UserError if an argument called `name` is not a rate in Hz."""
    # The comparison also refuses NaN.
    if not isinstance(rate, Real) or not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise UserError(
            f"{name}={rate!r}: must be a number from {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        )


def check_model(sample_rate: int, ratio: Ratio) -> None:
    """Raises a UserError if a model cannot have this high rate, or this ratio of its rates."""
    check_rate("sample_rate", sample_rate)
    if not isinstance(sample_rate, Integral):
        raise UserError(f"sample_rate={sample_rate!r}: must be a whole number")
    if not LOWEST_RATE * ratio <= sample_rate <= HIGHEST_RATE * ratio:
        raise UserError(
            f"ratio {ratio} of a model at {sample_rate} Hz: the low rate must be from "
            f"{LOWEST_RATE} to {HIGHEST_RATE} Hz"
        )
    if ratio < 1:
        raise UserError(f"ratio {ratio}: must be at least 1, the high rate over the low rate")
    # Interpolations work in periods of this many samples.
    if max(ratio.numerator, ratio.denominator) > HIGHEST_RATE:
        raise UserError(
            f"ratio {ratio}: write it as a quotient of two rates up to {HIGHEST_RATE} Hz, such as "
            "22050/8000"
        )


def check_channels(channels: int | None) -> None:
    """Raises a UserError if a wave cannot have this number of channels; None is a wave (n,)."""
    if channels is not None and not (
        isinstance(channels, Integral) and 1 <= channels <= MAX_CHANNELS
    ):
        raise UserError(
            f"channels={channels!r}: must be a whole number from 1 to {MAX_CHANNELS}, or None for "
            "samples of shape (n,)"
        )


def check_band(keep_hz: float | None, keep_from_hz: float) -> None:
    """Raises a UserError if a stream cannot keep the band between these frequencies."""
    if keep_hz is not None and not (isinstance(keep_hz, Real) and keep_hz >= 0):
        raise UserError(
            f"keep_hz={keep_hz!r}: must be None, or a number of at least 0 in Hz; 0 keeps the "
            "whole low band"
        )
    highest = keep_hz or math.inf
    if not (isinstance(keep_from_hz, Real) and 0 <= keep_from_hz < highest):
        raise UserError(
            f"keep_from_hz={keep_from_hz!r}: must be a number of at least 0 in Hz, below keep_hz; "
            "0 keeps the low frequencies"
        )


def check_samples(samples: Any) -> np.ndarray:
    """Converts samples to an array.

    Raises:
        UserError: they have no common shape, are not floats, contain NaN or infinity, or are far
            above 1.
    """
    try:
        wave = np.asarray(samples)
    except ValueError as error:
        raise UserError(
            "the wave has rows of different lengths; pass one of shape (n,) or (n, channels)"
        ) from error
    if wave.dtype.kind in "iu":
        example = ", e.g. wave / 32768" if wave.dtype == np.int16 else ""
        raise UserError(
            f"the wave has integers ({wave.dtype}); convert it to floats in [-1, 1]{example}"
        )
    if wave.dtype.kind != "f":
        raise UserError(
            f"the wave has values of type {wave.dtype}; convert it to floats in [-1, 1]"
        )
    check_peak(float(np.abs(wave).max(initial=0)))
    return wave


def check_peak(peak: float) -> None:
    """Raises a UserError for the largest magnitude of a wave that cannot be restored."""
    if not math.isfinite(peak):
        raise UserError("the recording contains NaN or infinity; repair it first")
    if peak > LOUDEST:
        raise UserError(
            f"the recording has samples up to {peak:.3g}; scale it to [-1, 1], with at most "
            f"{LOUDEST:g}"
        )
