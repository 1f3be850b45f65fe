"""Measures a model on low sides made with other filters than the one of its training.

    python benchmarks/robustness.py --model=speech-4x --data=data/speech-4x --split=valid

A network may learn to undo the one filter of its training and little else. The low sides of a split
are therefore made again with filters that recipes do not use: Butterworth, elliptic, soxr's sinc,
and the dataset's own after an MP3 encoder.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wideband.command import UserError
from wideband.command.files import write_text
from wideband.command.run import Command, Flags, quiet_tensorflow
from wideband.command.tables import markdown_table, text_table

if TYPE_CHECKING:
    import numpy as np
    from wideband.data_gen.dataset import Dataset
    from wideband.upsample import Upsampler

METRICS = ("snr", "lsd", "lsd_hf")


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("model", None, "A model, as for wideband-upsample.", required=True)
    flags.string("data", None, "Folder of a dataset.", required=True)
    flags.choice("split", "valid", ["valid", "test"], "Split to measure.")
    flags.string("output", "robustness.md", "Markdown file to write.")


def load(model: str, dataset: "Dataset") -> "Upsampler":
    """Loads a model and checks that it has the rates of a dataset."""
    from wideband import upsample

    upsampler = upsample.load(model, dataset.sample_rate, dataset.ratio)
    ratio = dataset.ratio if upsampler.band_hz else upsampler.ratio
    if (upsampler.sample_rate, ratio) != (dataset.sample_rate, dataset.ratio):
        raise UserError(
            f"{model} upsamples {upsampler.low_rate:g} Hz to {upsampler.sample_rate} Hz, and "
            f"{dataset.folder} has {dataset.low_rate:g} Hz and {dataset.sample_rate} Hz; choose "
            "another"
        )
    return upsampler


def degradations(dataset: "Dataset") -> "dict[str, Callable[[np.ndarray], np.ndarray]]":
    """Returns functions that make a low side: name -> function from (n,) to (n / ratio,)."""
    import unseen_filters
    from wideband.data_gen import degrade

    rate, ratio = dataset.sample_rate, dataset.ratio
    if not isinstance(ratio, int):
        raise UserError(f"{dataset.folder}: has the ratio {ratio}; these filters need a whole one")
    protocol = degrade.get(dataset.protocol)
    return {
        "own filter": lambda high: protocol.down(high, ratio),
        "Butterworth": partial(unseen_filters.butterworth, ratio=ratio),
        "elliptic": partial(unseen_filters.elliptic, ratio=ratio),
        "sinc (soxr)": partial(degrade.sinc_down, ratio=ratio),
        f"MP3 at {unseen_filters.MP3_KBITS} kbit/s": lambda high: protocol.down(
            unseen_filters.through_mp3(high, rate), ratio
        ),
    }


def measure(
    upsampler: "Upsampler", dataset: "Dataset", split: str
) -> dict[str, dict[str, list[float]]]:
    """Restores a split from low sides made with every filter.

    Returns:
        filter -> metric -> one value per recording; also "spline, own filter" for comparison.
    """
    from tqdm import tqdm
    from wideband import upsample
    from wideband.data_gen import degrade
    from wideband.evaluate import metrics

    filters = degradations(dataset)
    interpolation = degrade.get(dataset.protocol).interpolation
    baseline = upsample.load(interpolation, dataset.sample_rate, dataset.ratio)
    # row -> the system, and the filter of its low side
    rows = {
        f"{interpolation}, own filter": (baseline, "own filter"),
        **{name: (upsampler, name) for name in filters},
    }
    found = {name: {metric: [] for metric in METRICS} for name in rows}
    examples = tqdm(
        dataset.examples(split), total=dataset.count(split), unit="file", leave=False, disable=None
    )
    for example in examples:
        lows = {name: make_low(example.high) for name, make_low in filters.items()}
        for name, (system, filter_name) in rows.items():
            low = lows[filter_name]
            estimate, _ = system.upsample(low, dataset.low_rate, keep_low_band=False)
            values = metrics.evaluate(
                example.high,
                estimate,
                dataset.sample_rate,
                cutoff_hz=dataset.low_rate / 2,
                names=METRICS,
            )
            for metric, value in values.items():
                found[name][metric].append(value)
    return found


def main(flags: Flags, arguments: list[str]) -> None:
    """Writes the table and prints it."""
    from wideband.data_gen.dataset import Dataset
    from wideband.evaluate import results
    from wideband.evaluate.metrics import statistics

    dataset = Dataset(Path(flags.data))
    dataset.shards(flags.split)
    upsampler = load(flags.model, dataset)
    quiet_tensorflow()
    found = measure(upsampler, dataset, flags.split)
    header = ["low-pass filter", *map(results.metric_header, METRICS)]
    rows = [
        [
            name,
            *(results.format_mean(key, statistics.summarize(values[key])) for key in METRICS),
        ]
        for name, values in found.items()
    ]
    write_text(Path(flags.output), markdown_table(header, rows) + "\n")
    print(text_table(header, rows))


command = Command("python benchmarks/robustness.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
