"""The fusion weights of runs, through the real command."""

import csv
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import image
from wideband import models
from wideband.train import recipes

PATCH = 256
BINS = PATCH // 2 + 1


def make_run(folder, model, weights, **arguments):
    """A run folder whose network has these fusion weights, as its layer reads them."""
    folder.mkdir()
    recipe = recipes.get(f"compare_{model}")
    arguments = {"width": 0.03, "patch": PATCH, "ratio": 4, **arguments}
    recipe = dataclasses.replace(recipe, arguments=arguments)
    network = models.build(model, **arguments)
    # w = (tanh(v) + 1) / 2
    network.get_layer("fusion").set_weights([np.arctanh(2 * weights - 1)[:, None]])
    network.save_weights(folder / "best.weights.h5")
    (folder / "run.json").write_text(json.dumps({"recipe": dataclasses.asdict(recipe)}))
    return folder


def draw(output, *flags):
    return subprocess.run(
        [sys.executable, "-m", "wideband.evaluate.fusion", f"--output={output}", *flags],
        capture_output=True,
        text=True,
        check=False,
    )


RAMP = np.linspace(0.1, 0.8, BINS)
STEP = np.where(np.arange(BINS) < 32, 0.25, 0.125)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "tfnet", "tfnet", RAMP)
    make_run(folder / "gionet", "gionet", STEP, fusion="published")
    make_run(folder / "longer", "tfnet", np.full(257, 0.5), patch=512)
    return folder


@pytest.fixture(scope="module")
def drawn(folder):
    runs = [f"--run={folder / 'tfnet'}", f"--run=thesis={folder / 'gionet'}"]
    return draw(folder / "new" / "fusion.png", *runs)


def test_the_table_holds_the_weight_on_the_time_branch_in_either_reading(folder, drawn):
    assert drawn.returncode == 0, drawn.stderr
    with (folder / "new" / "fusion.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["frequency_hz", "tfnet", "thesis"]
    columns = {name: [float(row[name]) for row in rows] for name in rows[0]}
    np.testing.assert_allclose(columns["frequency_hz"], np.arange(BINS) * 16000 / PATCH)
    np.testing.assert_allclose(columns["tfnet"], RAMP, atol=1e-5)
    # In the published reading, the layer's weight is that of the spectral branch.
    np.testing.assert_allclose(columns["thesis"], 1 - STEP, atol=1e-5)


def test_means_are_printed_whole_and_on_either_side_of_the_cutoff(drawn):
    lines = [line.split() for line in drawn.stdout.splitlines()]
    # The bin at 2000 Hz is the 33rd, and above.
    expected = [f"{part.mean():.3f}" for part in (RAMP, RAMP[:32], RAMP[32:])]
    assert lines[2] == ["tfnet", *expected, "2000", "Hz"]
    assert lines[3][:4] == ["thesis", f"{(1 - STEP).mean():.3f}", "0.750", "0.875"]


def test_every_run_is_drawn_in_its_colour(folder, drawn):
    picture = image.imread(folder / "new" / "fusion.png")[..., :3]
    half = picture.shape[1] // 2
    for side, other, colour in (
        (picture[:, :half], picture[:, half:], (0x00, 0x72, 0xB2)),
        (picture[:, half:], picture[:, :half], (0xD5, 0x5E, 0x00)),
    ):
        inked, foreign = (
            (np.abs(each - np.array(colour) / 255) < 0.05).all(axis=-1).mean()
            for each in (side, other)
        )
        assert inked > 1e-3
        assert foreign == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--run={run}"], ["audiounet has no fusion", "tfnet"]),
        (["--run={folder}/tfnet", "--run={folder}/longer"], ["other", "patch"]),
        (["--run={folder}/tfnet", "--run=tfnet={folder}/gionet"], ["'tfnet'", "NAME=PATH"]),
        (["--run={folder}"], ["run.json is missing"]),
        (["--run={folder}/tfnet", "--output=fusion.jpg"], ["fusion.jpg", ".png"]),
        (["--run={folder}/tfnet", "gionet"], ["--run=gionet"]),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(folder, run, tmp_path, flags, words):
    done = draw(
        tmp_path / "out" / "a.png", *(flag.format(folder=folder, run=run) for flag in flags)
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr.splitlines()[-1] for word in words), done.stderr
    assert not (tmp_path / "out").exists()
