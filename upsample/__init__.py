"""The one way in which a model is applied to a wave: `Upsampler`, and the command around it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .upsampler import Upsampler

__all__ = ["Upsampler"]


def __getattr__(name: str) -> Any:
    """Imports the class when it is asked for, so that the command's --help need not wait."""
    if name == "Upsampler":
        from .upsampler import Upsampler

        return Upsampler
    raise AttributeError(f"module {__name__} has no {name}")
