"""The interface of everything that restores waves."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Recording:
    """What is known of a recording before its first window is restored.

    Args:
        channels: number of channels.
        peak: the largest magnitude of its samples; None for one that is still arriving.
        band_end_hz: where the band that is kept of it ends; None if none is.
    """

    channels: int = 1
    peak: float | None = None
    band_end_hz: float | None = None


ONE_CHANNEL = Recording()


class Restorer(Protocol):
    """Restores windows of a wave: a Keras network, a TFLite file, a session of one, a baseline.

    Lengths count samples of the input, unless stated otherwise.

    Attributes:
        name: identifies the network in messages and tables.
        wants: the kind of input: "low" at the low rate, "interpolated" to the high rate, or "high",
            a recording that has the high rate and lacks nothing, which a vocoder makes anew.
        multiple: every input length must be a multiple of this number.
        context: the number of samples on either side on which an output sample depends, that is,
            half the receptive field; None if it depends on the whole window.
        patch: the length of the window if `context` is None.
        windows: the window lengths that it takes, the shortest first; empty if it takes all
            multiples.
        streaming: whether it keeps states from one window to the next. Each channel then needs its
            own `session`.
        delay: output samples by which a streaming network lags.
        band_hz: the lowest and the highest frequency where the band of the input may end; None if
            it ends at half the low rate.
    """

    name: str
    wants: str
    multiple: int
    context: int | None
    patch: int | None
    windows: tuple[int, ...]
    streaming: bool
    delay: int
    band_hz: tuple[float, float] | None

    @property
    def factor(self) -> int:
        """The number of output samples per input sample."""
        ...

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (batch, n, 1), to (batch, factor n, 1)."""
        ...

    def session(self, recording: Recording = ONE_CHANNEL) -> "Restorer":
        """Returns a restorer that takes the windows of a new wave in order.

        One that is `streaming` takes those of one channel. Any other one takes those of all
        channels: in each call, the next windows of the first channel, then as many of each other.
        """
        ...
