"""The interface of everything that restores waves."""

from typing import Protocol

import numpy as np


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
        window: the only window length that it takes; None if it takes all multiples.
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
    window: int | None
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

    def session(self) -> "Restorer":
        """Returns a restorer that takes the windows of one channel of a new wave in order."""
        ...
