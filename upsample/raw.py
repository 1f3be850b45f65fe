"""Restores raw samples as they arrive, from one stream of bytes to another."""

from collections.abc import Sequence
from io import BufferedReader
from typing import BinaryIO

import numpy as np

from .. import audio
from ..command import UserError
from .checks import check_rate
from .picking import Candidate, pick
from .restore import write_chunk
from .settings import Settings

# Sample formats of the standard input and output, little-endian.
FORMATS = {"s16": "<i2", "f32": "<f4"}
# The size of the largest chunk.
CHUNK_BYTES = 2**18


def restore_raw(
    models: Sequence[Candidate],
    source: BufferedReader,
    target: BinaryIO,
    sample_rate: int,
    channels: int,
    pcm: str,
    settings: Settings,
) -> str:
    """Restores raw samples until the input ends.

    Args:
        models: the models to pick from. The samples are taken to have content up to half their
            rate.
        source: interleaved samples.
        target: receives interleaved samples.
        sample_rate: rate of the source in Hz.
        channels: number of channels of the source and the target.
        pcm: sample format of the source and the target, a key of `FORMATS`.
        settings: how to restore them; peaks of whole numbers are clipped.

    Returns:
        a line that says what was done.

    Raises:
        UserError: no model fits, or the source ends within a sample.
    """
    check_rate("--input_rate", sample_rate)
    try:
        upsampler = pick(models, sample_rate / 2, sample_rate, settings.force)
    except UserError as error:
        found = f"raw samples at {sample_rate} Hz, taken to fill their band"
        raise UserError(f"{found}: {error}") from error
    stream = upsampler.stream(
        sample_rate,
        channels,
        0.0 if settings.keep_low_band else None,
        output_rate=settings.output_rate,
    )
    dtype = np.dtype(FORMATS[pcm])
    frame = dtype.itemsize * channels  # bytes

    def write(wave: np.ndarray) -> None:
        samples = audio.to_int16(wave) if pcm == "s16" else wave
        target.write(samples.astype(dtype).tobytes())
        target.flush()

    peak, count, rest = 0.0, 0, b""
    while chunk := source.read1(CHUNK_BYTES):
        chunk = rest + chunk
        whole = len(chunk) // frame * frame
        samples, rest = np.frombuffer(chunk[:whole], dtype).reshape(-1, channels), chunk[whole:]
        wave = stream.push(audio.from_int16(samples) if pcm == "s16" else samples)
        peak, count = max(peak, write_chunk(write, wave)), count + len(wave)
    if rest:
        raise UserError(f"the input ends within a sample: {len(rest)} bytes of {frame} are left")
    wave = stream.flush()
    peak, count = max(peak, write_chunk(write, wave)), count + len(wave)
    clipped = f"; peaks of {peak:.2f} were clipped at 1" if peak > 1 and pcm == "s16" else ""
    return (
        f"{count} samples at {settings.output_rate or upsampler.sample_rate} Hz, {channels} "
        f"channel(s), {pcm}, restored with {upsampler.name}{clipped}"
    )
