"""Command: how far tfnet, gionet and gionet2 trust their time branch, frequency by frequency.

python -m wideband.evaluate.fusion --run=runs/tfnet --run=runs/gionet --output=fusion.png

Bini 2021 draws the distribution of the fusion weights and reports means of about 0.5 for TFNet
and 0.9 for the thesis's own network. As there, a weight of 1 takes a bin's magnitude from the
time branch alone, and 0 from the spectral branch alone, however the run's `fusion` reads its
weights.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from ..command import UserError
from ..command.files import replacing
from ..command.named import named
from ..command.run import quiet_tensorflow, run_command
from .summary import text_table, write_csv

if TYPE_CHECKING:
    import numpy as np

    from ..upsample import Upsampler

_RUN = flags.DEFINE_multi_string(
    "run", None, "Run folder of wideband-train, or NAME=FOLDER; repeatable.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", "fusion.png", "PNG file to write; the weights go beside it as .csv."
)


def main(arguments: Sequence[str]) -> None:
    """Reads the runs' weights, draws and writes them, and prints their means."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; did you mean --run={arguments[0]}?")
    output = Path(_OUTPUT.value)
    if output.suffix.lower() != ".png":
        raise UserError(f"--output={output}: must end in .png")
    runs = named(_RUN.value)
    quiet_tensorflow()
    import numpy as np

    from ..upsample import Upsampler
    from . import figures

    upsamplers = {name: Upsampler.from_run(path) for name, path in runs.items()}
    weights = {name: _weights(runs[name], each) for name, each in upsamplers.items()}
    frequencies = {
        name: np.linspace(0, upsamplers[name].sample_rate / 2, len(each))
        for name, each in weights.items()
    }
    first, *others = runs
    for name in others:
        if not np.array_equal(frequencies[name], frequencies[first]):
            raise UserError(
                f"{runs[name]} and {runs[first]} have weights for other frequencies, by their "
                "sample rate or patch; draw them apart"
            )
    hz = frequencies[first]
    cutoffs_hz = {name: each.low_rate / 2 for name, each in upsamplers.items()}
    picture = figures.fusion_weights(weights, hz, cutoffs_hz)
    columns = {"frequency_hz": hz, **weights}
    write_csv(
        output.with_suffix(".csv"),
        [
            dict(zip(columns, map(float, row), strict=True))
            for row in zip(*columns.values(), strict=True)
        ],
    )
    with replacing(output) as temporary:
        temporary.write_bytes(picture)
    header = ["mean weight on the time branch", "all", "below the cutoff", "above it", "cutoff"]
    rows = []
    for name, each in weights.items():
        # A bin at the cutoff itself is above it, as in lsd_hf.
        below = hz < cutoffs_hz[name]
        means = [f"{part.mean():.3f}" for part in (each, each[below], each[~below])]
        rows.append([name, *means, f"{cutoffs_hz[name]:g} Hz"])
    print(text_table(header, rows))


def _weights(run: Path, upsampler: "Upsampler") -> "np.ndarray":
    """Measures the weight on the time branch at every bin that was trained, (bins,)."""
    import numpy as np

    from ..models.spectral import Fusion

    assert upsampler.network is not None
    layer = next((each for each in upsampler.network.layers if isinstance(each, Fusion)), None)
    if layer is None:
        raise UserError(
            f"{run}: {upsampler.network.name} has no fusion of a time and a spectral branch; tfnet "
            "and gionet have one"
        )
    # An impulse holds all frequencies alike. Where the spectral branch says nothing, what comes
    # out is the weight on the time branch.
    impulse = np.zeros((1, 2 * (layer.bins - 1), 1), np.float32)
    impulse[0, 0] = 1
    fused = layer([impulse, np.zeros((1, layer.bins, 1), np.float32)])
    return np.clip(np.abs(np.fft.rfft(np.asarray(fused)[0, :, 0])), 0, 1)


if __name__ == "__main__":
    run_command(main)
