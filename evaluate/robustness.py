"""Command: what becomes of a model where other filters than its own made the low side.

    python -m wideband.evaluate.robustness --model=speech-4x --data=data/speech-4x --split=valid

A network may learn to undo the one filter of its training and little else. Here the low sides of a
split are made anew by filters that recipes do not draw: Butterworth, elliptic, Soxr's sinc, and the
dataset's own behind an MP3 encoder.
"""

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from absl import flags

from ..data_gen.command import UserError, quiet_tensorflow, replacing, run_command

_MODEL = flags.DEFINE_string("model", None, "As of wideband-upsample.", required=True)
_DATA = flags.DEFINE_string("data", None, "Folder of a dataset.", required=True)
_SPLIT = flags.DEFINE_enum("split", "valid", ["valid", "test"], "Split to measure.")
_OUTPUT = flags.DEFINE_string("output", "robustness.md", "Markdown file to write.")

METRICS = ("snr", "lsd", "lsd_hf")
# Of the MP3 encoder, in kbit/s; libsndfile takes the part of the way from the most to the least.
MP3_KBITS, MP3_MOST, MP3_LEAST = 32, 160, 8


def butterworth(wave: np.ndarray, ratio: int) -> np.ndarray:
    """A Butterworth filter of order 10 at 0.9 of the low band, both ways; (n,) to (n / ratio,)."""
    from scipy import signal

    sections = signal.butter(10, 0.9 / ratio, output="sos")
    return signal.sosfiltfilt(sections, wave)[::ratio].astype(np.float32)


def elliptic(wave: np.ndarray, ratio: int) -> np.ndarray:
    """An elliptic filter of order 8 at 0.9 of the low band, both ways; (n,) to (n / ratio,)."""
    from scipy import signal

    sections = signal.ellip(8, 0.1, 60, 0.9 / ratio, output="sos")
    return signal.sosfiltfilt(sections, wave)[::ratio].astype(np.float32)


def through_mp3(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """A wave (n,) as MP3 of 32 kbit/s gives it back, with the encoder's delay undone."""
    import soundfile

    from . import alignment

    file = io.BytesIO()
    level = (MP3_MOST - MP3_KBITS) / (MP3_MOST - MP3_LEAST)
    soundfile.write(
        *(file, wave, sample_rate),
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=level,
    )
    file.seek(0)
    found = soundfile.read(file, dtype="float32")[0][:, np.newaxis]
    late = alignment.delay(wave[:, np.newaxis], found, sample_rate)
    _, found = alignment.align(wave[:, np.newaxis], found, late)
    return np.pad(found[: len(wave), 0], (0, max(0, len(wave) - len(found))))


def measure(model: str, data: Path, split: str) -> dict[str, dict[str, list[float]]]:
    """Restores a split from low sides by every filter.

    Returns:
        filter -> metric -> a value for each recording; of "spline, own filter" for comparison.

    Raises:
        UserError: there is no such model, or it has other rates than the dataset.
    """
    from tqdm import tqdm

    from ..data_gen import degrade, shards
    from ..upsample import Upsampler, restore
    from . import metrics

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
        "Butterworth": partial(butterworth, ratio=ratio),
        "elliptic": partial(elliptic, ratio=ratio),
        "sinc (Soxr)": partial(degrade.sinc_down, ratio=ratio),
        f"MP3 of {MP3_KBITS} kbit/s": lambda high: protocol.down(through_mp3(high, rate), ratio),
    }
    systems = {name: (upsampler, way) for name, way in ways.items()}
    spline = Upsampler(protocol.interpolation, rate, ratio)
    systems = {f"{spline.name}, own filter": (spline, ways["own filter"]), **systems}
    found = {name: {metric: [] for metric in METRICS} for name in systems}
    paths = shards.files(data, split)
    for example in tqdm(list(shards.read(paths)), unit="file", leave=False):
        for name, (system, way) in systems.items():
            estimate, _ = system.upsample(way(example.high), rate / ratio)
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
    from . import summary

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
