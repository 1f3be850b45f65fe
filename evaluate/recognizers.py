"""Speech recognizers behind one interface: waves in, texts out."""

import inspect
import os
import queue
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..data_gen import audio
from ..data_gen.command import UserError, quiet_tensorflow


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
        return _in_parallel(self._transcribe, waves)

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


class Command:
    """Any program that takes the path of a recording and prints what is said in it.

    It gets a wav file, mono with 16 bits at 16 kHz, and no shell sees its command line.

    Args:
        command: the command line; the path takes the place of {}, or stands at the end.
        timeout_seconds: how long it may take over one recording.

    Raises:
        UserError: there is no such program.
    """

    sample_rate = 16000

    def __init__(self, command: str, timeout_seconds: float = 600.0) -> None:
        self.name = f"cmd:{command}"
        self._timeout_seconds = timeout_seconds
        try:
            self._arguments = shlex.split(command)
        except ValueError as error:
            raise UserError(f"--recognizer={self.name}: not a command line: {error}") from error
        if not self._arguments:
            raise UserError("--recognizer=cmd: names no command; write it behind the colon")
        if not shutil.which(self._arguments[0]):
            raise UserError(f"--recognizer={self.name}: there is no program {self._arguments[0]}")
        if not any("{}" in argument for argument in self._arguments):
            self._arguments.append("{}")

    def transcribe(self, waves: Sequence[np.ndarray]) -> Iterator[str]:
        """Runs the program on each wave; see `Recognizer.transcribe`."""
        return _in_parallel(self._transcribe, waves)

    def _transcribe(self, wave: np.ndarray) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "speech.wav")
            audio.write(path, wave, self.sample_rate, "PCM_16")
            try:
                done = subprocess.run(
                    [argument.replace("{}", str(path)) for argument in self._arguments],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=self._timeout_seconds,
                )
            except subprocess.TimeoutExpired as error:
                raise UserError(
                    f"{self.name} took more than {self._timeout_seconds:g} seconds; "
                    "set --timeout_seconds to allow more"
                ) from error
            except OSError as error:
                raise UserError(f"{self.name} does not start: {error.strerror}") from error
        if done.returncode:
            told = (done.stderr.strip() or done.stdout.strip() or "it says nothing").split("\n")[-1]
            raise UserError(f"{self.name} failed with exit code {done.returncode}: {told}")
        return done.stdout


def _in_parallel(
    transcribe: Callable[[np.ndarray], str], waves: Sequence[np.ndarray]
) -> Iterator[str]:
    """Yields texts in order, and works on as many waves at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(transcribe, waves)


def _deepspeech(deepspeech_checkpoint: str | None = None, scorer: str | None = None) -> Recognizer:
    if deepspeech_checkpoint is None:
        raise UserError(
            "the recognizer deepspeech needs --deepspeech_checkpoint: the released TensorFlow "
            "checkpoint, or a folder of python -m wideband.evaluate.train_deepspeech"
        )
    quiet_tensorflow()
    from .deepspeech import SIZES, DeepSpeech

    own = Path(deepspeech_checkpoint, SIZES).is_file()
    load = DeepSpeech.from_weights if own else DeepSpeech.from_checkpoint
    return load(deepspeech_checkpoint, scorer)


# name: what makes the recognizer, of keyword arguments that are settings of the same names
RECOGNIZERS: dict[str, Callable[..., Recognizer]] = {
    "pocketsphinx": PocketSphinx,
    "deepspeech": _deepspeech,
    "cmd": Command,
}


def create(name: str, **settings: Any) -> Recognizer:
    """Makes a recognizer.

    Args:
        name: a key of `RECOGNIZERS`; "cmd" is followed by a colon and the command line.
        **settings: of this recognizer.

    Raises:
        UserError: there is none of this name, it is not installed, or it lacks such a setting.
    """
    kind, colon, command = name.partition(":")
    if kind not in RECOGNIZERS or bool(colon) != (kind == "cmd"):
        choices = ", ".join("cmd:COMMAND" if key == "cmd" else key for key in RECOGNIZERS)
        raise UserError(f"there is no recognizer {name!r}; choose one of {choices}")
    if colon:
        settings["command"] = command
    known = inspect.signature(RECOGNIZERS[kind]).parameters
    for setting in settings:
        if setting not in known:
            raise UserError(f"--{setting} is no setting of the recognizer {kind}; leave it out")
    return RECOGNIZERS[kind](**settings)
