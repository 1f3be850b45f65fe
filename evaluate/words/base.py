"""What every recognizer is."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np


class Recognizer(Protocol):
    """Turns speech into text."""

    name: str  # with version and settings, for the record of what was measured
    sample_rate: int  # of the waves that it takes, in Hz

    def transcribe(self, waves: Sequence[np.ndarray]) -> Iterable[str]:
        """Recognizes what is said in recordings.

        Args:
            waves: float32 in [-1, 1] of shape (n,), at `sample_rate`.

        Returns:
            a text per wave, in their order; empty where nothing is understood.

        Raises:
            UserError: it fails; if texts come one by one, then at the wave whose text is due.
        """
        ...
