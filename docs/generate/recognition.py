r"""Draws the pictures of docs/recognition.md from folders of `wideband.evaluate.benchmark`.

    python -m wideband.evaluate.benchmark sinc runs/conformer_4x interpolations --data=data/4x \
        --wer --recognizer=whisper --output=reports/4x --save_recordings=reports/4x/waves
    python docs/generate/recognition.py reports/4x --recording=speech/1.flac --output=docs/4x \
        --row=sinc --row=conformer_4x

docs/4x_heard.png has the spectrograms of a recording, from the input to the original, with what was
heard in each. docs/4x_ranks.png has the order of all models by word errors and by other metrics.
Several reports of one dataset are drawn as one.
"""

import csv
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from wideband import audio
from wideband.audio import interpolate
from wideband.command import UserError
from wideband.command.drawing import COLOURS, GREY, add_level_bar, draw_spectrogram, png
from wideband.command.files import write_bytes
from wideband.command.run import Command, Flags
from wideband.data_gen.dataset import Dataset
from wideband.evaluate import figures
from wideband.evaluate.metrics import METRICS

COLUMNS = 5  # spectrograms in a row
CHARACTERS = 44  # in a line below a spectrogram


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("recording", None, "Name of the recording to draw.", required=True)
    flags.string("output", None, "Beginning of the names of the pictures.", required=True)
    flags.strings("row", None, "Row whose spectrogram to draw; repeatable.", required=True)
    flags.strings("metric", ["snr", "lsd"], "Metric to order the models by; repeatable.")


def main(flags: Flags, arguments: list[str]) -> None:
    """Draws both pictures."""
    if not arguments:
        raise UserError("name the folder of a benchmark")
    folders = [Path(argument) for argument in arguments]
    heard = draw_heard(folders, flags.row, flags.recording)
    write_bytes(Path(f"{flags.output}_heard.png"), png(heard))
    write_bytes(Path(f"{flags.output}_ranks.png"), png(draw_ranks(folders, flags.metric)))


def read(folder: Path) -> dict[str, Any]:
    """Reads the results of a benchmark."""
    return json.loads((folder / "benchmark.json").read_text())


def draw_heard(folders: list[Path], models: list[str], name: str) -> Figure:
    """Draws the spectrograms of a recording, each above the text that was heard in it."""
    rows, waves, file = {}, {}, f"{name.removesuffix('.wav')}.wav"
    for folder in folders:
        with (folder / "wer.csv").open(newline="") as texts:
            rows |= {row["system"]: row for row in csv.DictReader(texts) if row["name"] == name}
        for model in (*models, "reference"):
            if (folder / "waves" / model / file).is_file():
                waves[model], _ = audio.read(folder / "waves" / model / file)
    missing = [model for model in (*models, "reference") if model not in waves]
    if missing:
        raise UserError(f"{name}: no recording of {', '.join(missing)} in any waves folder")
    waves = {model: waves[model][:, 0] for model in (*models, "reference")}
    facts = read(folders[0])
    sample_rate, low_rate = facts["sample_rate"], round(facts["low_rate"])
    examples = Dataset(Path(facts["data"])).examples(facts["split"])
    low = next(each.low for each in examples if each.name == name)
    top_db = figures.top_level(waves.values(), sample_rate)
    row_count = -(-(len(waves) + 1) // COLUMNS)
    figure = Figure(figsize=(3.4 * COLUMNS + 0.4, 2.9 * row_count), layout="constrained")
    axes = list(figure.subplots(row_count, COLUMNS, sharey=True, squeeze=False).flat)
    seconds = len(low) / low_rate
    draw_spectrogram(axes[0], figures.levels(low, low_rate), seconds, low_rate, top_db)
    _caption(axes[0], f"input, {low_rate / 1000:g} kHz", "")
    for axis, (system, wave) in zip(axes[1:], waves.items(), strict=False):
        levels = figures.levels(wave, sample_rate)
        draw_spectrogram(axis, levels, seconds, sample_rate, top_db, low_rate / 2)
        row = rows[system]
        errors = round(float(row["wer"]) * int(row["words"]))
        title = "original" if system == "reference" else system
        _caption(axis, f"{title}: {errors} of {row['words']} words wrong", row["hypothesis"])
    for number, axis in enumerate(axes):
        axis.set_ylim(0, sample_rate / 2000)
        if not number % COLUMNS:
            axis.set_ylabel("kHz", fontsize=9)
        if number > len(waves):
            axis.set_axis_off()
    add_level_bar(figure, axes[: len(waves) + 1])
    return figure


def _caption(axis: Axes, title: str, text: str) -> None:
    axis.set_title(title, fontsize=10)
    axis.set_facecolor("black")
    axis.set_xlabel(textwrap.fill(text, CHARACTERS), fontsize=8)
    axis.set_xticks([])


def draw_ranks(folders: list[Path], metrics: list[str]) -> Figure:
    """Draws the order of the models, best at the top: by word errors, then by each metric."""
    systems, words = {}, {}
    for folder in folders:
        facts = read(folder)
        systems |= facts["systems"]
        words |= facts["word_errors"]["systems"]
    models = list(systems)
    columns = {"word errors": np.array([words[model]["wer"] for model in models])}
    for name in metrics:
        metric = METRICS[name]
        values = np.array([systems[model][name]["mean"] for model in models])
        columns[metric.label] = values if metric.direction.startswith("lower") else -values
    ranks = np.array([np.argsort(np.argsort(values)) for values in columns.values()])
    figure = Figure(figsize=(1.6 * len(columns) + 3, 0.34 * len(models) + 0.9))
    axis = figure.add_subplot()
    networks = [model for model in models if model not in interpolate.METHODS]
    for model, places in zip(models, ranks.T, strict=True):
        network = model in networks
        colour = COLOURS[networks.index(model) % len(COLOURS)] if network else GREY
        axis.plot(places, "o-", color=colour, lw=2 if network else 1, ms=5)
        text = f"{model}  {words[model]['wer']:.2f}"
        axis.text(-0.1, places[0], text, ha="right", va="center", fontsize=9, color=colour)
        axis.text(len(columns) - 0.9, places[-1], model, va="center", fontsize=9, color=colour)
    axis.invert_yaxis()
    axis.set_xticks(range(len(columns)), list(columns), fontsize=9.5)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    figure.tight_layout()
    return figure


command = Command("python docs/generate/recognition.py", define_flags, main, "", "REPORT")

if __name__ == "__main__":
    sys.exit(command())
