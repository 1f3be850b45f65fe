"""Any external program as a recognizer."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ... import audio
from ...command import UserError
from .base import RecognitionError


class Program:
    """A program that takes the path of a recording and prints what is said in it.

    It gets a mono wav file with 16 bits at 16 kHz. Its command line does not pass through a shell.

    Args:
        command: the command line; {} is replaced by the path, which is otherwise appended.
        timeout_seconds: the longest time for one recording.

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
            raise UserError("--recognizer=cmd: has no command; write it after the colon")
        if not shutil.which(self._arguments[0]):
            raise UserError(
                f"--recognizer={self.name}: there is no program {self._arguments[0]}; install it, "
                "or correct the command"
            )
        if not any("{}" in argument for argument in self._arguments):
            self._arguments.append("{}")

    def transcribe(self, waves: Sequence[np.ndarray]) -> Iterator[str | RecognitionError]:
        """Runs the program on each wave; see `Recognizer.transcribe`."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from pool.map(self._transcribe, waves)

    def _transcribe(self, wave: np.ndarray) -> str | RecognitionError:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "speech.wav")
            audio.write(path, wave, self.sample_rate, "PCM_16")
            try:
                return self._run([each.replace("{}", str(path)) for each in self._arguments])
            except RecognitionError as error:
                return error

    def _run(self, arguments: list[str]) -> str:
        """Runs the program and returns what it prints."""
        try:
            done = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=self._timeout_seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise RecognitionError(
                f"{self.name} took more than {self._timeout_seconds:g} seconds; "
                "set --timeout_seconds to allow more"
            ) from error
        except OSError as error:
            raise UserError(f"{self.name} does not start: {error.strerror}") from error
        if done.returncode:
            output = done.stderr.strip() or done.stdout.strip() or "no output"
            reason = output.split("\n")[-1]
            raise RecognitionError(f"{self.name} failed with {_code(done.returncode)}: {reason}")
        return done.stdout


def _code(returncode: int) -> str:
    """Describes an exit code, which is negative if a signal ended the process."""
    return f"exit code {returncode}" if returncode > 0 else signal.strsignal(-returncode) or "?"
