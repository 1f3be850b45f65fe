"""Pairs recordings with their output files."""

import glob
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .. import audio
from ..command import UserError
from ..command.errors import explain
from ..command.paths import exists, is_file, is_folder

# Formats that are kept; recordings in other formats become wav.
KEPT_SUFFIXES = (".wav", ".flac", ".ogg")
# Instead of a path: raw samples from the standard input or to the standard output.
STANDARD = "-"


class Work(NamedTuple):
    """What a command has to do."""

    pairs: list[tuple[Path, Path]]  # each recording and its output file
    left_out: dict[Path, str]  # what cannot be restored -> reason, with what to do


def pair_inputs(
    inputs: Sequence[str], output: Path, suffix: str | None = None, limit: int | None = None
) -> Work:
    """Pairs each recording with its output file.

    Args:
        inputs: files, folders that are searched for recordings, and patterns such as `*.wav`.
        output: a file if there is one input file and the name has a suffix; otherwise a folder,
            in which the subfolders of the inputs are kept. Recordings in that folder are outputs
            of an earlier call, and are ignored.
        suffix: suffix of the files in that folder; by default that of the recording, or .wav if
            that would lose quality.
        limit: the number of recordings to take, those of a folder sorted; by default all.

    Raises:
        UserError: there is no recording, two recordings would become one file, a recording would
            be overwritten, or the output cannot be written.
    """
    paths = [path for each in inputs for path in _expand(each)]
    work = Work([], {})
    for path in paths:
        recordings, left_out = _find(path, output)
        work.left_out.update(left_out)
        for source, name in recordings:
            work.pairs.append((source, target_path(output / name, suffix)))
    work = Work(work.pairs[:limit], work.left_out)
    if not work.pairs:
        path, reason = next(iter(work.left_out.items()))
        more = len(work.left_out) - 1
        raise UserError(f"{path}: {reason}" + (f"; {more} more are left out" if more else ""))
    if len(paths) == 1 and not is_folder(paths[0]) and output.suffix and not is_folder(output):
        _check_suffix(output, suffix)
        work.pairs[0] = (work.pairs[0][0], output)
    elif os.path.lexists(output) and not is_folder(output):
        kind = "a file, not a folder" if output.is_file() else "neither a file nor a folder"
        raise UserError(f"{output}: {kind}; choose another --output")
    return Work(_check_targets(work.pairs), work.left_out)


def _check_suffix(output: Path, suffix: str | None) -> None:
    """Raises a UserError if an output file does not have the suffix, or one of a known format."""
    if output.suffix.lower() not in audio.WRITABLE_SUFFIXES:
        raise UserError(
            f"{output}: cannot write this format; writable are {', '.join(audio.WRITABLE_SUFFIXES)}"
        )
    if suffix and output.suffix.lower() != suffix:
        raise UserError(f"{output}: not a {suffix} file; drop --format or change --output")
    if exists(output) and not is_file(output):
        raise UserError(f"{output}: not a regular file; choose another --output")


