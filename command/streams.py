"""The standard streams of a command: closed, full, or unable to encode a name."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

OUTPUT = "standard output"


def prepare() -> None:
    """Prepares the standard streams of this process.

    - Errors of standard input and output name the stream, as errors of a file name the file.
    - A line of standard output is written at once. Someone may read along or have stopped reading.
    - A progress bar or message that cannot be written, as on a closed terminal, stops nothing.
    - Characters that the encoding lacks, and names that are not in it, are escaped.
    - A closed stream stays closed: no file that is opened later takes its place.
    """
    for number, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        _reserve(number, flags)
    text: dict[str, Any] = {"errors": "backslashreplace", "line_buffering": True}
    encodings = [getattr(stream, "encoding", "utf-8") for stream in (sys.stdout, sys.stderr)]
    sys.stdin = io.TextIOWrapper(io.BufferedReader(_Named(0, "r", "standard input")))
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Named(1, "w", OUTPUT)), encodings[0], **text)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Messages(2, "w", closefd=False)), encodings[1], **text
    )


def discard_output() -> None:
    """Discards what standard output could not take, which Python would try to write again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


class _Named(io.FileIO):
    """A standard stream whose errors name it."""

    def __init__(self, descriptor: int, mode: str, title: str) -> None:
        super().__init__(descriptor, mode, closefd=False)
        self._title = title

    def readinto(self, buffer: Any) -> int | None:
        with self._naming():
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with self._naming():
            return super().readall()

    def write(self, content: Any) -> int | None:
        with self._naming():
            return super().write(content)

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = self._title
            raise


class _Messages(io.FileIO):
    """Standard error. What cannot be written is lost."""

    def write(self, content: Any) -> int | None:
        try:
            return super().write(content)
        except OSError:
            return len(content)


def _reserve(number: int, flags: int) -> None:
    """Opens the null device in place of a stream that is closed, which is the first one free."""
    try:
        os.fstat(number)
    except OSError:
        os.set_inheritable(os.open(os.devnull, flags), True)
