"""Measures seams: how much rougher a restored recording is where two windows meet.

    python benchmarks/seams.py RECORDING... --model=runs/a --model=runs/a.tflite --output=seams.md

The recordings are concatenated, decimated by the model's ratio and restored. Clicks fill the second
differences of a wave. Their energy in the 2 ms around every border is compared with that in the
4 ms on either side. The table has means over all borders in dB, with 95 % bootstrap intervals.
Seams make a mean positive.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wideband.command import UserError
from wideband.command.files import write_text
from wideband.command.named import parse_named_paths
from wideband.command.run import Command, Flags
from wideband.command.tables import markdown_table, text_table

if TYPE_CHECKING:
    import numpy as np
    from wideband.upsample import Upsampler

# Samples on either side of a border.
HALF = 16


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.strings(
        "model",
        None,
        "A model, as for wideband-upsample, or NAME=MODEL; repeatable.",
        required=True,
    )
    flags.string("output", "seams.md", "Markdown file to write.")


def roughness(restored: "np.ndarray", hop: int, offset: int) -> "np.ndarray":
    """Computes how much rougher each border is than its surroundings, in dB.

    Args:
        restored: shape (n,).
        hop: samples from one border to the next.
        offset: position of the border before the first one that counts.

    Returns:
        one value per border, except for borders in silence.

    Raises:
        UserError: the recording has no border.
    """
    import numpy as np

    energy = np.diff(restored.astype(np.float64), 2) ** 2
    borders = np.arange(offset + hop, len(energy) - 6 * HALF, hop)
    if not len(borders):
        raise UserError("the recordings are too short: no two windows meet; use longer ones")
    # (borders, 10 HALF): the left side, the border, the right side
    around = np.stack([energy[at - 5 * HALF : at + 5 * HALF] for at in borders])
    inside = around[:, 4 * HALF : 6 * HALF].mean(axis=1)
    outside = np.delete(around, np.s_[4 * HALF : 6 * HALF], axis=1).mean(axis=1)
    audible = np.minimum(inside, outside) > 1e-12
    return 10 * np.log10(inside[audible] / outside[audible])


def measure(upsampler: "Upsampler", waves: "list[tuple[np.ndarray, int]]") -> "np.ndarray":
    """Restores recordings and returns the roughness of every border.

    Args:
        upsampler: the model.
        waves: recordings (n, channels) and their rates in Hz.
    """
    import numpy as np
    from wideband import audio
    from wideband.data_gen import degrade
    from wideband.upsample.windows import grid

    factor, ratio = upsampler.network.factor, upsampler.ratio
    window, lead, fade = grid(upsampler.network)
    joined = [
        audio.resample(audio.mono(wave), sample_rate, upsampler.sample_rate)
        for wave, sample_rate in waves
    ]
    high = np.concatenate(joined)
    if ratio > 1 and ratio.denominator == 1:
        low = degrade.decimate(degrade.crop(high, ratio), ratio.numerator)
    else:
        low = audio.resample(high, upsampler.sample_rate, upsampler.low_rate)
    restored, _ = upsampler.upsample(low, upsampler.low_rate, keep_low_band=False)
    hop = factor * (window - 2 * lead - fade)
    # The middle of a cross-fade; the first window has none at its start.
    return roughness(restored, hop, -factor * fade // 2)


def main(flags: Flags, arguments: list[str]) -> None:
    """Restores the recordings with all models and writes one row per model."""
    if not arguments:
        raise UserError("name at least one recording")
    from tqdm import tqdm
    from wideband import audio
    from wideband.evaluate.metrics import statistics
    from wideband.upsample import load, loading

    models = parse_named_paths(flags.model)
    for model in models.values():
        if loading.is_interpolation(str(model)):
            raise UserError(f"{model}: an interpolation has no windows; name a network")
        loading.check(model)
    waves = [audio.read(Path(path)) for path in arguments]
    rows = []
    for name, model in tqdm(models.items(), unit="model", disable=None):
        values = measure(load(model), waves)
        mean = statistics.summarize(values)
        interval = f"{mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]"
        rows.append([name, interval, str(len(values))])
    header = ["model", "energy at borders relative to their surroundings, dB", "borders"]
    write_text(Path(flags.output), markdown_table(header, rows) + "\n")
    print(text_table(header, rows))


command = Command("python benchmarks/seams.py", define_flags, main, positional="RECORDING...")

if __name__ == "__main__":
    sys.exit(command())
