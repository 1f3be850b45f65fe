"""Restores a recording from file to file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import audio
from ..audio import measure
from ..command import UserError
from .picking import Candidate, pick
from .settings import Settings
from .upsampler import CHUNK_SECONDS, Upsampler

# The peak of a recording that is made quieter.
NORMALIZED_PEAK = 0.999


def restore_file(
    models: Sequence[Candidate],
    source: Path,
    target: Path,
    settings: Settings,
    progress: Callable[[float], None],
) -> str:
    """Restores one recording. The file appears when it is complete; memory use is constant.

    The sample format (16 bits, 24 bits, float) is kept if the container stays the same.

    Args:
        models: the models to pick from.
        source: the recording.
        target: the file to write.
        settings: how to restore it.
        progress: called with the seconds of each chunk.

    Returns:
        a line that says what was found and done.

    Raises:
        UserError: the recording cannot be read, is not audio, or fits no model.
    """
    measured = measure.measure(source)
    if not measured.finite:
        raise UserError(f"{source}: the recording contains NaN or infinity; repair it first")
    if not measured.frames:
        raise UserError(f"{source}: the recording is empty")
    band_hz = measured.bandwidth_hz
    try:
        upsampler = pick(models, measured.sample_rate, band_hz, settings.force)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    recording = _Recording(
        source,
        target,
        sample_rate=measured.sample_rate,
        channels=measured.channels,
        frames=measured.frames,
        upsampler=upsampler,
        keep_hz=band_hz if settings.keep_low_band else None,
        subtype=_subtype(source, target, settings),
    )
    peak = recording.restore(progress)
    found = f"has a band up to {band_hz:.0f} Hz" if band_hz else "is silent"
    message = f"{target}: {source} {found}; used {upsampler.name}"
    if peak <= 1 or recording.subtype in ("FLOAT", "DOUBLE"):
        return message
    if settings.peak == "clip":
        return f"{message}; peaks of {peak:.2f} were clipped at 1 (--peak=normalize|float)"
    # The peak is known only now. Restoring a second time needs no temporary file of floats.
    gain = NORMALIZED_PEAK / peak
    recording.restore(lambda seconds: progress(0.0), gain)
    return f"{message}; made quieter by {-20 * np.log10(gain):.1f} dB for peaks of {peak:.2f}"


def _subtype(source: Path, target: Path, settings: Settings) -> str | None:
    """Returns the sample format to write, or None for the default of the container."""
    if settings.peak == "float":
        return "FLOAT"
    if settings.subtype is None and source.suffix.lower() == target.suffix.lower():
        return audio.subtype(source)
    return settings.subtype


@dataclass(frozen=True)
class _Recording:
    """A recording, its model and its output file."""

    source: Path
    target: Path
    sample_rate: int
    channels: int
    frames: int
    upsampler: Upsampler
    keep_hz: float | None
    subtype: str | None

    def restore(self, progress: Callable[[float], None], gain: float = 1.0) -> float:
        """Writes the target, scaled by `gain`; returns the peak before scaling."""
        to_hz = self.upsampler.sample_rate
        frames = audio.resampled_length(self.frames, self.sample_rate, to_hz)
        stream = self.upsampler.stream(self.sample_rate, self.channels, self.keep_hz)
        with audio.writer(self.target, to_hz, self.channels, self.subtype, frames) as write:
            peak = 0.0
            for chunk in audio.blocks(self.source, CHUNK_SECONDS):
                peak = max(peak, write_chunk(write, stream.push(chunk), gain))
                progress(len(chunk) / self.sample_rate)
            return max(peak, write_chunk(write, stream.flush(), gain))


def write_chunk(write: Callable[[np.ndarray], None], wave: np.ndarray, gain: float = 1.0) -> float:
    """Writes a chunk, scaled by `gain`; returns its peak before scaling."""
    write(wave if gain == 1.0 else gain * wave)
    return float(np.abs(wave).max(initial=0))
