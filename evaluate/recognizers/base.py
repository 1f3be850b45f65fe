"""What every recognizer is, and how the small ones use all cores."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def in_parallel(
    transcribe: Callable[[np.ndarray], str], waves: Sequence[np.ndarray]
) -> Iterator[str]:
    """Yields texts in order, and works on as many waves at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(transcribe, waves)
