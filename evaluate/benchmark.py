r"""Measures models side by side on a dataset: one row for each, with word errors and time.

    python -m wideband.evaluate.benchmark --data=data/mine --output=reports/mine
    python -m wideband.evaluate.benchmark sinc runs/mine interpolations --data=data/mine \
        --output=reports/mine --wer --recognizer=whisper

MODEL or NAME=MODEL is whatever wideband-upsample takes; `interpolations` stands for all
interpolations, and is the default. Each is applied to the low side of every recording. With --wer,
the other models are compared with the first one on the same recordings (paired bootstrap).

The time is the median over the recordings, in milliseconds of computing for a second of sound.

LSD ranks interpolations backwards. A crude one leaves images of the low band above the cutoff and
distortion in the gaps of the low band. On a logarithmic scale, both are closer to any sound than an
empty band is. SNR and the word errors show what they cost.

Writes benchmark.md with the tables, benchmark.json with intervals, benchmark.csv with every
recording, spectrograms.png of one recording, and with --wer the texts in wer.csv.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..command import UserError
from ..command.files import check_writable, write_bytes, write_csv, write_json, write_text
from ..command.named import parse_named_paths
from ..command.paths import check_relative, exists
from ..command.run import Command, Flags
from ..command.tables import markdown_table, text_table
from . import word_flags
from .left_out import finish, show
from .metrics import METRICS

if TYPE_CHECKING:
    from ..data_gen.dataset import Dataset
    from .measurement import Outcome
    from .metrics.statistics import Mean
    from .words.word_errors import Transcribed

ALL = "interpolations"
_WARNING = (
    "LSD ranks interpolations backwards: it prefers images of the low band to an empty band. "
    "Compare them by SNR and word errors."
)
# A table of a report: the header and the rows.
_Table = tuple[list[str], list[list[str]]]


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("data", None, "Folder of a dataset.", required=True)
    flags.choice("split", "test", ["train", "valid", "test"], "Split to measure.")
    flags.string("output", None, "Folder to write to.", required=True)
    flags.choices(
        "metric",
        ["snr", "lsd", "lsd_lf", "lsd_hf"],
        list(METRICS),
        "Metric to compute; repeatable.",
    )
    flags.choice(
        "low_band",
        "network",
        ["network", "recording"],
        "Where the low band comes from: the model, or as in wideband-upsample the recording.",
    )
    flags.string(
        "save_recordings", None, "Folder to write references and estimates to, for other scripts."
    )
    word_flags.define(flags)


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures the models, and writes and prints the tables."""
    models = parse_models(arguments or [ALL])
    from ..audio import interpolate
    from ..data_gen.dataset import Dataset
    from ..upsample.loading import check
    from . import metrics

    metrics.require(flags.metric)
    for model in models.values():
        check(model)
    dataset, output = Dataset(Path(flags.data)), Path(flags.output)
    dataset.shards(flags.split)
    check_writable(output / "benchmark.md")
    recordings = Path(flags.save_recordings) if flags.save_recordings else None
    if recordings:
        check_writable(recordings / "reference.wav")
    recognizer = word_flags.create(flags)
    from .evaluation import load_fitting
    from .measurement import measure_split
    from .words import word_errors

    systems = {name: load_fitting(path, dataset) for name, path in models.items()}
    outcome = measure_split(
        systems,
        dataset,
        flags.split,
        flags.metric,
        keep_low_band=flags.low_band == "recording",
        recognizer=recognizer,
        recordings=recordings,
    )
    words = None
    if recognizer and outcome.transcripts:
        first, *others = models
        pairs = [(first, other) for other in others]
        words = word_errors.summarize(recognizer, outcome.transcripts, pairs)
    means = _means(outcome, models)
    tables = [_table(means, outcome.loads, words)]
    if words and words.differences:
        tables.append(word_errors.differences_table(words.differences))
    try:
        _write(output, flags, dataset, outcome, means, words, tables)
    # The results are shown even if they cannot be written.
    finally:
        print("\n\n".join(text_table(*each) for each in tables))
        if len(set(models) & set(interpolate.METHODS)) > 1 and "lsd" in flags.metric:
            print(_WARNING)
        show(outcome.left_out)
    finish(outcome.left_out)


