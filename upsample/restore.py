"""Restores a recording from file to file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import audio
from ..audio import measure
from ..command import UserError
from ..command.errors import explain
from .checks import check_peak
from .loading import trained_on
from .picking import Candidate, pick
from .settings import Settings
from .upsampler import Upsampler

# Sample formats that a restored recording keeps; others, such as mu-law, would damage it.
KEPT_SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
# The most samples of a chunk, of all channels: 20 seconds of stereo at 48 kHz.
CHUNK_SAMPLES = 20 * 48000 * 2
# The peak of a recording that is made quieter.
NORMALIZED_PEAK = 0.999

_CHANGED = "changed while it was read; restore it again when it is complete"

# Inode, size and time of the last change; one of them changes with the file.
_State = tuple[int, int, int]


def restore_file(
    models: Sequence[Candidate],
    source: Path,
    target: Path,
    settings: Settings,
    progress: Callable[[float], None],
    shown: Path | None = None,
) -> str:
    """Restores one recording. The file appears when it is complete; memory use is constant.

    The sample format (16 bits, 24 bits, float) is kept if the output can have it.

    Args:
        models: the models to pick from.
        source: the recording.
        target: the file to write.
        settings: how to restore it.
        progress: called with the seconds of each chunk.
        shown: what messages call the recording, if not by its path.

    Returns:
        a line that says what was found and done.

    Raises:
        UserError: the recording cannot be read, is not audio, changes while it is read, or fits no
            model; the network's output is not finite; or the target cannot be written.
    """

    def name(message: str) -> str:
        return message.replace(str(source), str(shown or source))

    state = _state(source)
    try:
        return name(_restore(models, source, target, settings, progress, state))
    except UserError as error:
        message = str(error)
        # A change of the file may be the cause of any other error.
        if _state(source) != state:
            message = _CHANGED
        if not message.startswith((f"{source}: ", f"{target}: ")):
            message = f"{source}: {message}"
        raise UserError(name(message)) from error
    except OSError as error:
        raise UserError(name(f"{source}: cannot be read: {explain(error)}")) from error


def _restore(
    models: Sequence[Candidate],
    source: Path,
    target: Path,
    settings: Settings,
    progress: Callable[[float], None],
    state: _State | None,
) -> str:
    # Measuring shows no progress, but can be stopped.
    measured = measure.measure(source, lambda seconds: progress(0.0))
    if not measured.frames:
        raise UserError("the recording is empty")
    check_peak(measured.peak if measured.finite else np.nan)
    band_hz = measured.bandwidth_hz
    upsampler = pick(models, band_hz, measured.sample_rate, settings.force)
    keep_from_hz, keep_hz = 0.0, None
    if settings.keep_low_band:
        keep_from_hz, keep_hz = upsampler.kept(measured.band)
    recording = _Recording(
        source,
        target,
        state,
        sample_rate=measured.sample_rate,
        channels=measured.channels,
        frames=measured.frames,
        upsampler=upsampler,
        keep_from_hz=keep_from_hz,
        keep_hz=keep_hz,
        peak=measured.peak,
        subtype=_subtype(source, target, settings),
        output_rate=settings.output_rate,
    )
    peak = recording.restore(progress)
    begins = f"from {measured.lowest_hz:.0f} " if measured.lowest_hz else "up "
    found = f"has a band {begins}to {band_hz:.0f} Hz" if band_hz else "is silent"
    message = f"{target}: {source} {found}; used {upsampler.name}{trained_on(upsampler.name)}"
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
    if settings.subtype is not None:
        return settings.subtype
    subtype = audio.subtype(source)
    return subtype if subtype in {*KEPT_SUBTYPES} & {*audio.writable_subtypes(target)} else None


def _state(source: Path) -> _State | None:
    """Returns the state of a file; None if there is none."""
    try:
        status = source.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class _Recording:
    """A recording, its model and its output file."""

    source: Path
    target: Path
    state: _State | None  # of the file before it was measured
    sample_rate: int
    channels: int
    frames: int
    upsampler: Upsampler
    keep_from_hz: float
    keep_hz: float | None
    peak: float
    subtype: str | None
    output_rate: int | None

    def restore(self, progress: Callable[[float], None], gain: float = 1.0) -> float:
        """Writes the target, scaled by `gain`; returns the peak before scaling."""
        to_hz = self.output_rate or self.upsampler.sample_rate
        frames = self.upsampler.length(self.frames, self.sample_rate, self.output_rate)
        stream = self.upsampler.stream(
            self.sample_rate,
            self.channels,
            self.keep_hz,
            self.upsampler.window(self.frames, self.sample_rate),
            self.keep_from_hz,
            self.peak,
            self.output_rate,
        )
        most = CHUNK_SAMPLES / (self.sample_rate * self.channels)
        seconds = min(self.upsampler.chunk_seconds, most)
        with audio.writer(self.target, to_hz, self.channels, self.subtype, frames) as write:
            peak, taken = 0.0, 0
            for chunk in audio.blocks(self.source, seconds):
                peak = max(peak, write_chunk(write, stream.push(chunk), gain))
                taken += len(chunk)
                progress(len(chunk) / self.sample_rate)
            peak = max(peak, write_chunk(write, stream.flush(), gain))
            if taken != self.frames or _state(self.source) != self.state:
                raise UserError(_CHANGED)
            return peak


def write_chunk(write: Callable[[np.ndarray], None], wave: np.ndarray, gain: float = 1.0) -> float:
    """Writes a chunk, scaled by `gain`; returns its peak before scaling."""
    write(wave if gain == 1.0 else gain * wave)
    return float(np.abs(wave).max(initial=0))
