"""Prints the facts of recordings: python -m wideband.data_gen.inspect RECORDING..."""

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..command.errors import UsageError, UserError, printable
from ..command.paths import is_folder
from ..command.run import Command, Flags

if TYPE_CHECKING:
    from ..audio.measure import Facts

HEADER = "  seconds      Hz  ch  peak dB   RMS dB        DC  clipped %  bandwidth Hz"
CUTOFF_HEADER = "  below dB  above dB"


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    flags.string(
        "spectrogram",
        None,
        "Where to save the spectrograms: a folder, or a .png for a single recording.",
    )
    flags.number(
        "cutoff_hz",
        None,
        "Also print the RMS below and above this frequency: whether something was cut there.",
        lower_bound=0,
    )


def main(flags: Flags, arguments: list[str]) -> None:
    """Prints a line per recording, and continues after one that cannot be read."""
    paths, left_out = _paths(arguments)
    pictures = _pictures(paths, flags.spectrogram)
    names = [printable(str(path)) for path in (*paths, *left_out)]
    width = max(map(len, names))
    print(f"{'':{width}}{HEADER}{'' if flags.cutoff_hz is None else CUTOFF_HEADER}")
    failed = len(left_out)
    for path, name in zip(paths, names, strict=False):
        try:
            line = _inspect(path, pictures.get(path), flags.cutoff_hz)
        except UserError as error:
            failed += 1
            line = "  " + printable(str(error).removeprefix(f"{path}: "))
        print(f"{name:{width}}{line}", flush=True)
    for name, reason in zip(names[len(paths) :], left_out.values(), strict=True):
        print(f"{name:{width}}  {printable(reason)}")
    if failed:
        raise UserError(f"{failed} of {len(names)} recordings could not be read; see their lines")


def _inspect(path: Path, picture: Path | None, cutoff_hz: float | None) -> str:
    """Measures a recording and describes it; draws its spectrogram if asked to."""
    from ..audio.measure import measure

    facts = measure(path)
    if picture and facts.frames:
        # Imported here, since Matplotlib takes half a second.
        from ..audio import spectrogram

        spectrogram.save(path, facts, picture)
    if cutoff_hz is None:
        return _describe(facts)
    from ..audio.band_levels import levels_db

    return _describe(facts, levels_db(path, cutoff_hz))


def _describe(facts: "Facts", levels_db: tuple[float, ...] = ()) -> str:
    """Formats the columns of `HEADER` and `CUTOFF_HEADER`, and the reason if a recording is unfit.

    Args:
        facts: of the recording.
        levels_db: below and above a cutoff, if there is one.
    """
    from ..audio.measure import reason_to_skip

    levels = "".join(f"  {level:8.1f}" for level in levels_db)
    return (
        f"  {facts.seconds:7.2f}  {facts.sample_rate:6}  {facts.channels:2}"
        f"  {_decibels(facts.peak):7.1f}  {_decibels(facts.rms):7.1f}  {facts.dc:8.5f}"
        f"  {100 * facts.clipped:9.3f}  {facts.bandwidth_hz:12.0f}{levels}"
        f"  {reason_to_skip(facts, facts.sample_rate, patch=1)}"
    ).rstrip()


def _paths(arguments: Sequence[str]) -> tuple[list[Path], dict[Path, str]]:
    """Lists the recordings named by the arguments, each once, and what folders leave out."""
    if not arguments:
        raise UsageError("name recordings, or folders with recordings")
    from .. import audio

    paths, left_out = [], {}
    for argument in arguments:
        if is_folder(argument):
            found = audio.search(Path(argument))
            paths += found.recordings
            left_out |= found.left_out
        else:
            paths.append(Path(argument))
    if not paths and not left_out:
        raise UserError(
            f"{arguments[0]}: no recordings here; readable are {', '.join(audio.SUFFIXES)}"
        )
    return list(dict.fromkeys(paths)), left_out


def _pictures(paths: Sequence[Path], target: str | None) -> dict[Path, Path]:
    """Chooses where to save the spectrogram of each recording.

    Args:
        paths: the recordings.
        target: a .png for a single recording, a folder in which the tree of the recordings is
            repeated, or None for no pictures.
    """
    if target is None or not paths:
        return {}
    if target.lower().endswith(".png"):
        if len(paths) > 1:
            raise UserError(
                f"--spectrogram={target} is one picture for {len(paths)} recordings; name a folder"
            )
        return {paths[0]: Path(target)}
    # Unlike Path.resolve, this accepts links in circles, which are reported when they are read.
    real = {path: Path(os.path.realpath(path)) for path in paths}
    root = os.path.commonpath([each.parent for each in real.values()])
    return {
        path: Path(target) / each.relative_to(root).with_name(f"{path.name}.png")
        for path, each in real.items()
    }


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


command = Command(
    "python -m wideband.data_gen.inspect", define_flags, main, positional="RECORDING..."
)

if __name__ == "__main__":
    sys.exit(command())
