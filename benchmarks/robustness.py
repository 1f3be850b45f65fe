"""Command: what becomes of a model where other filters than its own made the low side.

    python -m wideband.evaluate.robustness --model=speech-4x --data=data/speech-4x --split=valid

A network may learn to undo the one filter of its training and little else. Here the low sides of a
split are made anew by filters that recipes do not draw: Butterworth, elliptic, Soxr's sinc, and the
dataset's own behind an MP3 encoder.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags
from wideband.command import UserError
from wideband.command.files import replacing
from wideband.command.run import quiet_tensorflow, run_command

if TYPE_CHECKING:
    import numpy as np

_MODEL = flags.DEFINE_string("model", None, "As of wideband-upsample.", required=True)
_DATA = flags.DEFINE_string("data", None, "Folder of a dataset.", required=True)
_SPLIT = flags.DEFINE_enum("split", "valid", ["valid", "test"], "Split to measure.")
_OUTPUT = flags.DEFINE_string("output", "robustness.md", "Markdown file to write.")

METRICS = ("snr", "lsd", "lsd_hf")


def measure(model: str, data: Path, split: str) -> dict[str, dict[str, list[float]]]:
    """Restores a split from low sides by every filter.

    Returns:
        filter -> metric -> a value for each recording; of "spline, own filter" for comparison.

    Raises:
        UserError: there is no such model, or it has other rates than the dataset.
    """
    from tqdm import tqdm
    from wideband.benchmarks import unseen_filters as other_filters
    from wideband.data_gen import dataset as shards
    from wideband.data_gen import degrade
    from wideband.evaluate import metrics
    from wideband.upsample import Upsampler, restore

    description = shards.describe(data)
    rate, ratio = description.sample_rate, description.ratio
    protocol = degrade.get(description.protocol)
    upsampler = restore.load(model, rate, ratio)
    if (upsampler.sample_rate, upsampler.ratio) != (rate, ratio):
        raise UserError(
            f"{model} brings {upsampler.low_rate:g} Hz to {upsampler.sample_rate} Hz, and {data} "
            f"{rate / ratio:g} Hz to {rate} Hz; choose another"
        )
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "own filter": lambda high: protocol.down(high, ratio),
        "Butterworth": partial(other_filters.butterworth, ratio=ratio),
        "elliptic": partial(other_filters.elliptic, ratio=ratio),
        "sinc (Soxr)": partial(degrade.sinc_down, ratio=ratio),
        f"MP3 of {other_filters.MP3_KBITS} kbit/s": lambda high: protocol.down(
            other_filters.through_mp3(high, rate), ratio
        ),
    }
    spline = Upsampler(protocol.interpolation, rate, ratio)
    # row: what restores, and the way to its low side
    rows = {
        f"{spline.name}, own filter": (spline, "own filter"),
        **{name: (upsampler, name) for name in ways},
    }
    found = {name: {metric: [] for metric in METRICS} for name in rows}
    paths = shards.files(data, split)
    for example in tqdm(list(shards.read(paths)), unit="file", leave=False):
        lows = {name: way(example.high) for name, way in ways.items()}
        for name, (system, way) in rows.items():
            estimate, _ = system.upsample(lows[way], rate / ratio)
            values = metrics.evaluate(
                example.high, estimate, rate, cutoff_hz=rate / ratio / 2, names=METRICS
            )
            for metric, value in values.items():
                found[name][metric].append(value)
    return found


def main(arguments: Sequence[str]) -> None:
    """Writes the table and prints it."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    quiet_tensorflow()
    from wideband.evaluate import summary

    found = measure(_MODEL.value, Path(_DATA.value), _SPLIT.value)
    header = ["low side by", *map(summary.metric_header, METRICS)]
    rows = [
        [name, *(summary.format_mean(key, summary.summarize(values[key])) for key in METRICS)]
        for name, values in found.items()
    ]
    with replacing(Path(_OUTPUT.value)) as temporary:
        temporary.write_text(summary.markdown_table(header, rows) + "\n", encoding="utf-8")
    print(summary.text_table(header, rows))


if __name__ == "__main__":
    run_command(main)