def parse_models(arguments: Sequence[str]) -> dict[str, Path]:
    """Parses MODEL and NAME=MODEL; `interpolations` adds those that are not named already.

    Returns:
        name -> model, in the order given.

    Raises:
        UserError: two have the same name, or a name cannot be used.
    """
    from ..audio import interpolate

    expanded = []
    for argument in arguments:
        everything = argument == ALL and not exists(argument)
        expanded += (
            [name for name in interpolate.METHODS if name not in arguments]
            if everything
            else [argument]
        )
    models = parse_named_paths(expanded)
    for name, path in models.items():
        # The recordings of a model go into a folder of this name.
        check_relative(name, str(path))
        if name in ("reference", "low"):
            raise UserError(f"{path}: {name!r} is the name of another row; write NAME={path}")
    return models


def _means(outcome: "Outcome", models: Mapping[str, Path]) -> "dict[str, dict[str, Mean]]":
    """Returns model -> metric -> mean."""
    from .metrics import statistics

    values = {name: [] for name in models}
    for row in outcome.rows:
        if row.system in values:
            values[row.system].append(row.values)
    return {name: statistics.summarize_rows(each) for name, each in values.items()}


def _table(
    means: "Mapping[str, Mapping[str, Mean]]",
    loads: Mapping[str, Sequence[float]],
    words: "Transcribed | None",
) -> _Table:
    """Lays out one row per model, with means only."""
    names = next(iter(means.values()))
    header = ["model", *(f"{METRICS[name].label}, {METRICS[name].unit}" for name in names)]
    header += [*(["WER", "CER"] if words else []), "ms per s"]
    rows = []
    if words:
        rows.append(["reference", *("-" for _ in names), *_rates(words, "reference"), "-"])
    for model, each in means.items():
        row = [model]
        for name, mean in each.items():
            row.append(f"{mean.mean:.{METRICS[name].digits}f}" if mean.files else "-")
        row += _rates(words, model) if words else []
        rows.append([*row, f"{1000 * np.median(loads[model]):.1f}"])
    return header, rows


def _rates(words: "Transcribed", system: str) -> list[str]:
    total = words.totals[system]
    return [f"{total.wer.rate:.3f}", f"{total.cer.rate:.3f}"]


def _write(
    folder: Path,
    flags: Flags,
    dataset: "Dataset",
    outcome: "Outcome",
    means: "Mapping[str, Mapping[str, Mean]]",
    words: "Transcribed | None",
    tables: Sequence[_Table],
) -> None:
    from ..command.drawing import png
    from . import figures, results

    write_csv(folder / "benchmark.csv", [row.cells() for row in outcome.rows])
    more: dict[str, Any] = {}
    if words:
        results.write_transcripts(folder / "wer.csv", outcome.transcripts)
        more = {"word_errors": {**words.entries(), "left_out": outcome.left_out}}
    facts = {
        "data": flags.data,
        "split": flags.split,
        "protocol": dataset.protocol,
        "sample_rate": dataset.sample_rate,
        "low_rate": dataset.low_rate,
        "low_band": flags.low_band,
        "milliseconds_per_second": {
            model: 1000 * float(np.median(each)) for model, each in outcome.loads.items()
        },
    }
    write_json(folder / "benchmark.json", {**facts, **results.systems_entries(means), **more})
    pages = [markdown_table(*each) for each in tables]
    write_text(folder / "benchmark.md", "\n\n".join(pages) + "\n")
    clip = outcome.clips[-1]
    figure = figures.spectrograms(clip.waves, clip.sample_rate, cutoff_hz=dataset.low_rate / 2)
    write_bytes(folder / "spectrograms.png", png(figure))


command = Command("python -m wideband.evaluate.benchmark", define_flags, main, "", "MODEL...")

if __name__ == "__main__":
    sys.exit(command())
