"""Waves: files, resampling, interpolation, spectra, measuring.

A wave is float32 in [-1, 1], of shape `(n, channels)` as read from a file and `(n,)` when mono.
"""

from .files import (
    HIGHEST_RATE,
    LOWEST_RATE,
    WRITABLE_SUFFIXES,
    Info,
    blocks,
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
from .search import SUFFIXES, Found, search

__all__ = [
    "HIGHEST_RATE",
    "LOWEST_RATE",
    "SUFFIXES",
    "WRITABLE_SUFFIXES",
    "Found",
    "Info",
    "Ratio",
    "blocks",
    "fit_length",
    "from_int16",
    "info",
    "mono",
    "quotient",
    "read",
    "resample",
    "resampled_length",
    "search",
    "subtype",
    "to_int16",
    "write",
    "writer",
]
