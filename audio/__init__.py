"""Waves: files, resampling, interpolation, spectra, measuring.

A wave is float32 in [-1, 1], of shape `(n, channels)` as read from a file and `(n,)` when mono.
"""

from .reading import Info, blocks, info, read, subtype
from .resample import Ratio, fit_length, quotient, remove_above, resample, resampled_length
from .samples import from_int16, mono, to_int16
from .search import SUFFIXES, Found, search
from .writing import WRITABLE_SUFFIXES, writable_subtypes, write, writer

__all__ = [
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
    "remove_above",
    "resample",
    "resampled_length",
    "search",
    "subtype",
    "to_int16",
    "writable_subtypes",
    "write",
    "writer",
]
