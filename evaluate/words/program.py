"""Any external program as a recognizer."""

import contextlib
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ... import audio
from ...command import UserError
from ...command.hidden import hidden_folder
from ...command.signals import at_end
from .base import RecognitionError
from .normalization import SPELLED


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
    normalizer = SPELLED

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
        processes = _Processes()
        with at_end(processes.kill), ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                yield from pool.map(functools.partial(self._transcribe, processes), waves)
            finally:
                # After an error or Ctrl-C, the pool would wait for programs that still run.
                processes.end()

    def _transcribe(self, processes: "_Processes", wave: np.ndarray) -> str | RecognitionError:
        temporary = Path(tempfile.gettempdir())
        # A later process removes it if this one is killed.
        with hidden_folder(temporary) as folder:
            path = folder / "speech.wav"
            audio.write(path, wave, self.sample_rate, "PCM_16")
            arguments = [each.replace("{}", str(path)) for each in self._arguments]
            try:
                done = processes.run(arguments, self._timeout_seconds)
            except subprocess.TimeoutExpired:
                return RecognitionError(
                    f"{self.name} took more than {self._timeout_seconds:g} seconds; "
                    "set --timeout_seconds to allow more"
                )
            except OSError as error:
                raise UserError(f"{self.name} does not start: {error.strerror}") from error
        if done.returncode:
            output = done.stderr.strip() or done.stdout.strip() or "no output"
            reason = output.split("\n")[-1]
            return RecognitionError(f"{self.name} failed with {_code(done.returncode)}: {reason}")
        return done.stdout


class _Processes:
    """Programs that run at the same time, with those that they start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    def run(self, arguments: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
        """Runs a program, as subprocess.run does.

        Raises:
            TimeoutExpired: it took more than `seconds`, or `end` was called.
            OSError: it does not start.
        """
        with self._lock:
            if self._ended:
                raise subprocess.TimeoutExpired(arguments, seconds)
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                # A group of its own, which `_kill` ends.
                start_new_session=True,
            )
            self._running.add(process)
        with process:
            try:
                output, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise
            finally:
                self._running.discard(process)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def end(self) -> None:
        """Ends all programs, and those that would start from now on."""
        with self._lock:
            self._ended = True
        self.kill()

    def kill(self) -> None:
        """Kills the programs that run."""
        for process in tuple(self._running):
            _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kills a program and what it has started."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _code(returncode: int) -> str:
    """Describes an exit code, which is negative if a signal ended the process."""
    if returncode > 0:
        return f"exit code {returncode}"
    return f"signal {-returncode} ({signal.strsignal(-returncode)})"
