r"""Figures of estimates next to their reference, or of the histories of several runs.

    python -m wideband.evaluate.plot --reference=a.wav --estimate=spline=a_spline.wav \
        --estimate=net=a_net.wav --cutoff_hz=2000 --output=a.png
    python -m wideband.evaluate.plot --run=runs/tfnet --run=runs/gionet --output=curves.png

The first command draws waves, spectrograms, the level of each estimate relative to the reference
over frequency, and the LSD in bands. The second draws the histories of the runs in the same panels.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..command import UserError
from ..command.files import check_writable, write_bytes
from ..command.named import parse_named_paths
from ..command.paths import check_suffix
from ..command.run import Command, Flags

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("reference", None, "Recording to compare with.")
    flags.strings("estimate", [], "Estimate of the reference, as FILE or NAME=FILE; repeatable.")
    flags.strings(
        "run",
        [],
        "Run folder of wideband-train, or NAME=FOLDER, whose history to draw; repeatable.",
    )
    flags.string("output", None, "PNG file to write.", required=True)
    flags.number("cutoff_hz", None, "Highest frequency of the input, to mark.", lower_bound=0)
    flags.number("start_seconds", 0, "Where to begin.", lower_bound=0)
    flags.number("seconds", 10, "Maximum duration to draw.", lower_bound=0.01, upper_bound=300)


def main(flags: Flags, arguments: list[str]) -> None:
    """Draws the recordings or runs and writes the figure."""
    output = Path(flags.output)
    check_suffix("output", output, ".png")
    check_writable(output)
    if bool(flags.reference) != bool(flags.estimate) or bool(flags.reference) == bool(flags.run):
        raise UserError("give either --reference and --estimate, or --run")
    figure = _draw_histories(flags.run) if flags.run else _draw_comparison(flags)
    from ..command.drawing import png

    write_bytes(output, png(figure))


def _draw_comparison(flags: Flags) -> "Figure":
    estimates = parse_named_paths(flags.estimate)
    if "reference" in estimates:
        raise UserError("--estimate: 'reference' is the name of the reference; write NAME=PATH")
    paths = {"reference": Path(flags.reference), **estimates}
    waves, sample_rate = _read(paths, flags.start_seconds, flags.seconds)
    from . import figures

    return figures.comparison(waves, sample_rate, flags.cutoff_hz)


def _read(
    paths: dict[str, Path], start_seconds: float, seconds: float
) -> "tuple[dict[str, np.ndarray], int]":
    """Reads an excerpt of each recording as mono waves (n,) of one length, and the rate in Hz."""
    from .. import audio
    from .metrics.base import validate_wave

    waves: dict[str, np.ndarray] = {}
    reference_rate, length = audio.info(paths["reference"]).sample_rate, 0
    for name, path in paths.items():
        sample_rate = audio.info(path).sample_rate
        if sample_rate != reference_rate:
            raise UserError(
                f"{path}: has {sample_rate} Hz, the reference {reference_rate} Hz; resample one of "
                "them"
            )
        start = round(start_seconds * sample_rate)
        wave, _ = audio.read(path, start, start + round(seconds * sample_rate))
        if not len(wave):
            raise UserError(f"{path}: ends before --start_seconds={start_seconds:g}; begin earlier")
        length = length or len(wave)
        if len(wave) != length:
            raise UserError(
                f"{path}: is {abs(len(wave) - length)} samples "
                f"{'longer' if len(wave) > length else 'shorter'} than the reference; both need "
                "the same length"
            )
        try:
            validate_wave("recording", wave)
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        waves[name] = audio.mono(wave)
    return waves, reference_rate


def _draw_histories(runs: Sequence[str]) -> "Figure":
    from ..models.record import HISTORY, read_history

    histories = {}
    for name, run in parse_named_paths(runs).items():
        histories[name] = read_history(run)
        if not histories[name]:
            raise UserError(f"{run / HISTORY}: no epochs; has the run finished one?")
    from . import curves

    return curves.histories(histories)


command = Command("python -m wideband.evaluate.plot", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
