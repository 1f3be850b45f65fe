"""Command: pictures of estimates beside their reference, or of several trainings.

    python -m wideband.evaluate.plot --references=a.wav --estimates=spline=a_spline.wav \
        --estimates=net=a_net.wav --cutoff_hz=2000 --output=a.png
    python -m wideband.evaluate.plot --run=runs/tfnet --run=runs/gionet --output=curves.png

The first draws waves, spectrograms, how much louder or fainter than the reference the estimates
are along frequency, and their LSD by band. The second draws the runs' histories over each other.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ..command import UserError
from ..command.files import replacing
from ..command.named import named
from ..command.run import run_command

if TYPE_CHECKING:
    import numpy as np

_REFERENCES = flags.DEFINE_string("references", None, "Recording to compare with.")
_ESTIMATES = flags.DEFINE_multi_string(
    "estimates", [], "Estimate of it, as FILE or NAME=FILE; repeatable."
)
_RUN = flags.DEFINE_multi_string(
    "run", [], "Run folder of wideband-train, or NAME=FOLDER, to draw the history of; repeatable."
)
_OUTPUT = flags.DEFINE_string("output", None, "PNG file to write.", required=True)
_CUTOFF_HZ = flags.DEFINE_float(
    "cutoff_hz", None, "Highest frequency of the input, to be marked.", lower_bound=0
)
_START_SECONDS = flags.DEFINE_float("start_seconds", 0, "Where to begin.", lower_bound=0)
_SECONDS = flags.DEFINE_float("seconds", 10, "How much to draw at most.", lower_bound=0.01)


def main(arguments: Sequence[str]) -> None:
    """Draws what the flags name."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    output = Path(_OUTPUT.value)
    if output.suffix.lower() != ".png":
        raise UserError(f"--output={output}: must end in .png")
    reference, estimates, runs = _REFERENCES.value, _ESTIMATES.value, _RUN.value
    if bool(reference) != bool(estimates) or bool(reference) == bool(runs):
        raise UserError("give either --references and --estimates, or --run")
    picture = _comparison(Path(reference)) if reference else _histories()
    with replacing(output) as temporary:
        temporary.write_bytes(picture)


def _comparison(reference_path: Path) -> bytes:
    from . import figures

    paths = {"reference": reference_path, **_estimates()}
    recordings = {name: _read(path) for name, path in paths.items()}
    reference, sample_rate = recordings["reference"]
    for name, (wave, rate) in recordings.items():
        if rate != sample_rate:
            raise UserError(
                f"{paths[name]}: has {rate} Hz, the reference {sample_rate} Hz; resample one of "
                "them"
            )
        if len(wave) != len(reference):
            raise UserError(
                f"{paths[name]}: is {abs(len(wave) - len(reference))} samples "
                f"{'longer' if len(wave) > len(reference) else 'shorter'} than the reference; both "
                "need the same length"
            )
    waves = {name: wave for name, (wave, _) in recordings.items()}
    try:
        return figures.comparison(waves, sample_rate, _CUTOFF_HZ.value)
    except ValueError as error:
        raise UserError(f"{reference_path}: {error}") from error


def _estimates() -> dict[str, Path]:
    estimates = named(_ESTIMATES.value)
    if "reference" in estimates:
        raise UserError("--estimates: 'reference' is the name of the reference; write NAME=PATH")
    return estimates


def _read(path: Path) -> "tuple[np.ndarray, int]":
    """Reads the part of a recording that is to be drawn, mixed down to (n,)."""
    from .. import audio

    sample_rate = audio.info(path).sample_rate
    start = round(_START_SECONDS.value * sample_rate)
    wave, _ = audio.read(path, start, start + round(_SECONDS.value * sample_rate))
    if not len(wave):
        raise UserError(f"{path}: ends before --start_seconds={_START_SECONDS.value:g}")
    return audio.mono(wave), sample_rate


def _histories() -> bytes:
    from . import figures

    histories = {}
    for name, run in named(_RUN.value).items():
        path = run / "history.csv"
        if not path.is_file():
            raise UserError(f"{path}: there is no such file; has the run finished an epoch?")
        with path.open(newline="") as file:
            histories[name] = list(csv.DictReader(file))
    try:
        return figures.histories(histories)
    except ValueError as error:
        raise UserError(f"{', '.join(_RUN.value)}: {error}") from error


if __name__ == "__main__":
    run_command(main)
