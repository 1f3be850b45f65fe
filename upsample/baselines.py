"""Interpolations as baselines that are applied like networks."""

import numpy as np

from ..audio import interpolate
from ..models.restorer import ONE_CHANNEL, Recording


class Interpolation:
    """A `models.restorer.Restorer` that returns its input, which is interpolated already.

    Args:
        method: a key of `audio.interpolate.METHODS`.

    Raises:
        UserError: the interpolation is unknown.
    """

    wants = "interpolated"
    factor = 1
    multiple = 1
    context: int | None = 0
    patch: int | None = None
    # Each output sample depends on one input sample, so any window works; the shortest one adds no
    # latency.
    windows: tuple[int, ...] = (1,)
    streaming = False
    delay = 0
    band_hz: tuple[float, float] | None = None

    def __init__(self, method: str) -> None:
        interpolate.get(method)
        self.name = method

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Returns the windows (batch, n, 1)."""
        return windows

    def session(self, recording: Recording = ONE_CHANNEL) -> "Interpolation":
        """Returns the interpolation itself."""
        return self
