"""The interface of everything that restores waves, as the code that applies it sees it."""

from typing import Protocol

import numpy as np


class Restorer(Protocol):
    """Restores windows of a wave: a Keras network, a TFLite file, a session of one, a baseline.

    Lengths count samples of the input, unless stated otherwise.

    Attributes:
        name: identifies the network in messages and tables.
        wants: the input: "interpolated" at the high rate, "low" at the low rate.
        multiple: the divisor of all input lengths.
        context: samples on either side of an output sample that it depends on; None if it depends
            on the whole window.
        patch: the length of the window if `context` is None.
        window: the only window length that it takes; None if it takes any multiple.
        streaming: whether it keeps states from one window to the next. Each channel then needs a
            `session` of its own.
        delay: output samples by which a streaming network lags.
    """

    name: str
    wants: str
    multiple: int
    context: int | None
    patch: int | None
    window: int | None
    streaming: bool
    delay: int

    @property
    def factor(self) -> int:
        """The number of output samples per input sample."""
        ...

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (batch, n, 1), to (batch, factor n, 1)."""
        ...

    def session(self) -> "Restorer":
        """Returns a restorer for one channel of a new wave, window after window."""
        ...
