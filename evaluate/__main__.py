"""wideband-evaluate: measures a run on the test split and writes a report.

    wideband-evaluate --run=runs/demo
    wideband-evaluate --run=speech-4x --data=data/demo --output=reports/speech-4x

Writes report.html to look at and listen to, evaluation.csv with every recording, and
evaluation.json with the means and their intervals.
"""

import shlex
import sys
from pathlib import Path

from ..command.named import parse_named_paths
from ..command.run import Command, Flags
from . import word_flags
from .left_out import finish, show
from .metrics import METRICS as CHOICES


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string(
        "run",
        None,
        "Run folder of wideband-train, a weights file in one, or the name of a shipped network.",
        required=True,
    )
    flags.string("data", None, "Folder of a dataset; default the run's own.")
    flags.choice("split", "test", ["train", "valid", "test"], "Split to measure.")
    flags.comma_list(
        "baselines",
        ["spline", "sinc"],
        "Models to compare with, as MODEL or NAME=MODEL: interpolations, shipped networks, run "
        "folders, TFLite files.",
    )
    flags.strings(
        "tflite", [], "TFLite file of the run, or NAME=FILE, to measure as well; repeatable."
    )
    flags.comma_list(
        "vocoders",
        [],
        "Vocoders that make the waves of a run of melgan or melnext as well, as VOCODER or "
        "NAME=VOCODER: griffin_lim, run folders, shipped vocoders.",
    )
    flags.string(
        "output",
        None,
        "Folder to write to; default the run folder. Required for shipped networks.",
    )
    flags.string(
        "save_recordings", None, "Folder to write references and estimates to, for other scripts."
    )
    flags.choice(
        "low_band",
        "network",
        ["network", "recording"],
        "Where the low band comes from: the network, or as in wideband-upsample the recording.",
    )
    flags.choices(
        "metric", [], list(CHOICES), "Further metric to compute, such as lsd_band; repeatable."
    )
    flags.boolean(
        "quality", False, "Measure PESQ, STOI, ViSQOL and DNSMOS too; takes seconds per recording."
    )
    word_flags.define(flags)


def main(flags: Flags, arguments: list[str]) -> None:
    """Evaluates the run and prints the means."""
    from .evaluation import METRICS, QUALITY, Options, evaluate_run
    from .metrics import require

    quality = QUALITY if flags.quality else ()
    names = tuple(dict.fromkeys((*METRICS, *flags.metric, *quality)))
    require(names)
    options = Options(
        data=Path(flags.data) if flags.data else None,
        split=flags.split,
        baselines=parse_named_paths(flags.baselines) if flags.given("baselines") else None,
        tflite=parse_named_paths(flags.tflite),
        vocoders=parse_named_paths(flags.vocoders),
        output=Path(flags.output) if flags.output else None,
        recordings=Path(flags.save_recordings) if flags.save_recordings else None,
        names=names,
        keep_low_band=flags.low_band == "recording",
        recognizer=word_flags.create(flags),
    )
    evaluated = evaluate_run(flags.run, options, shlex.join(command.line()))
    try:
        report = evaluated.write()
    # The results are shown even if they cannot be written.
    finally:
        print(evaluated.text())
        show(evaluated.left_out)
    print(f"look and listen: {report}")
    finish(evaluated.left_out)


command = Command("wideband-evaluate", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
