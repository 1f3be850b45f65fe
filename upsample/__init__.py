"""Bandwidth extension of waves: `load` a model, then `Upsampler.upsample` or `.stream`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loading import find_record, find_run, load
    from .upsampler import Upsampler

__all__ = ["Upsampler", "find_record", "find_run", "load"]

_MODULES = {
    "Upsampler": ".upsampler",
    "find_record": ".loading",
    "find_run": ".loading",
    "load": ".loading",
}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that `--help` does not wait for NumPy."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(_MODULES[name], __name__), name)
