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

# What a command line has in place of a path: of a recording, or of a list of recordings.
_ONE, _LIST = "{}", "{list}"


class Program:
    """A program that takes the path of a recording and prints what is said in it.

    It gets mono wav files with 16 bits at 16 kHz. Its command line does not pass through a shell.

    A program that takes long to start, because it loads a large model, can recognize many
    recordings at once: {list} in its command line is replaced by the path of a file with the path
    of a recording in each line. For each, the program prints a line with the same path, a tab and
    the text. Other lines are ignored.

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
        self._lists = any(_LIST in argument for argument in self._arguments)
        if not self._lists and not any(_ONE in argument for argument in self._arguments):
            self._arguments.append(_ONE)

    def transcribe(self, waves: Sequence[np.ndarray]) -> Iterator[str | RecognitionError]:
        """Runs the program on each wave; see `Recognizer.transcribe`."""
        processes = _Processes()
        with at_end(processes.kill), ThreadPoolExecutor(os.cpu_count()) as pool:
            try:
                if self._lists:
                    yield from self._transcribe_all(processes, waves)
                else:
                    yield from pool.map(functools.partial(self._transcribe, processes), waves)
            finally:
                # After an error or Ctrl-C, the pool would wait for programs that still run.
                processes.end()

    def _transcribe(self, processes: "_Processes", wave: np.ndarray) -> str | RecognitionError:
        # A later process removes it if this one is killed.
        with hidden_folder(Path(tempfile.gettempdir())) as folder:
            path = folder / "speech.wav"
            audio.write(path, wave, self.sample_rate, "PCM_16")
            return self._run(processes, _ONE, path, self._timeout_seconds)

    def _transcribe_all(
        self, processes: "_Processes", waves: Sequence[np.ndarray]
    ) -> list[str | RecognitionError]:
        """Runs the program once, on a list of recordings."""
        with hidden_folder(Path(tempfile.gettempdir())) as folder:
            paths = [folder / f"{number:06}.wav" for number in range(len(waves))]
            for path, wave in zip(paths, waves, strict=True):
                audio.write(path, wave, self.sample_rate, "PCM_16")
            names = folder / "list.txt"
            names.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
            printed = self._run(processes, _LIST, names, self._timeout_seconds * len(waves))
        if isinstance(printed, RecognitionError):
            return [printed] * len(waves)
        lines = dict(line.split("\t", 1) for line in printed.splitlines() if "\t" in line)
        missing = RecognitionError(
            f"{self.name} printed no line for it; print the path, a tab and the text"
        )
        return [lines.get(str(path), missing) for path in paths]

    def _run(
        self, processes: "_Processes", mark: str, path: Path, seconds: float
    ) -> str | RecognitionError:
        """Runs the program, with a path in place of a mark, and returns what it prints."""
        arguments = [each.replace(mark, str(path)) for each in self._arguments]
        try:
            done = processes.run(arguments, seconds)
        except subprocess.TimeoutExpired:
            return RecognitionError(
                f"{self.name} took more than {seconds:g} seconds; "
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
