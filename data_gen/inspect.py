"""Prints the facts of recordings: python -m wideband.data_gen.inspect FILE..."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..command import UserError
from ..command.run import run_command

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "spectrogram", None, "Where to save the spectrograms: a folder, or a .png for a single file."
)

HEADER = "  seconds      Hz  ch  peak dB   RMS dB        DC  clipped %  bandwidth Hz"


def main(arguments: Sequence[str]) -> None:
    """Measures what the arguments name, a line each, and goes on after a file that fails."""
    from ..audio.measure import measure, reason_to_skip

    paths = _paths(arguments)
    pictures = _pictures(paths, FLAGS.spectrogram)
    width = max(len(str(path)) for path in paths)
    print(f"{'':{width}}{HEADER}")
    failed = 0
    for path in paths:
        try:
            facts = measure(path)
            if path in pictures and facts.frames:
                # Matplotlib takes half a second, which most calls do without.
                from ..audio import spectrogram

                spectrogram.save(path, facts, pictures[path])
        except UserError as error:
            failed += 1
            print(f"{path!s:{width}}  {str(error).removeprefix(f'{path}: ')}", flush=True)
            continue
        print(
            f"{path!s:{width}}  {facts.seconds:7.2f}  {facts.sample_rate:6}  {facts.channels:2}"
            f"  {_decibels(facts.peak):7.1f}  {_decibels(facts.rms):7.1f}  {facts.dc:8.5f}"
            f"  {100 * facts.clipped:9.3f}  {facts.bandwidth_hz:12.0f}"
            f"  {reason_to_skip(facts, facts.sample_rate, patch=1)}".rstrip(),
            flush=True,
        )
    if failed:
        raise UserError(f"{failed} of {len(paths)} files could not be read")


def _paths(arguments: Sequence[str]) -> list[Path]:
    from .. import audio

    paths = []
    for argument in arguments:
        if Path(argument).is_dir():
            paths += audio.find(Path(argument))
        else:
            paths.append(Path(argument))
    if not paths:
        raise UserError("name recordings, or folders that hold some")
    return list(dict.fromkeys(paths))


def _pictures(paths: Sequence[Path], target: str | None) -> dict[Path, Path]:
    """Where each recording's spectrogram goes: nowhere, to one file, or into a tree of its own."""
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


def run() -> None:
    """Starts the command."""
    run_command(main)


if __name__ == "__main__":
    run()
