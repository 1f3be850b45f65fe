"""PocketSphinx, whose English model comes in its package."""

import queue
import re
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ...data_gen import audio
from ...data_gen.command import UserError
from .base import in_parallel


class PocketSphinx:
    """PocketSphinx with the US English model of its package (Huggins-Daines et al. 2006).

    Args:
        grammar: file with a grammar in JSGF, for small vocabularies; without one, the model's
            trigrams of English guide the search.

    Raises:
        UserError: the package is not installed, or the grammar cannot be used.
    """

    sample_rate = 16000

    def __init__(self, grammar: str | None = None) -> None:
        try:
            import pocketsphinx
        except ImportError as error:
            raise UserError(
                "the recognizer pocketsphinx is not installed; pip install 'wideband[evaluate]'"
            ) from error
        self._decoder = pocketsphinx.Decoder
        self._search = {}
        self.name = f"pocketsphinx {version('pocketsphinx')}, en-us"
        if grammar is not None:
            # A second pass over what the first one left is for trigrams; over the loops of a
            # grammar it takes many times the recording's length.
            self._search = {"lm": None, "jsgf": grammar, "bestpath": False}
            self.name += f", grammar {Path(grammar).name}"
        # Decoders at rest. One serves a thread at a time, and works outside Python's lock.
        self._decoders = queue.LifoQueue()
        self._decoders.put(self._first_decoder(grammar))

    def transcribe(self, waves: Sequence[np.ndarray]) -> Iterator[str]:
        """Recognizes US English; see `Recognizer.transcribe`."""
        return in_parallel(self._transcribe, waves)

    def _first_decoder(self, grammar: str | None):
        if grammar is not None and not Path(grammar).is_file():
            raise UserError(f"{grammar}: there is no such grammar")
        # What is wrong with a grammar stands in the log alone.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            log = Path(folder, "log")
            try:
                return self._decoder(**self._search, loglevel="ERROR", logfn=str(log))
            except RuntimeError as error:
                if grammar is None:
                    raise
                told = re.sub(r'^ERROR: ".*?", line \d+: ', "", log.read_text().split("\n")[0])
                raise UserError(f"{grammar}: cannot be used as a grammar: {told}") from error

    def _transcribe(self, wave: np.ndarray) -> str:
        if not len(wave):
            return ""
        try:
            decoder = self._decoders.get_nowait()
        except queue.Empty:
            decoder = self._decoder(**self._search, loglevel="FATAL")
        # So that the text depends on this wave alone: noise that was heard is forgotten, and, as
        # the wave comes as a whole, the mean cepstrum that is subtracted is its own.
        decoder.reinit_feat()
        decoder.start_utt()
        decoder.process_raw(audio.to_int16(wave).tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        self._decoders.put(decoder)
        return hypothesis.hypstr if hypothesis else ""
