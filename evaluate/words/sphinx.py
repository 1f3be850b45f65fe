"""PocketSphinx with the English model of its package."""

import os
import re
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ... import audio
from ...command import UserError, workers
from ...command.hidden import hidden_folder
from .normalization import SPELLED

# The decoder of a worker process.
_decoder: Any = None


class PocketSphinx:
    """PocketSphinx with the US English model of its package (Huggins-Daines et al. 2006).

    Args:
        grammar: file with a JSGF grammar, for small vocabularies; by default, the search uses the
            model's English trigrams.

    Raises:
        UserError: the package is not installed, or the grammar cannot be used.
    """

    sample_rate = 16000
    normalizer = SPELLED

    def __init__(self, grammar: str | None = None) -> None:
        _import_pocketsphinx()
        self._search = {}
        self.name = f"pocketsphinx {version('pocketsphinx')}, en-us"
        if grammar is not None:
            # The second pass is meant for trigrams; on the loops of a grammar it takes many times
            # the duration of the recording.
            self._search = {"lm": None, "jsgf": grammar, "bestpath": False}
            self.name += f", grammar {Path(grammar).name}"
            _check_grammar(self._search)

    def transcribe(self, waves: Sequence[np.ndarray]) -> Iterator[str]:
        """Recognizes US English; see `Recognizer.transcribe`."""
        try:
            yield from self._pool.map(_transcribe, waves)
        except BrokenProcessPool as error:
            raise UserError(
                f"a process of {self.name} was killed, perhaps for lack of memory; close other "
                "programs and run the command again"
            ) from error

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        # Processes, because a decoder holds Python's global lock.
        pool = workers.pool(os.cpu_count() or 1, _make_decoder, self._search)
        # Shut down explicitly: the garbage collector may run too late, at interpreter exit, which
        # prints an error.
        weakref.finalize(self, pool.shutdown)
        return pool


def _import_pocketsphinx() -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise UserError(
            "the recognizer pocketsphinx is not installed; "
            "pip install '.[evaluate]' in wideband's folder"
        ) from error
    return pocketsphinx


def _check_grammar(search: dict[str, Any]) -> None:
    grammar = search["jsgf"]
    if not Path(grammar).is_file():
        raise UserError(f"{grammar}: there is no such grammar")
    # PocketSphinx writes the fault of a grammar only to its log.
    with hidden_folder(Path(tempfile.gettempdir())) as folder:
        log = folder / "log"
        try:
            _import_pocketsphinx().Decoder(**search, loglevel="ERROR", logfn=str(log))
        except RuntimeError as error:
            reason = re.sub(r'^ERROR: ".*?", line \d+: ', "", log.read_text().split("\n")[0])
            raise UserError(f"{grammar}: cannot be used as a grammar: {reason}") from error


# === In a worker ===
def _make_decoder(search: dict[str, Any]) -> None:
    global _decoder
    _decoder = _import_pocketsphinx().Decoder(**search, loglevel="FATAL")


def _transcribe(wave: np.ndarray) -> str:
    if not len(wave):
        return ""
    # The text depends on this wave alone: the noise estimate is reset, and the cepstral mean is
    # that of the whole wave, which is passed at once.
    _decoder.reinit_feat()
    _decoder.start_utt()
    _decoder.process_raw(audio.to_int16(wave).tobytes(), full_utt=True)
    _decoder.end_utt()
    hypothesis = _decoder.hyp()
    return hypothesis.hypstr if hypothesis else ""
