"""Interpolations as baselines: they are applied like networks."""

import numpy as np

from ..audio import interpolate


class Interpolation:
    """A `models.restorer.Restorer` that returns its interpolated input.

    Args:
        method: a key of `audio.interpolate.METHODS`.

    Raises:
        UserError: there is no such interpolation.
    """

    wants = "interpolated"
    factor = 1
    multiple = 1
    context: int | None = 0
    patch: int | None = None
    # A sample depends on itself alone: no window has to fill up first.
    window: int | None = 1
    streaming = False
    delay = 0

    def __init__(self, method: str) -> None:
        interpolate.get(method)
        self.name = method

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Returns the windows (batch, n, 1)."""
        return windows

    def session(self) -> "Interpolation":
        """Returns the interpolation itself."""
        return self
