"""Reading recordings.

A wave is float32 in [-1, 1], of shape `(n, channels)` as read from a file and `(n,)` when mono.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from ..command.errors import UserError, explain
from ..command.rates import HIGHEST_RATE, LOWEST_RATE
from .finding import INCOMPLETE, Finding
from .lengths import examine
from .search import ALLOW, conversion
from .spliced import Spliced

# Samples in all channels of the longest block.
_BLOCK_SAMPLES = 1 << 24
# What libsndfile says about a length that it does not know.
_UNKNOWN_FRAMES = 2**63 - 1
# The sample formats in which libsndfile seeks without error.
_SEEKABLE = (
    "PCM",
    "FLOAT",
    "DOUBLE",
    "ULAW",
    "ALAW",
    "ALAC",
    "IMA",
    "MS",
    "MPEG",
    "VORBIS",
    "OPUS",
)
# A decoder of MP3 that starts so much earlier has all the bits of the first frame it is asked for;
# one of Vorbis is not in the last page, where libsndfile misses the position.
_LEAD_SAMPLES = 1 << 16


class Info(NamedTuple):
    """Length, rate and channels of a recording."""

    frames: int
    sample_rate: int
    channels: int


class _WrongLengthError(Exception):
    """A recording is shorter or longer than its header says."""


@dataclass
class _Recording:
    """An open recording."""

    file: soundfile.SoundFile
    frames: int | None  # None until the end is found
    position: int = 0

    def blocks(self, size: int, stop: int | None) -> Iterator[np.ndarray]:
        """Yields the samples up to `stop`, or all, in blocks of `size`, float32 (k, channels)."""
        while stop is None or self.position < stop:
            count = size if stop is None else min(size, stop - self.position)
            block = self.file.read(count, dtype="float32", always_2d=True)
            self.position += len(block)
            if len(block):
                yield block
            if len(block) < count:
                break
        if stop is not None and self.position < stop:
            raise _WrongLengthError(
                f"breaks off after {self.position / self.file.samplerate:.1f} of "
                f"{stop / self.file.samplerate:.1f} s"
            )
        unlimited = self.file.frames == _UNKNOWN_FRAMES
        if unlimited and stop is not None and stop == self.frames and len(self.file.read(1)):
            raise _WrongLengthError("goes on after the end that its header says")

    def seek(self, position: int, can_seek: bool) -> None:
        """Goes to a sample; decodes what precedes it if libsndfile cannot seek."""
        kind = self.file.subtype
        if can_seek and kind.startswith(_SEEKABLE):
            lead = _LEAD_SAMPLES if kind.startswith(("MPEG", "VORBIS")) else 0
            self.position = max(0, position - lead)
            self.file.seek(self.position)
        for _ in self.blocks(_LEAD_SAMPLES, position):
            pass


@contextmanager
def _open(path: Path) -> Iterator[_Recording]:
    """Opens a recording.

    Raises:
        UserError: as `blocks`; also if libsndfile or the code inside the block finds an error.
    """
    with _handle(path) as handle:
        before = os.fstat(handle.fileno())
        finding = examine(handle, path.suffix.lower())
        if finding.fault:
            raise UserError(f"{path}: {finding.fault}: {conversion(path, finding.options)}")
        spliced = Spliced(handle, finding.pieces) if finding.pieces else None
        with _libsndfile(path, spliced or _descriptor(handle)) as file:
            fault = None
            try:
                yield _Recording(file, _frames(file, finding))
            except _WrongLengthError as error:
                fault = str(error)
            except soundfile.LibsndfileError as error:
                fault = f"damaged{_reason(error)}"
        after = os.fstat(handle.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise UserError(f"{path}: changed while it was read; try again when it is complete")
        if spliced and spliced.error:
            raise spliced.error
        if fault:
            raise UserError(f"{path}: {fault}; {INCOMPLETE}: {conversion(path)}")


@contextmanager
def _handle(path: Path) -> Iterator[BinaryIO]:
    """Opens a file for reading; an OSError in the block becomes a UserError."""
    try:
        mode = path.stat().st_mode
        if S_ISDIR(mode):
            raise UserError(f"{path}: a folder, not a recording; name a file")
        if not S_ISREG(mode):
            raise UserError(f"{path}: not a file; save it to one first")
        with path.open("rb", buffering=1 << 16) as handle:
            if os.fstat(handle.fileno()).st_size == 0:
                raise UserError(f"{path}: the file is empty")
            yield handle
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no such file") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {explain(error, ALLOW)}") from error


def _descriptor(handle: BinaryIO) -> int:
    """Rewinds a file for libsndfile, which cannot take every name; `handle` is of no use then."""
    os.lseek(handle.fileno(), 0, os.SEEK_SET)
    return handle.fileno()


@contextmanager
def _libsndfile(path: Path, source: Spliced | int) -> Iterator[soundfile.SoundFile]:
    """Opens a recording with libsndfile and checks its rate."""
    try:
        file = soundfile.SoundFile(source, closefd=False)
    except soundfile.LibsndfileError as error:
        raise UserError(
            f"{path}: not readable as audio{_reason(error)}; if it is, convert it: "
            f"{conversion(path)}"
        ) from error
    with file:
        if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
            raise UserError(
                f"{path}: its header says {file.samplerate} Hz; readable are {LOWEST_RATE} to "
                f"{HIGHEST_RATE} Hz; correct the rate"
            )
        # soundfile seeks to the current position after each read, and libsndfile's MP3 decoder
        # loses bits when it seeks. It does not seek in files that are not seekable.
        file.seekable = lambda: False
        yield file


def _frames(file: soundfile.SoundFile, finding: Finding) -> int | None:
    """Returns the length in samples, None if it is not known before the end."""
    if finding.frames is not None:
        if file.frames < finding.frames:
            raise _WrongLengthError(f"breaks off: it has {file.frames} of {finding.frames} samples")
        return finding.frames
    padding = file.frames - (finding.unpadded_frames or 0)
    if finding.unpadded_frames and 0 <= padding < file.samplerate:
        return finding.unpadded_frames
    return None if file.frames == _UNKNOWN_FRAMES else file.frames


def _reason(error: soundfile.LibsndfileError) -> str:
    reason = error.error_string.strip().rstrip(".")
    return f" ({reason})" if reason else ""


@lru_cache(maxsize=64)
def _counted(path: Path, size: int, modified_ns: int) -> int:
    """Counts the samples of a recording whose header does not say it."""
    return sum(len(block) for block in blocks(path))


def info(path: Path) -> Info:
    """Finds the length, rate and channels of a recording.

    Raises:
        UserError: as `blocks`.
    """
    with _open(path) as recording:
        frames = _length(path, recording)
        return Info(frames, recording.file.samplerate, recording.file.channels)


def _length(path: Path, recording: _Recording) -> int:
    if recording.frames is None:
        status = path.stat()
        return _counted(path, status.st_size, status.st_mtime_ns)
    return recording.frames


def blocks(path: Path, seconds: float = 60.0) -> Iterator[np.ndarray]:
    """Reads a recording in blocks, so that memory does not grow with its length.

    Args:
        path: the recording.
        seconds: duration of a block, less with many channels; the last one may be shorter.

    Yields:
        float32 arrays of shape (k, channels).

    Raises:
        UserError: the file is missing, empty or not audio, or it is damaged, breaks off or
            changes while it is read.
    """
    with _open(path) as recording:
        file = recording.file
        size = min(round(seconds * file.samplerate), _BLOCK_SAMPLES // file.channels)
        yield from recording.blocks(max(1, size), recording.frames)


def read(path: Path, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, int]:
    """Reads a recording, or those of its samples that are between `start` and `stop`.

    Args:
        path: the recording.
        start: the first sample.
        stop: the sample after the last one, which may be past the end; by default the end.

    Returns:
        the wave, float32 of shape (n, channels), and its sample rate in Hz.

    Raises:
        UserError: as `blocks`.
    """
    if start:
        try:
            return _read(path, start, stop, can_seek=True)
        except UserError:
            # libsndfile cannot seek in some damaged files that it reads from their beginning.
            pass
    return _read(path, start, stop, can_seek=False)


def _read(path: Path, start: int, stop: int | None, can_seek: bool) -> tuple[np.ndarray, int]:
    with _open(path) as recording:
        file = recording.file
        empty = np.zeros((0, file.channels), np.float32)
        if start or stop is not None:
            length = _length(path, recording)
            stop = length if stop is None else min(stop, length)
            if start >= stop:
                return empty, file.samplerate
            recording.seek(start, can_seek)
        else:
            stop = recording.frames
        blocks = list(recording.blocks(_BLOCK_SAMPLES // file.channels, stop))
        # Joining copies them.
        wave = blocks[0] if len(blocks) == 1 else np.concatenate([empty, *blocks])
        return wave, file.samplerate


def subtype(path: Path) -> str:
    """Returns libsndfile's name for the sample format of a recording: "PCM_16", "FLOAT", ..."""
    with _open(path) as recording:
        return recording.file.subtype
