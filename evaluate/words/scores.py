"""Recognizes recordings and counts the errors of each.

A recording that cannot be read or recognized is left out by name, for all systems.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ... import audio
from ...command import UserError
from .base import RecognitionError, Recognizer
from .word_errors import Transcript, count

_BATCH = 64  # recordings in memory at a time
# A recognizer that fails on the first recordings fails on all of them.
_PATIENCE = 4

# A file, or a wave (n,) in float32 and its sample rate in Hz.
Recording = Path | tuple[np.ndarray, float]


class Scores:
    """The word errors of systems on the same recordings.

    Args:
        recognizer: from `words.create`.

    Attributes:
        transcripts: system -> one entry per recording, in one order.
        left_out: name of a recording -> why it is left out.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self.transcripts: dict[str, list[Transcript]] = {}
        self.left_out: dict[str, str] = {}
        self._recognizer = recognizer
        self._failures = 0

    def add(
        self,
        recordings: Mapping[str, Mapping[str, Recording]],
        texts: Mapping[str, str],
        title: str = "",
    ) -> None:
        """Recognizes recordings, which are resampled to the recognizer's rate.

        Args:
            recordings: name -> system -> recording; every name has the same systems.
            texts: name -> what is said there.
            title: text in front of the progress bar; "" for no bar.

        Raises:
            UserError: the recognizer fails for another reason than a recording.
        """
        normalize = self._recognizer.normalizer
        references = {name: normalize(texts[name]) for name in recordings}
        for name in [name for name, reference in references.items() if not reference]:
            self.left_out[name] = "its transcript has no words; correct it"
            del references[name]
        files = [each for name in references for each in recordings[name].values()]
        recognized = self._recognize(files)
        # The bar is shown on terminals only.
        with tqdm(
            total=len(files), unit="file", desc=title, disable=None if title else True
        ) as bar:
            for name, reference in references.items():
                row = {}
                for system in recordings[name]:
                    row[system] = next(recognized)
                    bar.update()
                self._add_row(name, reference, row)

    def _recognize(self, recordings: Sequence[Recording]) -> Iterator[str | UserError]:
        """Yields the text of each recording, or the error of one that has none."""
        for start in range(0, len(recordings), _BATCH):
            waves = [self._read(each) for each in recordings[start : start + _BATCH]]
            readable = [wave for wave in waves if isinstance(wave, np.ndarray)]
            texts = iter(self._recognizer.transcribe(readable))
            for wave in waves:
                yield next(texts) if isinstance(wave, np.ndarray) else wave

    def _read(self, recording: Recording) -> np.ndarray | UserError:
        try:
            wave, sample_rate = audio.read(recording) if isinstance(recording, Path) else recording
        except UserError as error:
            return error
        return audio.resample(audio.mono(wave), sample_rate, self._recognizer.sample_rate)

    def _add_row(self, name: str, reference: str, row: Mapping[str, str | UserError]) -> None:
        """Adds the texts of all systems for one recording, or leaves it out."""
        for system, text in row.items():
            if isinstance(text, UserError):
                self.left_out[name] = f"{system}: {text}" if len(row) > 1 else str(text)
                self._check_patience(text)
                return
        for system, text in row.items():
            hypothesis = self._recognizer.normalizer(str(text))
            transcript = Transcript(name, reference, hypothesis, count(reference, hypothesis))
            self.transcripts.setdefault(system, []).append(transcript)

    def _check_patience(self, error: UserError) -> None:
        """Raises a UserError if the recognizer has failed on the first recordings."""
        self._failures += isinstance(error, RecognitionError)
        if self._failures == _PATIENCE and not self.transcripts:
            raise UserError(f"no text for any of the first {_PATIENCE} recordings: {error}")
