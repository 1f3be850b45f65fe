"""Listens for seams: how much sharper a restored recording is where two windows meet.

    python benchmarks/seams.py RECORDING... --model=runs/a --model=runs/a.tflite --output=seams.md

The recordings are joined to one, its low side is made by the model's ratio, and restored. The
energy of the second differences, which clicks fill, in the 2 ms around every border is compared
with that in the 4 ms on either side. Means over all borders, in dB, with 95 % bootstrap intervals:
a seam is above 0.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm
from wideband import audio
from wideband.command import UserError
from wideband.command.files import replacing
from wideband.command.run import quiet_tensorflow, run_command
from wideband.data_gen import degrade

_MODEL = flags.DEFINE_multi_string(
    "model", None, "A run folder or a TFLite file, or NAME=MODEL; repeatable.", required=True
)
_OUTPUT = flags.DEFINE_string("output", "seams.md", "Markdown file to write.")

# Samples on either side of a border.
HALF = 16


def differences(restored: np.ndarray, hop: int, offset: int) -> np.ndarray:
    """Gives how much sharper each border is than what is on either side, in dB.

    Args:
        restored: (n,).
        hop: samples from one border to the next.
        offset: of the first border.

    Returns:
        one value per border where the wave is not silent.
    """
    sharp = np.diff(restored.astype(np.float64), 2) ** 2
    borders = np.arange(offset + hop, len(sharp) - 6 * HALF, hop)
    # (borders, 10 HALF): what is on the left, the border, what is on the right
    around = np.stack([sharp[at - 5 * HALF : at + 5 * HALF] for at in borders])
    at = around[:, 4 * HALF : 6 * HALF].mean(axis=1)
    beside = np.delete(around, np.s_[4 * HALF : 6 * HALF], axis=1).mean(axis=1)
    heard = np.minimum(at, beside) > 1e-12
    return 10 * np.log10(at[heard] / beside[heard])


def main(arguments: Sequence[str]) -> None:
    """Restores all recordings by all models and writes a row for each model."""
    if not arguments:
        raise UserError("name at least one recording")
    quiet_tensorflow()
    from wideband.command.named import named
    from wideband.evaluate.summary import markdown_table, summarize, text_table
    from wideband.upsample import restore
    from wideband.upsample.windows import WINDOW, grid

    rows = []
    models = named(_MODEL.value)
    waves = [audio.read(Path(path)) for path in arguments]
    with tqdm(total=len(models), unit="model") as bar:
        for name, model in models.items():
            upsampler = restore.load(str(model), 16000, 4)
            network, ratio = upsampler.network, upsampler.ratio
            if network is None:
                raise UserError(f"{model}: an interpolation has no windows")
            window, lead, fade = grid(network, WINDOW)
            joined = [
                audio.resample(audio.mono(wave), sample_rate, upsampler.sample_rate)
                for wave, sample_rate in waves
            ]
            high = np.concatenate(joined)
            step = network.factor
            low = degrade.decimate(degrade.crop(high, ratio), ratio)
            restored, _ = upsampler.upsample(low, upsampler.low_rate)
            hop = step * (window - 2 * lead - fade)
            # The middle of a fade; the first window has none before it.
            values = differences(restored, hop, -step * fade // 2)
            bar.update()
            mean = summarize(values)
            cells = [f"{mean.mean:.2f} [{mean.low:.2f}, {mean.high:.2f}]", str(len(values))]
            rows.append([name, *cells])
    header = ["model", "borders beside what is next to them, dB", "borders"]
    with replacing(Path(_OUTPUT.value)) as temporary:
        temporary.write_text(markdown_table(header, rows) + "\n", encoding="utf-8")
    print(text_table(header, rows))


if __name__ == "__main__":
    run_command(main)
