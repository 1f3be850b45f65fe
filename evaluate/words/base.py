"""The interface of speech recognizers."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from ...command import UserError
from .normalization import Normalizer


class RecognitionError(UserError):
    """A recognizer fails on one recording, and perhaps not on others."""


class Recognizer(Protocol):
    """Turns speech into text."""

    name: str  # with version and settings, for reports
    sample_rate: int  # of the waves it takes, in Hz
    normalizer: Normalizer  # of its texts and the transcripts

    def transcribe(self, waves: Sequence[np.ndarray]) -> Iterable[str | RecognitionError]:
        """Recognizes what is said in recordings.

        Args:
            waves: float32 in [-1, 1] of shape (n,), at `sample_rate`.

        Returns:
            one text per wave, in the same order; empty if nothing is understood, an error if the
            recognizer fails on the wave.

        Raises:
            UserError: it fails for another reason.
        """
        ...
