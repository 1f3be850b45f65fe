"""Shipping a run: what stands in the package afterwards, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from wideband.command import UserError
from wideband.models import pretrained
from wideband.train import shipper
from wideband.upsample import Upsampler
from wideband.upsample.export import exporter


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """An empty place for trained networks."""
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The run as a TFLite file."""
    path = tmp_path_factory.mktemp("exported") / "phone.tflite"
    exporter.export(run, path, "float16")
    return path


def test_a_shipped_run_does_what_the_run_does_in_half_the_space(run, weights):
    before = (run / "best.weights.h5").stat().st_size
    shipper.ship(run, "small-4x")
    assert pretrained.names() == ["small-4x"]
    shipped = weights / "small-4x" / "best.weights.h5"
    assert shipped.stat().st_size < 0.75 * before
    wave = np.random.default_rng(0).normal(0, 0.1, 4000)
    expected, _ = Upsampler.from_run(run).upsample(wave, 4000)
    found, _ = Upsampler.from_pretrained("small-4x").upsample(wave, 4000)
    error = np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
    # Numbers of 16 bits have 11 of them before the exponent, and errors add up by their roots.
    assert 0 < error < 2**-8
    answer = pretrained.record("small-4x")["answer"]
    np.testing.assert_allclose(shipper.answer(Upsampler.from_run(run)), answer, atol=1e-5)


def test_a_record_keeps_the_recipe_and_no_paths(run, weights):
    record = json.loads((run / "run.json").read_text())
    flags = ["--recipe=demo", "--data=/home/me/data", "--run=/home/me/run", "--seed=3"]
    (run / "run.json").write_text(json.dumps(record | {"flags": flags}))
    try:
        shipper.ship(run, "small-4x")
    finally:
        (run / "run.json").write_text(json.dumps(record))
    shipped = pretrained.record("small-4x")
    assert shipped["recipe"] == record["recipe"]
    assert shipped["flags"] == ["--recipe=demo", "--seed=3"]
    text = (weights / "small-4x" / "run.json").read_text()
    assert str(record["data"]) not in text and "/home" not in text


def test_a_tflite_file_takes_the_place_of_weights_and_back(run, exported, weights):
    shipper.ship(run, "small-4x")
    shipper.ship(run, "small-4x", exported)
    assert pretrained.find("small-4x").read_bytes() == exported.read_bytes()
    assert {file.name for file in (weights / "small-4x").iterdir()} == {
        "run.json",
        "network.tflite",
    }
    assert Upsampler.from_pretrained("small-4x").ratio == 4
    shipper.ship(run, "other-4x")
    shipper.ship(run, "small-4x")
    assert pretrained.find("small-4x").is_dir()
    assert pretrained.names() == ["other-4x", "small-4x"]
    assert not list(weights.rglob(".*"))


@pytest.mark.parametrize("name", ["Small", "small_4x", "../small", "small/4x", "-4x", "", "4x "])
def test_a_name_that_is_no_name_is_refused(run, weights, name):
    with pytest.raises(UserError, match="small letters, digits and dashes"):
        shipper.ship(run, name)
    assert not weights.exists()


def test_a_file_of_another_run_is_refused(run, exported, weights, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    with (other / "best.weights.h5").open("ab") as file:
        file.write(b"another")
    with pytest.raises(UserError, match=r"was not made of .*best\.weights\.h5; export it again"):
        shipper.ship(other, "small-4x", exported)
    assert not weights.exists()
