"""The one way in which a model is applied to a wave: `Upsampler`, and the command around it."""

from .upsampler import Upsampler

__all__ = ["Upsampler"]
