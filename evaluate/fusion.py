"""The weight of the time branch of tfnet, gionet and gionet2 over frequency.

python -m wideband.evaluate.fusion --run=runs/tfnet --run=runs/gionet --output=fusion.png

Bini 2021 plots the distribution of the fusion weights and reports means of about 0.5 for TFNet and
0.9 for the thesis's own network. As in the thesis, a weight of 1 takes the magnitude of a bin from
the time branch alone, and 0 from the spectral branch alone, no matter which branch the layer of the
run weights.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..command import UserError
from ..command.files import check_writable, write_bytes, write_csv
from ..command.named import parse_named_paths
from ..command.paths import check_suffix
from ..command.run import Command, Flags, quiet_tensorflow
from ..command.tables import text_table

if TYPE_CHECKING:
    import numpy as np

    from ..models.restorer import Restorer


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.strings(
        "run",
        None,
        "Run folder of wideband-train, or NAME=FOLDER; repeatable.",
        required=True,
    )
    flags.string("output", "fusion.png", "PNG file to write; the weights go next to it as .csv.")


def main(flags: Flags, arguments: list[str]) -> None:
    """Reads the weights of the runs, draws and writes them, and prints their means."""
    output = Path(flags.output)
    check_suffix("output", output, ".png")
    check_writable(output)
    runs = parse_named_paths(flags.run)
    from ..upsample import find_run, load

    for run in runs.values():
        find_run(run)
    quiet_tensorflow()
    import numpy as np

    upsamplers = {name: load(path) for name, path in runs.items()}
    weights = {name: _weights(runs[name], each.network) for name, each in upsamplers.items()}
    frequencies = {
        name: np.linspace(0, upsamplers[name].sample_rate / 2, len(each))
        for name, each in weights.items()
    }
    hz = _shared_frequencies(frequencies, runs)
    cutoffs_hz = {name: each.low_rate / 2 for name, each in upsamplers.items()}
    from ..command.drawing import png
    from . import figures

    picture = png(figures.fusion_weights(weights, hz, cutoffs_hz))
    columns = {"frequency_hz": hz, **weights}
    table = np.stack([*columns.values()], axis=1).tolist()
    rows = [dict(zip(columns, row, strict=True)) for row in table]
    write_csv(output.with_suffix(".csv"), rows)
    write_bytes(output, picture)
    _print(weights, hz, cutoffs_hz)


def _shared_frequencies(
    frequencies: "dict[str, np.ndarray]", runs: dict[str, Path]
) -> "np.ndarray":
    """Returns the frequencies of the bins, shape (bins,), which all runs must share."""
    import numpy as np

    first, *others = frequencies
    for name in others:
        if not np.array_equal(frequencies[name], frequencies[first]):
            raise UserError(
                f"{runs[name]} and {runs[first]} have weights for different frequencies, because "
                "of their sample rate or patch; draw them separately"
            )
    return frequencies[first]


def _weights(run: Path, network: "Restorer") -> "np.ndarray":
    """Measures the weight of the time branch at every bin of the fusion layer, shape (bins,)."""
    import numpy as np

    from ..models.spectral import Fusion
    from ..models.system import Network

    layers = network.layers if isinstance(network, Network) else []
    layer = next((each for each in layers if isinstance(each, Fusion)), None)
    if layer is None:
        raise UserError(
            f"{run}: {network.name} has no fusion of a time branch and a spectral branch; choose a "
            "run of tfnet or gionet"
        )
    # An impulse contains all frequencies equally. With an empty spectral branch, the output is the
    # weight of the time branch.
    impulse = np.zeros((1, 2 * (layer.bins - 1), 1), np.float32)
    impulse[0, 0] = 1
    fused = layer([impulse, np.zeros((1, layer.bins, 1), np.float32)])
    return np.clip(np.abs(np.fft.rfft(np.asarray(fused)[0, :, 0])), 0, 1)


def _print(
    weights: "dict[str, np.ndarray]", hz: "np.ndarray", cutoffs_hz: dict[str, float]
) -> None:
    header = ["mean weight of the time branch", "all", "below the cutoff", "above", "cutoff"]
    rows = []
    for name, values in weights.items():
        # A bin exactly at the cutoff is above it, as in lsd_hf.
        below = hz < cutoffs_hz[name]
        means = [f"{each.mean():.3f}" for each in (values, values[below], values[~below])]
        rows.append([name, *means, f"{cutoffs_hz[name]:g} Hz"])
    print(text_table(header, rows))


command = Command("python -m wideband.evaluate.fusion", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
