"""Waves: files, resampling, interpolation, spectra, measuring.

A wave is float32 in [-1, 1], of shape `(n, channels)` as read from a file and `(n,)` when mono.
"""

from .files import (
    SUFFIXES,
    Info,
    blocks,
    find,
    from_int16,
    info,
    mono,
    read,
    subtype,
    to_int16,
    write,
    writer,
)
from .resample import Ratio, fit_length, quotient, resample, resampled_length

__all__ = [
    "SUFFIXES",
    "Info",
    "Ratio",
    "blocks",
    "find",
    "fit_length",
    "from_int16",
    "info",
    "mono",
    "quotient",
    "read",
    "resample",
    "resampled_length",
    "subtype",
    "to_int16",
    "write",
    "writer",
]
