"""wideband-evaluate: applies a run to the test split and writes its report.

    wideband-evaluate --run=runs/demo

Writes RUN/report.html to look at and listen to, RUN/evaluation.csv with every recording, and
RUN/evaluation.json with the means and their intervals.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..command import UserError
from ..command.run import quiet_tensorflow, run_command

_RUN = flags.DEFINE_string("run", None, "Run folder of wideband-train.", required=True)
_DATA = flags.DEFINE_string("data", None, "Folder of a dataset; by default the run's own.")
_SPLIT = flags.DEFINE_enum("split", "test", ["train", "valid", "test"], "Split to measure.")
_BASELINES = flags.DEFINE_list(
    "baselines",
    ["spline", "sinc"],
    "To compare with: interpolations, and networks that `python -m wideband.models` lists.",
)
_TFLITE = flags.DEFINE_multi_string(
    "tflite", [], "TFLite file of the run, or NAME=FILE, to measure beside it; repeatable."
)
_RECORDINGS = flags.DEFINE_string(
    "recordings", None, "Folder to write references and estimates to, for the other scripts."
)
_KEEP_LOW_BAND = flags.DEFINE_bool(
    "keep_low_band",
    False,
    "Takes the band that a recording has from it, as wideband-upsample does, and not from the "
    "network.",
)
_QUALITY = flags.DEFINE_bool(
    "quality", False, "Measure PESQ, STOI and ViSQOL, too: seconds for every recording."
)
_WER = flags.DEFINE_bool("wer", False, "Measure the word error rate, too: a minute and more.")
_RECOGNIZER = flags.DEFINE_string(
    "recognizer", "pocketsphinx", "For --wer, as in python -m wideband.evaluate.wer."
)
_DEEPSPEECH_CHECKPOINT = flags.DEFINE_string(
    "deepspeech_checkpoint", None, "For --recognizer=deepspeech."
)


def main(arguments: Sequence[str]) -> None:
    """Measures, writes the report, and prints what was won."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; did you mean --run={arguments[0]}?")
    quiet_tensorflow()
    from ..command.named import named
    from . import words as recognizers
    from .evaluation import METRICS, QUALITY, evaluate_run

    recognizer = None
    if _WER.value:
        checkpoint = _DEEPSPEECH_CHECKPOINT.value
        settings = {"deepspeech_checkpoint": checkpoint} if checkpoint else {}
        recognizer = recognizers.create(_RECOGNIZER.value, **settings)
    folder = Path(_RUN.value)
    table = evaluate_run(
        folder,
        shlex.join(["wideband-evaluate", *sys.argv[1:]]),
        Path(_DATA.value) if _DATA.value else None,
        _SPLIT.value,
        _BASELINES.value,
        Path(_RECORDINGS.value) if _RECORDINGS.value else None,
        recognizer,
        (*METRICS, *QUALITY) if _QUALITY.value else METRICS,
        _KEEP_LOW_BAND.value,
        named(_TFLITE.value),
    )
    print(f"{table}\nlook and listen: {folder / 'report.html'}")


def run() -> None:
    """Starts the command."""
    run_command(main)


if __name__ == "__main__":
    run()
