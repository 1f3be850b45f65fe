"""Pairs recordings with their output files."""

import glob
from collections.abc import Sequence
from pathlib import Path

import soundfile

from .. import audio
from ..command import UserError

# Formats that are kept; recordings in other formats become wav.
KEPT_SUFFIXES = (".wav", ".flac", ".ogg")
# Instead of a path: raw samples from the standard input or to the standard output.
STANDARD = "-"


def pair_inputs(
    inputs: Sequence[str], output: Path, suffix: str | None = None
) -> list[tuple[Path, Path]]:
    """Pairs each recording with its output file.

    Args:
        inputs: files, folders that are searched for recordings, and patterns such as `*.wav`.
        output: a file if there is one input file and the name has a suffix; otherwise a folder,
            in which the subfolders of the inputs are kept.
        suffix: suffix of the files in that folder; by default that of the recording, or .wav if
            that would lose quality.

    Raises:
        UserError: an input is missing, a folder has no recordings, two inputs would become one
            file, an input would be overwritten, or the output cannot be written.
    """
    paths = [path for each in inputs for path in _expand(each)]
    if len(paths) == 1 and paths[0].is_file() and output.suffix and not output.is_dir():
        if output.suffix.lower() not in audio.WRITABLE_SUFFIXES:
            raise UserError(
                f"{output}: cannot write this format; writable are "
                f"{', '.join(audio.WRITABLE_SUFFIXES)}"
            )
        if suffix and output.suffix.lower() != suffix:
            raise UserError(f"{output}: not a {suffix} file; drop --format or change --output")
        pairs = [(paths[0], output)]
    elif output.exists() and not output.is_dir():
        raise UserError(f"{output}: a file, not a folder; choose another --output")
    else:
        pairs = [
            (source, _target(output / name, suffix))
            for each in paths
            for source, name in _recordings(each)
        ]
    _check_targets(pairs)
    return pairs


def _check_targets(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Raises a UserError if a target is also a source or another recording's target."""
    sources: dict[Path, Path] = {}
    for source, target in pairs:
        if target in sources:
            raise UserError(
                f"{sources[target]} and {source} would both become {target}; restore them into "
                "different folders"
            )
        if target.resolve() == source.resolve():
            raise UserError(f"{source} would be overwritten; choose another --output")
        sources[target] = source


def check_subtype(subtype: str, pairs: Sequence[tuple[Path, Path]]) -> None:
    """Raises a UserError if an output's format does not have a sample format."""
    for suffix in sorted({target.suffix.lower() for _, target in pairs}):
        container = "AIFF" if suffix == ".aif" else suffix.removeprefix(".").upper()
        possible = soundfile.available_subtypes(container)
        if subtype.upper() not in possible:
            raise UserError(
                f"--subtype={subtype}: {suffix} files have {', '.join(possible)}; choose another "
                "subtype"
            )


def default_output(inputs: Sequence[str], suffix: str | None = None) -> Path:
    """Names the output of one input: old.wav becomes old_wideband.wav.

    Args:
        inputs: as in `pair_inputs`.
        suffix: as in `pair_inputs`.

    Raises:
        UserError: there are several inputs.
    """
    paths = [path for each in inputs for path in _expand(each)]
    if len(paths) != 1:
        raise UserError("several inputs become files in a folder; name it with --output")
    # A path such as .. has no name of its own.
    path = paths[0] if paths[0].name.strip(".") else paths[0].resolve()
    named = path.with_name(f"{path.stem}_wideband{path.suffix}")
    return named if path.is_dir() else _target(named, suffix)


def _expand(path: str) -> list[Path]:
    """Lists the files that match a pattern; some shells leave patterns to the program."""
    if Path(path).exists() or not glob.has_magic(path):
        return [Path(path)]
    found = [Path(each) for each in sorted(glob.glob(path, recursive=True))]  # noqa: PTH207 (absolute patterns)
    if not found:
        raise UserError(f"{path}: no file or folder matches this pattern")
    return found


def _recordings(path: Path) -> list[tuple[Path, Path]]:
    """Lists a file, or the recordings in a folder, each with its name relative to the folder."""
    if path.is_dir():
        found = audio.search(path).recordings
        if not found:
            raise UserError(f"{path}: no recordings ({', '.join(audio.SUFFIXES)}) in this folder")
        return [(each, each.relative_to(path)) for each in found]
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return [(path, Path(path.name))]


def _target(path: Path, suffix: str | None) -> Path:
    if suffix is None and path.suffix.lower() in KEPT_SUFFIXES:
        return path
    return path.with_suffix(suffix or ".wav")