def _check_targets(pairs: Sequence[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """Returns the pairs without repetitions.

    Raises:
        UserError: a target is also a source or another recording's target.
    """
    resolved = {_resolve(source): source for source, _ in pairs}
    sources: dict[Path, Path] = {}
    for source, target in pairs:
        other = sources.setdefault(target, source)
        if _resolve(other) != _resolve(source):
            raise UserError(
                f"{other} and {source} would both become {target}; restore them into different "
                "folders"
            )
        if overwritten := resolved.get(_resolve(target)):
            raise UserError(f"{overwritten} would be overwritten; choose another --output")
    return [(source, target) for target, source in sources.items()]


def is_complete(target: Path) -> bool:
    """Whether an output file exists and is audio; a damaged one is restored again."""
    try:
        return audio.info(target).frames > 0
    except UserError:
        return False


def check_subtype(flag: str, subtype: str, pairs: Sequence[tuple[Path, Path]]) -> None:
    """Raises a UserError if an output's format does not have the sample format of a flag."""
    for suffix, target in sorted({target.suffix.lower(): target for _, target in pairs}.items()):
        possible = audio.writable_subtypes(target)
        if subtype.upper() not in possible:
            raise UserError(
                f"{flag}: {suffix} files have {', '.join(possible)}, not {subtype}; choose another "
                "sample format or --format"
            )


def default_output(inputs: Sequence[str], suffix: str | None = None) -> Path:
    """Names the output of one input: old.wav becomes old_wideband.wav.

    Args:
        inputs: as in `pair_inputs`.
        suffix: as in `pair_inputs`.

    Raises:
        UserError: there are several inputs, or the input is a pipe or a standard stream.
    """
    paths = [path for each in inputs for path in _expand(each)]
    if len(paths) != 1:
        raise UserError("several inputs become files in a folder; name it with --output")
    if is_pipe(paths[0]) or paths[0].parts[:2] == ("/", "dev"):
        raise UserError(f"{paths[0]}: not a file with a name; name the output with --output")
    # A path such as .. has no name of its own.
    path = paths[0] if paths[0].name.strip(".") else paths[0].resolve()
    named = path.with_name(f"{path.stem}_wideband{path.suffix}")
    return named if is_folder(path) else target_path(named, suffix)


def _expand(path: str) -> list[Path]:
    """Lists the files that match a pattern; some shells leave patterns to the program."""
    if os.path.lexists(path) or not glob.has_magic(path):
        return [Path(path)]
    # glob, unlike Path.glob, takes absolute patterns.
    return [Path(each) for each in sorted(glob.glob(path, recursive=True))] or [Path(path)]  # noqa: PTH207


def is_pipe(path: Path) -> bool:
    """Whether a path is a pipe, such as `<(sox ...)` of a shell."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


def _find(path: Path, output: Path) -> tuple[list[tuple[Path, Path]], dict[Path, str]]:
    """Finds the recordings of one input.

    Returns:
        the file, or the recordings in the folder, each with its name relative to the folder; and
        what is left out, with the reason.
    """
    if not is_folder(path):
        reason = _reason_to_leave_out(path)
        return ([], {path: reason}) if reason else ([(path, Path(path.name))], {})
    outputs = _resolve(output)
    if outputs == _resolve(path):
        raise UserError(
            f"--output={output}: the folder of the recordings; choose another one, since the next "
            "call would take its files as recordings"
        )

    def is_input(each: Path) -> bool:
        # A folder of outputs may be in the folder of the recordings, but not the other way round.
        return outputs in _resolve(path).parents or outputs not in _resolve(each).parents

    found = audio.search(path)
    recordings = [(each, each.relative_to(path)) for each in found.recordings if is_input(each)]
    left_out = {each: why for each, why in found.left_out.items() if is_input(each)}
    if not recordings and not left_out:
        left_out[path] = f"no recordings ({', '.join(audio.SUFFIXES)}) in this folder"
    return recordings, left_out


def _resolve(path: Path) -> Path:
    """Follows links. Path.resolve raises an error at links in circles, before Python 3.13."""
    return Path(os.path.realpath(path))


def _reason_to_leave_out(path: Path) -> str:
    """Returns why an input that is not a folder cannot be a recording; "" if it can."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        pattern = glob.has_magic(str(path))
        return "no file or folder matches this pattern" if pattern else "no such file or folder"
    except OSError as error:
        return f"cannot be read: {explain(error)}"
    regular = stat.S_ISREG(mode) or stat.S_ISFIFO(mode)
    return "" if regular else "not a file; name a recording or a folder"


def target_path(path: Path, suffix: str | None) -> Path:
    """Returns an output path with the suffix, by default with one that loses no quality."""
    known = path.suffix.lower()
    if suffix is None and known in KEPT_SUFFIXES:
        return path
    suffix = suffix or ".wav"
    # The end of a name such as talk.2024 is no suffix.
    return path.with_suffix(suffix) if known in audio.SUFFIXES else Path(f"{path}{suffix}")
