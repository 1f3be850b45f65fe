"""Writing recordings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile

from ..command import UserError
from ..command.files import replacing

WRITABLE_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")

# Bytes per sample of the widest sample format.
WIDEST_BYTES = 8


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
