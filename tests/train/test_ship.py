"""Shipping a run: what the package contains afterwards, and what is refused."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from wideband.command import UserError
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.train import recipes, shipper
from wideband.train.ship import command
from wideband.upsample import find_run, load

# Real trainings.
pytestmark = pytest.mark.slow

FLAGS = ["--recipe=demo", "--data=/home/me/data", "--run=/home/me/run", "--set=seed=3"]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An empty folder of shipped networks."""
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture(scope="module")
def trained(run, data, tmp_path_factory):
    """A run folder whose record has a complete recipe, and paths."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("trained") / "run")
    record = Record.read(folder)
    recipe = recipes.get("demo", arguments={"width": 0.03})
    record.recipe, record.flags, record.data = recipe.to_json(), FLAGS, "/home/me/data"
    record.write(folder)
    return folder


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """The run as a TFLite file."""
    from wideband.upsample.export.exporter import export

    path = tmp_path_factory.mktemp("exported") / "phone.tflite"
    export(trained, path, "float16")
    return path


def test_a_shipped_run_restores_like_the_run_in_half_the_space(trained, shipped):
    before = (trained / "best.weights.h5").stat().st_size
    shipper.ship(trained, "small-4x")
    assert pretrained.names() == ["small-4x"]
    folder = shipped / "small-4x"
    assert sorted(path.name for path in folder.iterdir()) == [
        "best.weights.h5", "network.tflite", "run.json",
    ]  # fmt: skip
    _, weights = find_run("small-4x")
    assert weights.stat().st_size < 0.75 * before
    wave = np.random.default_rng(0).normal(0, 0.1, 4000)
    expected, _ = load(trained).upsample(wave, 4000)
    for model in ("small-4x", weights):
        found, _ = load(model).upsample(wave, 4000)
        error = np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
        # 16-bit floats have a precision of 11 bits, and rounding errors add up.
        assert 0 < error < 2**-8
    answer = Record.read(folder).answer
    np.testing.assert_allclose(shipper.answer(load(trained)), answer, atol=1e-2)
    np.testing.assert_allclose(shipper.answer(load("small-4x")), answer, atol=1e-6)


def test_an_exported_file_is_shipped_as_it_is(trained, exported, shipped):
    shipper.ship(trained, "small-4x", exported, weights=False)
    folder = pretrained.find("small-4x")
    assert sorted(path.name for path in folder.iterdir()) == ["network.tflite", "run.json"]
    assert (folder / "network.tflite").read_bytes() == exported.read_bytes()
    assert load("small-4x").ratio == 4


def test_the_record_of_a_shipped_network_has_no_paths(trained, exported, shipped):
    shipper.ship(trained, "small-4x", exported)
    record = Record.read(shipped / "small-4x")
    assert record.recipe == Record.read(trained).recipe
    assert record.flags == ["--recipe=demo", "--set=seed=3"]
    assert "/home" not in (shipped / "small-4x" / "run.json").read_text()


def test_shipping_again_replaces_the_network_and_keeps_the_others(trained, exported, shipped):
    shipper.ship(trained, "small-4x", exported)
    shipper.ship(trained, "other-4x", exported)
    shipper.ship(trained, "small-4x", exported, weights=False)
    assert pretrained.names() == ["other-4x", "small-4x"]
    assert not (pretrained.find("small-4x") / "best.weights.h5").exists()
    assert (pretrained.find("other-4x") / "best.weights.h5").exists()
    assert not list(shipped.parent.rglob(".*"))


@pytest.mark.parametrize("step", ["to_float16", "answer"])
def test_a_failure_keeps_the_previous_network(trained, exported, shipped, monkeypatch, step):
    shipper.ship(trained, "small-4x", exported)

    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(shipper, step, fail)
    with pytest.raises(KeyboardInterrupt):
        shipper.ship(trained, "small-4x", exported)
    # `find` compares the checksums.
    assert (pretrained.find("small-4x") / "network.tflite").is_file()
    assert not list(shipped.parent.rglob(".*"))


def test_a_full_disk_keeps_the_previous_network(trained, exported, shipped, file_limit):
    shipper.ship(trained, "small-4x", exported)
    with file_limit(10_000), pytest.raises(UserError, match="cannot be written: File too large"):
        shipper.ship(trained, "small-4x", exported)
    assert (pretrained.find("small-4x") / "network.tflite").is_file()
    assert not list(shipped.parent.rglob(".*"))


def test_damaged_weights_are_not_shipped(trained, shipped, tmp_path):
    other = shutil.copytree(trained, tmp_path / "other")
    weights = other / "best.weights.h5"
    weights.write_bytes(weights.read_bytes()[:50_000])
    with pytest.raises(UserError, match=r"other/best\.weights\.h5: damaged, or not the weights"):
        shipper.ship(other, "small-4x")
    assert not shipped.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("optimizer", "adam"), ("losses", ["mse"]), ("epochs", "many"), ("spectral_weight", 1)],
)
def test_a_damaged_recipe_is_not_shipped(trained, shipped, tmp_path, field, value):
    other = shutil.copytree(trained, tmp_path / "other")
    record = Record.read(other)
    record.recipe[field] = value
    record.write(other)
    with pytest.raises(UserError, match=r"other/run\.json: damaged \(not a recipe: .*; put back"):
        shipper.check(other, "small-4x")


@pytest.mark.parametrize("name", ["Small", "small_4x", "../small", "small/4x", "-4x", "", "4x "])
def test_a_malformed_name_is_refused(trained, shipped, name):
    with pytest.raises(UserError, match="use lower-case letters, digits, and dashes"):
        shipper.ship(trained, name)
    assert not shipped.exists()


def test_the_command_ships_a_network(trained, exported, shipped, call):
    code, out, err = call(
        command, f"--run={trained}", f"--tflite={exported}", "--name=small-4x", "--noweights"
    )
    assert code == 0, err
    assert out.startswith(f"{shipped / 'small-4x'}: 0.")
    assert out.endswith("MB; its model card is models/cards/small-4x.md\n")
    assert [path.name for path in (shipped / "small-4x").glob("*.h5")] == []


def test_the_command_refuses_a_file_of_another_run(
    trained, exported, shipped, call, error_line, tmp_path
):
    other = shutil.copytree(trained, tmp_path / "other")
    with (other / "best.weights.h5").open("ab") as file:
        file.write(b"another")
    code, _, err = call(command, f"--run={other}", f"--tflite={exported}", "--name=small-4x")
    assert code == 1
    assert error_line(err).endswith("best.weights.h5; export it again")
    assert not shipped.exists()


def test_a_process_refuses_a_missing_run():
    done = subprocess.run(
        [sys.executable, "-m", "wideband.train.ship", "--run=none", "--name=x"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: none: no such run folder")
