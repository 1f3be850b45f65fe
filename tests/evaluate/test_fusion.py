"""The fusion weights of runs, through the command."""

import numpy as np
import pytest
from wideband import models
from wideband.command.drawing import png
from wideband.evaluate import figures, fusion
from wideband.models.record import Record

# Networks with a fusion.
pytestmark = pytest.mark.slow

PATCH = 256
BINS = PATCH // 2 + 1


def make_run(folder, model, weights, **arguments):
    """Writes a run folder whose network has these fusion weights."""
    folder.mkdir()
    arguments = {"width": 0.03, "patch": PATCH, "ratio": 4, **arguments}
    network = models.build(model, **arguments)
    # The layer stores the inverse of (tanh + 1) / 2.
    network.get_layer("fusion").set_weights([np.arctanh(2 * weights - 1)[:, None]])
    network.save_weights(folder / "best.weights.h5")
    recipe = {
        "name": f"compare_{model}",
        "source": "a paper",
        "model": model,
        "arguments": arguments,
        "sample_rate": 16000,
        "ratio": 4,
        "protocol": "decimate_spline",
    }
    Record(recipe).write(folder)
    return folder


RAMP = np.linspace(0.1, 0.8, BINS)
STEP = np.where(np.arange(BINS) < 32, 0.25, 0.125)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "tfnet", "tfnet", RAMP)
    make_run(folder / "gionet", "gionet", STEP, fusion="published")
    make_run(folder / "longer", "tfnet", np.full(257, 0.5), patch=512)
    return folder


def test_runs_have_their_weights_in_a_table_a_figure_and_means(folder, tmp_path, call, rows):
    runs = [f"--run={folder / 'tfnet'}", f"--run=thesis={folder / 'gionet'}"]
    code, out, err = call(fusion.command, *runs, f"--output={tmp_path / 'new' / 'fusion.png'}")
    assert code == 0, err
    table = rows(tmp_path / "new" / "fusion.csv")
    assert list(table[0]) == ["frequency_hz", "tfnet", "thesis"]
    columns = {name: np.array([float(row[name]) for row in table]) for name in table[0]}
    hz = columns.pop("frequency_hz")
    np.testing.assert_allclose(hz, np.arange(BINS) * 16000 / PATCH)
    np.testing.assert_allclose(columns["tfnet"], RAMP, atol=1e-5)
    # As published, the layer's weight is that of the spectral branch.
    np.testing.assert_allclose(columns["thesis"], 1 - STEP, atol=1e-5)

    figure = figures.fusion_weights(columns, hz, dict.fromkeys(columns, 2000.0))
    assert (tmp_path / "new" / "fusion.png").read_bytes() == png(figure)

    lines = [line.split() for line in out.splitlines()]
    # The bin at 2000 Hz is the 33rd and belongs to the upper band.
    expected = [f"{part.mean():.3f}" for part in (RAMP, RAMP[:32], RAMP[32:])]
    assert lines[2] == ["tfnet", *expected, "2000", "Hz"]
    assert lines[3][:4] == ["thesis", f"{(1 - STEP).mean():.3f}", "0.750", "0.875"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--run={run}"], ["audiounet has no fusion", "tfnet"]),
        (["--run={folder}/tfnet", "--run={folder}/longer"], ["different", "patch"]),
        (["--run={folder}/tfnet", "--run=tfnet={folder}/gionet"], ["'tfnet'", "NAME=PATH"]),
        (["--run={folder}"], ["run.json is missing"]),
        (["--run=speech-4x.tflite"], ["speech-4x.tflite", "TFLite file"]),
        (["--run={folder}/tfnet", "--output=fusion.jpg"], ["fusion.jpg", ".png"]),
    ],
)
def test_an_error_is_one_line_and_nothing_is_written(
    folder, run, tmp_path, call, error_line, flags, words
):
    flags = [flag.format(folder=folder, run=run) for flag in flags]
    code, _, err = call(fusion.command, f"--output={tmp_path / 'out' / 'a.png'}", *flags)
    assert code == 1
    assert all(word in error_line(err) for word in words), err
    assert not (tmp_path / "out").exists()
