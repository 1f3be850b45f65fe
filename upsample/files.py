"""Upsampling of files: which there are, where they go, and what is refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data_gen import audio, interpolate, measure
from ..data_gen.command import UserError
from .upsampler import Upsampler

# Formats that keep what was restored; the others become wav.
KEPT_SUFFIXES = (".wav", ".flac", ".ogg")

# A band that reaches this far past the low side's is more than a filter's slope.
BAND_TOLERANCE = 1.1


def is_interpolation(model: str) -> bool:
    """Tells whether a command line names an interpolation, for which no network is loaded."""
    return model in interpolate.METHODS


def load(model: str, sample_rate: int, ratio: int) -> Upsampler:
    """Loads a model by what a command line names it.

    Args:
        model: a run folder, a weights file in one, or an interpolation's name.
        sample_rate: high rate in Hz, for an interpolation; a run knows its own.
        ratio: likewise.

    Raises:
        UserError: it is none of these.
    """
    if is_interpolation(model):
        return Upsampler(model, sample_rate, ratio)
    if not Path(model).exists():
        raise UserError(
            f"{model}: no such run folder or weights file, nor an interpolation "
            f"({', '.join(interpolate.METHODS)})"
        )
    return Upsampler.from_run(model)


def jobs(inputs: Sequence[Path], output: Path) -> list[tuple[Path, Path]]:
    """Pairs every recording with the file that it becomes.

    Args:
        inputs: files, and folders that are searched for recordings.
        output: a file when there is one input file and the name has a suffix, else a folder, in
            which the folders of the inputs are kept.

    Raises:
        UserError: an input is missing, a folder has no recordings, two would become one file, or
            the format cannot be written.
    """
    if len(inputs) == 1 and inputs[0].is_file() and output.suffix and not output.is_dir():
        if output.suffix.lower() not in audio.SUFFIXES:
            raise UserError(
                f"{output}: cannot write this format; writable are {', '.join(audio.SUFFIXES)}"
            )
        pairs = [(inputs[0], output)]
    else:
        pairs = [
            (source, _target(output / name))
            for each in inputs
            for source, name in _recordings(each)
        ]
    sources: dict[Path, Path] = {}
    for source, target in pairs:
        if target in sources:
            raise UserError(f"{sources[target]} and {source} would both become {target}")
        if target.resolve() == source.resolve():
            raise UserError(f"{source} would be overwritten; choose another --output")
        sources[target] = source
    return pairs


def _recordings(path: Path) -> list[tuple[Path, Path]]:
    """Lists a file, or the recordings in a folder, each with its name below it."""
    if path.is_dir():
        found = audio.find(path)
        if not found:
            raise UserError(f"{path}: no recordings ({', '.join(audio.SUFFIXES)}) in this folder")
        return [(each, each.relative_to(path)) for each in found]
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    return [(path, Path(path.name))]


def _target(path: Path) -> Path:
    return path if path.suffix.lower() in KEPT_SUFFIXES else path.with_suffix(".wav")


def upsample_file(upsampler: Upsampler, source: Path, target: Path, force: bool = False) -> str:
    """Restores one recording and writes it once it is whole.

    The sample format (16, 24 bits, float) is kept where the container is.

    Args:
        upsampler: the model.
        source: the recording.
        target: the file to write.
        force: also upsample what has treble of its own, which the model then replaces.

    Returns:
        what the user should know of the outcome, or "".

    Raises:
        UserError: the recording cannot be read, is no audio, or has treble of its own.
    """
    facts = measure.measure(source)
    band_hz = upsampler.low_rate / 2
    if facts.bandwidth_hz > band_hz * BAND_TOLERANCE and not force:
        raise UserError(
            f"{source}: has treble up to {facts.bandwidth_hz:.0f} Hz, and this model replaces all "
            f"above {band_hz:.0f} Hz; use a model of a higher low rate, or --force"
        )
    wave, sample_rate = audio.read(source)
    try:
        restored, restored_rate = upsampler.upsample(wave, sample_rate)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    kept = audio.subtype(source) if source.suffix.lower() == target.suffix.lower() else None
    audio.write(target, restored, restored_rate, kept)
    peak = float(np.abs(restored).max(initial=0))
    floating = kept in ("FLOAT", "DOUBLE")
    return f"{target}: peaks of {peak:.2f} were clipped at 1" if peak > 1 and not floating else ""
