"""Restoring one recording: which model fits it, and how it flows from file to file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from .. import audio
from ..audio import measure
from ..command import UserError
from .upsampler import PIECE_SECONDS, Upsampler

# The models where the user names none: for speech of either band.
DEFAULTS = ("speech-2x", "speech-4x")

# A band that reaches this far past the low side's is more than a filter's slope, and one that ends
# below this part of it leaves a hole that the model does not fill.
WIDEST, NARROWEST = 1.1, 0.5
PEAKS = ("clip", "normalize", "float")
# Of a recording that is made quieter.
LOUDEST = 0.999
# Raw samples of the standard input and output, little-endian.
RAW = {"s16": "<i2", "f32": "<f4"}
# At most, of raw samples that are restored at once.
PIECE_BYTES = 2**18


class Settings(NamedTuple):
    """How recordings are restored; the flags of wideband-upsample."""

    keep_low_band: bool = True
    peak: str = "clip"
    subtype: str | None = None
    force: bool = False


def pick(
    upsamplers: Sequence[Upsampler], sample_rate: int, band_hz: float, force: bool = False
) -> Upsampler:
    """Picks the model whose low side ends where the recording's band ends.

    Args:
        upsamplers: the models.
        sample_rate: of the recording, in Hz.
        band_hz: where its content ends; 0 for silence.
        force: take the nearest model even where none fits.

    Raises:
        UserError: none fits.
    """
    min(upsamplers, key=lambda each: each.low_rate).check_rate(sample_rate)
    takes = [each for each in upsamplers if each.low_rate <= sample_rate]
    nearest = min(takes, key=lambda each: abs(each.low_rate / 2 - band_hz))
    # A recording of silence has no band, and any model will do.
    if force or not band_hz:
        return nearest
    fitting = [each for each in takes if NARROWEST <= band_hz / (each.low_rate / 2) <= WIDEST]
    if fitting:
        return min(fitting, key=lambda each: each.low_rate)
    ends_hz = nearest.low_rate / 2
    if band_hz > ends_hz:
        raise UserError(
            f"has treble up to {band_hz:.0f} Hz, and this model replaces all above "
            f"{ends_hz:.0f} Hz; use a model of a higher low rate, or --force"
        )
    raise UserError(
        f"its content ends at {band_hz:.0f} Hz, and this model restores what is above "
        f"{ends_hz:.0f} Hz, which leaves a hole; use a model of a lower low rate, or --force"
    )


def restore_file(
    upsamplers: Sequence[Upsampler],
    source: Path,
    target: Path,
    settings: Settings,
    progress: Callable[[float], None],
) -> str:
    """Restores one recording and writes it once it is whole, in memory that does not grow.

    The sample format (16, 24 bits, float) is kept where the container is.

    Args:
        upsamplers: the models of which the fitting one is picked.
        source: the recording.
        target: the file to write.
        settings: how.
        progress: is told the seconds of every piece.

    Returns:
        what was found and done, in one line.

    Raises:
        UserError: the recording cannot be read, is no audio, or fits no model.
    """
    facts = measure.measure(source)
    if not facts.finite:
        raise UserError(f"{source}: the recording holds NaN or infinity; repair it first")
    if not facts.frames:
        raise UserError(f"{source}: the recording is empty")
    try:
        upsampler = pick(upsamplers, facts.sample_rate, facts.bandwidth_hz, settings.force)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    keep_hz = facts.bandwidth_hz if settings.keep_low_band else None
    subtype = "FLOAT" if settings.peak == "float" else settings.subtype
    if subtype is None and source.suffix.lower() == target.suffix.lower():
        subtype = audio.subtype(source)
    frames = audio.resampled_length(facts.frames, facts.sample_rate, upsampler.sample_rate)

    def run(gain: float) -> float:
        stream = upsampler.stream(facts.sample_rate, facts.channels, keep_hz)
        with audio.writer(target, upsampler.sample_rate, facts.channels, subtype, frames) as put:
            peak = 0.0
            for piece in audio.blocks(source, PIECE_SECONDS):
                peak = max(peak, _put(put, stream.push(piece), gain))
                # A second run is no progress along the recording, yet can be stopped.
                progress(len(piece) / facts.sample_rate if gain == 1.0 else 0.0)
            return max(peak, _put(put, stream.flush(), gain))

    peak = run(1.0)
    found = f"a band up to {facts.bandwidth_hz:.0f} Hz" if facts.bandwidth_hz else "silence"
    told = f"{target}: found {found}, took {upsampler.name}"
    if peak <= 1 or subtype in ("FLOAT", "DOUBLE"):
        return told
    if settings.peak == "clip":
        return f"{told}; peaks of {peak:.2f} were clipped at 1 (--peak=normalize|float)"
    # The loudest sample is known only now, and a second run needs no room on the disk.
    run(LOUDEST / peak)
    return f"{told}; made quieter by {20 * np.log10(peak / LOUDEST):.1f} dB for peaks of {peak:.2f}"


def restore_raw(
    upsamplers: Sequence[Upsampler],
    source: BinaryIO,
    target: BinaryIO,
    sample_rate: int,
    channels: int,
    pcm: str,
    settings: Settings,
) -> str:
    """Restores raw samples as they come, until there are no more.

    Args:
        upsamplers: the models; the one for all of the rate's band is picked.
        source: interleaved samples.
        target: takes the same at the model's high rate.
        sample_rate: of the source, in Hz.
        channels: of both.
        pcm: sample format of both, a name of `RAW`.
        settings: how; the peaks of whole numbers are clipped.

    Returns:
        what was done, in one line.

    Raises:
        UserError: no model fits, or the source ends within a sample.
    """
    upsampler = pick(upsamplers, sample_rate, sample_rate / 2, settings.force)
    stream = upsampler.stream(sample_rate, channels, 0.0 if settings.keep_low_band else None)
    kind = np.dtype(RAW[pcm])
    frame = kind.itemsize * channels

    def put(wave: np.ndarray) -> None:
        samples = audio.to_int16(wave) if pcm == "s16" else wave
        target.write(samples.astype(kind).tobytes())
        target.flush()

    peak, given, rest = 0.0, 0, b""
    while some := source.read1(PIECE_BYTES):
        some = rest + some
        whole = len(some) // frame * frame
        samples, rest = np.frombuffer(some[:whole], kind).reshape(-1, channels), some[whole:]
        wave = stream.push(audio.from_int16(samples) if pcm == "s16" else samples)
        peak, given = max(peak, _put(put, wave)), given + len(wave)
    if rest:
        raise UserError(f"the input ends within a sample: {len(rest)} bytes of {frame} are left")
    wave = stream.flush()
    peak, given = max(peak, _put(put, wave)), given + len(wave)
    told = f"{given} samples at {upsampler.sample_rate} Hz, {channels} channel(s), {pcm}"
    clipped = f"; peaks of {peak:.2f} were clipped at 1" if peak > 1 and pcm == "s16" else ""
    return f"{told}, by {upsampler.name}{clipped}"


def _put(put: Callable[[np.ndarray], None], wave: np.ndarray, gain: float = 1.0) -> float:
    """Writes a piece and gives its peak before the gain."""
    put(wave if gain == 1.0 else gain * wave)
    return float(np.abs(wave).max(initial=0))
