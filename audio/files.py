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

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")

# Bytes of a sample in the widest format.
WIDEST_BYTES = 8


class Info(NamedTuple):
    """Length and form of a recording."""

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
        with soundfile.SoundFile(path) as file:
            yield file
    except soundfile.LibsndfileError as error:
        raise UserError(
            f"{path}: not readable as audio ({error.error_string.rstrip('.')}); "
            f"readable are {', '.join(SUFFIXES)}"
        ) from error


def info(path: Path) -> Info:
    """Reads the length and form of a recording from its header.

    Raises:
        UserError: the file is missing, empty or not audio.
    """
    with _open(path) as file:
        return Info(file.frames, file.samplerate, file.channels)


def find(folder: Path) -> list[Path]:
    """Lists the audio files of a folder and of those below it, sorted; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def blocks(path: Path, seconds: float = 60.0) -> Iterator[np.ndarray]:
    """Reads a recording in pieces, so that its length does not matter.

    Args:
        path: the recording.
        seconds: length of a piece; the last one may be shorter.

    Yields:
        float32 arrays of shape (k, channels).

    Raises:
        UserError: the file is missing, empty or not audio, or breaks off in the middle.
    """
    with _open(path) as file:
        # After every read, soundfile seeks to where it stands, by which an MP3 loses bits.
        file.seekable = lambda: False
        n = max(1, round(seconds * file.samplerate))
        while len(block := file.read(n, dtype="float32", always_2d=True)):
            yield block


def read(path: Path, start: int = 0, stop: int | None = None) -> tuple[np.ndarray, int]:
    """Reads a recording, or the samples from `start` up to `stop`, as far as there are any.

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
    """Writes a recording under a temporary name and renames it once it is whole.

    Args:
        path: its suffix chooses the format: .wav, .flac, .ogg, .mp3, .aiff.
        wave: float, shape (n,) or (n, channels); what lies beyond [-1, 1] is clipped by formats
            of whole numbers.
        sample_rate: in Hz.
        subtype: libsndfile's name of the sample format, such as "PCM_24"; the format's own
            default otherwise.

    Raises:
        UserError: the format cannot be written, or not at this rate or channel count.
    """
    channels = wave.shape[1] if wave.ndim == 2 else 1
    with writer(path, sample_rate, channels, subtype, frames=len(wave)) as put:
        put(wave)


@contextmanager
def writer(
    path: Path, sample_rate: int, channels: int, subtype: str | None = None, frames: int = 0
) -> Iterator[Callable[[np.ndarray], None]]:
    """Writes a recording piece by piece, under a temporary name until the block ends well.

    Args:
        path: as in `write`.
        sample_rate: in Hz.
        channels: of the pieces.
        subtype: as in `write`.
        frames: how many samples there will be, as far as known: a wav of more than 4 GiB needs
            another header (RF64).

    Yields:
        a function that takes the next piece, (k,) or (k, channels).

    Raises:
        UserError: as `write`.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: cannot write this format; writable are {', '.join(SUFFIXES)}")
    # The one suffix that soundfile does not know for writing.
    container = "AIFF" if suffix == ".aif" else None
    if suffix == ".wav" and frames * channels * WIDEST_BYTES >= 2**32:
        container = "RF64"

    @contextmanager
    def told() -> Iterator[None]:
        try:
            yield
        except (soundfile.LibsndfileError, ValueError) as error:
            reason = getattr(error, "error_string", error)
            raise UserError(
                f"{path}: cannot be written with {channels} channel(s) at {sample_rate} Hz"
                f"{' as ' + subtype if subtype else ''} ({str(reason).rstrip('.')}); wav takes all"
            ) from error

    with replacing(path) as temporary:
        with told():
            file = soundfile.SoundFile(
                temporary, "w", sample_rate, channels, subtype, format=container
            )
        with file:

            def put(piece: np.ndarray) -> None:
                # libsndfile's Vorbis encoder overruns its stack when given a minute at once.
                with told():
                    for start in range(0, len(piece), sample_rate):
                        file.write(piece[start : start + sample_rate])

            yield put


def subtype(path: Path) -> str:
    """Names the sample format of a recording, as libsndfile does: "PCM_16", "FLOAT", ..."""
    with _open(path) as file:
        return file.subtype


def to_int16(wave: np.ndarray) -> np.ndarray:
    """Rounds a wave to 16 bits; what lies beyond [-1, 1] is clipped."""
    return np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)


def from_int16(samples: np.ndarray) -> np.ndarray:
    """Turns 16-bit samples into a float32 wave."""
    return samples.astype(np.float32) / np.float32(32768)


def mono(wave: np.ndarray) -> np.ndarray:
    """Mixes (n, channels) down to (n,) by the mean over the channels."""
    return wave.mean(axis=1) if wave.ndim == 2 else wave
