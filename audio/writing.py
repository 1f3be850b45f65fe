"""Writing recordings."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from ..command import UserError
from ..command.files import replacing
from .reading import info

# libsndfile's name for the format of each suffix.
_FORMATS = {
    ".wav": "WAV",
    ".flac": "FLAC",
    ".ogg": "OGG",
    ".mp3": "MP3",
    ".aiff": "AIFF",
    ".aif": "AIFF",
}
WRITABLE_SUFFIXES = tuple(_FORMATS)

# Bytes per sample; by default, wav and AIFF have 16 bits.
_BYTES = {"PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
# Room for the headers in files with lengths of 32 bits.
_LARGEST_BYTES = 2**32 - 2**20
# Above this rate in Hz, the encoder of Vorbis crashes.
_HIGHEST_VORBIS_RATE = 200_000


def write(path: Path, wave: np.ndarray, sample_rate: int, subtype: str | None = None) -> None:
    """Writes a recording under a temporary name and renames it when it is complete.

    Args:
        path: the suffix chooses the format: .wav, .flac, .ogg, .mp3, .aiff.
        wave: float, shape (n,) or (n, channels); integer formats clip samples beyond [-1, 1].
        sample_rate: in Hz.
        subtype: libsndfile's name for the sample format, such as "PCM_24"; by default that of the
            format.

    Raises:
        UserError: the format cannot be written, or not with this rate or channel count, the wave
            contains NaN or infinity, or the system cannot write, such as on a full disk.
    """
    channels = wave.shape[1] if wave.ndim == 2 else 1
    with writer(path, sample_rate, channels, subtype, frames=len(wave)) as write_chunk:
        write_chunk(wave)


@contextmanager
def writer(
    path: Path, sample_rate: int, channels: int, subtype: str | None = None, frames: int = 0
) -> Iterator[Callable[[np.ndarray], None]]:
    """Writes a recording in chunks, under a temporary name until the block succeeds.

    Args:
        path: as in `write`.
        sample_rate: in Hz.
        channels: number of channels.
        subtype: as in `write`.
        frames: the number of samples, if known: a wav of more than 4 GiB needs another header
            (RF64).

    Yields:
        a function that takes the next chunk, (k,) or (k, channels).

    Raises:
        UserError: as `write`.
    """
    container = _container(path, frames * channels * _BYTES.get(subtype or "", 2))

    def cannot_write(reason: str) -> UserError:
        return UserError(
            f"{path}: cannot be written with {channels} channel(s) at {sample_rate} Hz"
            f"{' as ' + subtype if subtype else ''} ({reason.rstrip('.')}); choose another format, "
            "such as wav"
        )

    @contextmanager
    def user_errors() -> Iterator[None]:
        try:
            yield
        except (soundfile.LibsndfileError, ValueError) as error:
            raise cannot_write(getattr(error, "error_string", str(error))) from error

    if container == "OGG" and sample_rate > _HIGHEST_VORBIS_RATE:
        raise cannot_write(f"the highest rate is {_HIGHEST_VORBIS_RATE} Hz")
    written = 0
    with replacing(path) as temporary:
        with temporary.open("wb", buffering=0) as handle:
            sink = _Sink(handle)
            with user_errors():
                file = soundfile.SoundFile(
                    sink, "w", sample_rate, channels, subtype, format=container
                )

            def write_chunk(chunk: np.ndarray) -> None:
                nonlocal written
                if not np.isfinite(chunk).all():
                    raise UserError(
                        f"{path}: the wave contains NaN or infinity; check the recording and the "
                        "model"
                    )
                # libsndfile's Vorbis encoder overflows its stack if it encodes a minute at once.
                with user_errors():
                    for start in range(0, len(chunk), sample_rate):
                        file.write(chunk[start : start + sample_rate])
                sink.check()
                written += len(chunk)

            with file:
                yield write_chunk
            sink.check()
        # If its folder was deleted meanwhile, the renaming names the cause.
        if temporary.exists() and _frames(temporary) != written:
            raise cannot_write(f"{written} samples cannot be read back")


def writable_subtypes(path: Path) -> list[str]:
    """Lists the sample formats that `write` can give a file, by the suffix of its name.

    Raises:
        UserError: this suffix cannot be written.
    """
    return list(soundfile.available_subtypes(_container(path, 0)))


def _frames(path: Path) -> int | None:
    """Returns the length of a recording, None if it cannot be read."""
    try:
        return info(path).frames
    except UserError:
        return None


def _container(path: Path, size: int) -> str:
    """Returns libsndfile's name for the format of a file with `size` bytes of samples."""
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise UserError(
            f"{path}: cannot write this format; writable are {', '.join(WRITABLE_SUFFIXES)}"
        )
    container = _FORMATS[suffix]
    if size > _LARGEST_BYTES and container == "WAV":
        return "RF64"
    if size > _LARGEST_BYTES and container == "AIFF":
        raise UserError(f"{path}: AIFF files end at 4 GiB; choose wav or flac")
    return container


class _Sink:
    """A file that libsndfile writes to; it keeps the system's error, which libsndfile drops."""

    def __init__(self, handle: BinaryIO):
        self._handle = handle
        self._error: OSError | None = None

    def check(self) -> None:
        """Raises the first OSError of a write."""
        if self._error:
            raise self._error

    def write(self, data: bytes) -> int:
        """Writes all bytes, or none after an error."""
        left = memoryview(data)
        try:
            while left and not self._error:
                left = left[self._handle.write(left) :]
        except OSError as error:
            self._error = error
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position and returns it."""
        return self._handle.seek(offset, whence)

    def tell(self) -> int:
        """Returns the position."""
        return self._handle.tell()
