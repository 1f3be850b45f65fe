"""Prints the facts of recordings: python -m wideband.data_gen.inspect RECORDING..."""

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..command.errors import UsageError, UserError
from ..command.run import Command, Flags

if TYPE_CHECKING:
    from ..audio.measure import Facts

HEADER = "  seconds      Hz  ch  peak dB   RMS dB        DC  clipped %  bandwidth Hz"


def define_flags(flags: Flags) -> None:
    """Defines the flags of the command."""
    flags.string(
        "spectrogram",
        None,
        "Where to save the spectrograms: a folder, or a .png for a single recording.",
    )


def main(flags: Flags, arguments: list[str]) -> None:
    """Prints a line per recording, and continues after one that cannot be read."""
    from ..audio.measure import measure

    paths = _paths(arguments)
    pictures = _pictures(paths, flags.spectrogram)
    width = max(len(str(path)) for path in paths)
    print(f"{'':{width}}{HEADER}")
    failed = 0
    for path in paths:
        try:
            facts = measure(path)
            if path in pictures and facts.frames:
                # Imported here, since Matplotlib takes half a second.
                from ..audio import spectrogram

                spectrogram.save(path, facts, pictures[path])
        except UserError as error:
            failed += 1
            line = "  " + str(error).removeprefix(f"{path}: ")
        else:
            line = _describe(facts)
        print(f"{path!s:{width}}{line}", flush=True)
    if failed:
        raise UserError(f"{failed} of {len(paths)} recordings could not be read; see their lines")


def _describe(facts: "Facts") -> str:
    """Formats the columns of `HEADER`, and the reason if a recording is unfit."""
    from ..audio.measure import reason_to_skip

    return (
        f"  {facts.seconds:7.2f}  {facts.sample_rate:6}  {facts.channels:2}"
        f"  {_decibels(facts.peak):7.1f}  {_decibels(facts.rms):7.1f}  {facts.dc:8.5f}"
        f"  {100 * facts.clipped:9.3f}  {facts.bandwidth_hz:12.0f}"
        f"  {reason_to_skip(facts, facts.sample_rate, patch=1)}"
    ).rstrip()


def _paths(arguments: Sequence[str]) -> list[Path]:
    """Lists the recordings named by the arguments, each once."""
    if not arguments:
        raise UsageError("name recordings, or folders with recordings")
    from .. import audio

    paths = []
    for argument in arguments:
        if Path(argument).is_dir():
            paths += audio.search(Path(argument)).recordings
        else:
            paths.append(Path(argument))
    if not paths:
        raise UserError(
            f"{arguments[0]}: no recordings here; readable are {', '.join(audio.SUFFIXES)}"
        )
    return list(dict.fromkeys(paths))


def _pictures(paths: Sequence[Path], target: str | None) -> dict[Path, Path]:
    """Chooses where to save the spectrogram of each recording.

    Args:
        paths: the recordings.
        target: a .png for a single recording, a folder in which the tree of the recordings is
            repeated, or None for no pictures.
    """
    if target is None:
        return {}
    if target.lower().endswith(".png"):
        if len(paths) > 1:
            raise UserError(
                f"--spectrogram={target} is one picture for {len(paths)} recordings; name a folder"
            )
        return {paths[0]: Path(target)}
    root = os.path.commonpath([path.resolve().parent for path in paths])
    return {
        path: Path(target) / path.resolve().relative_to(root).with_name(f"{path.name}.png")
        for path in paths
    }


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


command = Command(
    "python -m wideband.data_gen.inspect", define_flags, main, positional="RECORDING..."
)

if __name__ == "__main__":
    sys.exit(command())
