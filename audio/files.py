"""Reading and writing recordings.

A wave is float32 in [-1, 1], of shape `(n, channels)` as read from a file and `(n,)` when mono.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from ..command import UserError
from ..command.files import replacing
from .search import SUFFIXES

WRITABLE_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")

# Bytes per sample of the widest sample format.
WIDEST_BYTES = 8
# Memory and filters grow with the rate, so a damaged header must not set it.
LOWEST_RATE = 1000
HIGHEST_RATE = 768_000


class Info(NamedTuple):
    """Length, rate and channels of a recording."""

    frames: int
    sample_rate: int
    channels: int


@contextmanager
def _open(path: Path) -> Iterator[soundfile.SoundFile]:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    try:
        # libsndfile gets no name, since a name that is not UTF-8 cannot be passed to it.
        with path.open("rb") as handle, soundfile.SoundFile(handle.fileno(), closefd=False) as file:
            if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
                raise UserError(
                    f"{path}: its header says {file.samplerate} Hz; readable are {LOWEST_RATE} to "
                    f"{HIGHEST_RATE} Hz; correct the rate"
                )
            yield file
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except soundfile.LibsndfileError as error:
        raise UserError(
            f"{path}: not readable as audio ({error.error_string.rstrip('.')}); "
            f"readable are {', '.join(SUFFIXES)}"
        ) from error


def info(path: Path) -> Info:
    """Reads the length, rate and channels of a recording from its header.

    Raises:
        UserError: the file is missing, empty or not audio.
    """
    with _open(path) as file:
        return Info(file.frames, file.samplerate, file.channels)


def blocks(path: Path, seconds: float = 60.0) -> Iterator[np.ndarray]:
    """Reads a recording in blocks, so that memory does not grow with its length.

    Args:
        path: the recording.
        seconds: duration of a block; the last one may be shorter.

    Yields:
        float32 arrays of shape (k, channels).

    Raises:
        UserError: the file is missing, empty or not audio, or breaks off in the middle.
    """
    with _open(path) as file:
        # soundfile seeks to the current position after each read, and libsndfile's MP3 decoder
        # loses bits when it seeks. It does not seek in files that are not seekable.
        file.seekable = lambda: False
        n = max(1, round(seconds * file.samplerate))
        while len(block := file.read(n, dtype="float32", always_2d=True)):
            yield block


def read(path: Path, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, int]:
    """Reads a recording, or those of its samples that are between `start` and `stop`.

    Args:
        path: the recording.
        start: the first sample.
        stop: the sample after the last one, which may be past the end; by default the end.

    Returns:
        the wave, float32 of shape (n, channels), and its sample rate in Hz.

    Raises:
        UserError: the file is missing, empty or not audio.
    """
    with _open(path) as file:
        file.seek(min(start, file.frames))
        frames = -1 if stop is None else max(0, stop - start)
        return file.read(frames, dtype="float32", always_2d=True), file.samplerate


def write(path: Path, wave: np.ndarray, sample_rate: int, subtype: str | None = None) -> None:
    """Writes a recording under a temporary name and renames it when it is complete.

    Args:
        path: the suffix chooses the format: .wav, .flac, .ogg, .mp3, .aiff.
        wave: float, shape (n,) or (n, channels); integer formats clip samples beyond [-1, 1].
        sample_rate: in Hz.
        subtype: libsndfile's name for the sample format, such as "PCM_24"; by default that of the
            format.

    Raises:
        UserError: the format cannot be written, or not with this rate or channel count.
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
    suffix = path.suffix.lower()
    if suffix not in WRITABLE_SUFFIXES:
        raise UserError(
            f"{path}: cannot write this format; writable are {', '.join(WRITABLE_SUFFIXES)}"
        )
    # soundfile cannot write to the suffix .aif without the name of the format.
    container = "AIFF" if suffix == ".aif" else None
    if suffix == ".wav" and frames * channels * WIDEST_BYTES >= 2**32:
        container = "RF64"

    @contextmanager
    def user_errors() -> Iterator[None]:
        try:
            yield
        except soundfile.LibsndfileError as error:
            raise cannot_write(error.error_string) from error
        except ValueError as error:
            raise cannot_write(str(error)) from error

    def cannot_write(reason: str) -> UserError:
        return UserError(
            f"{path}: cannot be written with {channels} channel(s) at {sample_rate} Hz"
            f"{' as ' + subtype if subtype else ''} ({reason.rstrip('.')}); choose another format, "
            "such as wav"
        )

    with replacing(path) as temporary:
        with user_errors():
            file = soundfile.SoundFile(
                temporary, "w", sample_rate, channels, subtype, format=container
            )
        with file:

            def write_chunk(chunk: np.ndarray) -> None:
                # libsndfile's Vorbis encoder overflows its stack if it encodes a minute at once.
                with user_errors():
                    for start in range(0, len(chunk), sample_rate):
                        file.write(chunk[start : start + sample_rate])

            yield write_chunk


def subtype(path: Path) -> str:
    """Returns libsndfile's name for the sample format of a recording: "PCM_16", "FLOAT", ..."""
    with _open(path) as file:
        return file.subtype


def to_int16(wave: np.ndarray) -> np.ndarray:
    """Rounds a wave to 16 bits and clips samples beyond [-1, 1]."""
    return np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)


def from_int16(samples: np.ndarray) -> np.ndarray:
    """Converts 16-bit samples to a float32 wave."""
    return samples.astype(np.float32) / np.float32(32768)


def mono(wave: np.ndarray) -> np.ndarray:
    """Mixes (n, channels) down to (n,) with the mean over the channels."""
    return wave.mean(axis=1) if wave.ndim == 2 else wave
