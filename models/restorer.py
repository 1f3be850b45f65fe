"""What can restore a wave, as the code that applies it sees it."""

from typing import Protocol

import numpy as np


class Restorer(Protocol):
    """A network that restores windows of a wave: a Keras network, a TFLite file, a baseline.

    Attributes:
        name: what messages and tables call it.
        wants: "interpolated" for an input at the high rate, "low" for one at the low rate.
        factor: output samples per input sample.
        multiple: input lengths are multiples of it.
        context: input samples on either side that an output sample depends on, or None if it
            depends on the whole window.
        patch: the length of the window if `context` is None.
        window: the only window length that it takes, or None if any multiple will do.
        streaming: whether it keeps states from window to window; each channel then needs a
            `session`.
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
        """Output samples per input sample."""
        ...

    def restore(self, windows: np.ndarray) -> np.ndarray:
        """Restores windows (batch, n, 1), to (batch, factor n, 1)."""
        ...

    def session(self) -> "Restorer":
        """Returns what restores one channel of a new wave, window after window."""
        ...
