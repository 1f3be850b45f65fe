"""Training through the real command, on a small corpus: run folder, resuming, refusals."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import dataset as shards
from wideband.train import recipes
from wideband.train.fit import fit, optimizer
from wideband.train.recipe import parse_overrides
from wideband.upsample import Upsampler

SMALL = [
    "--recipe=demo",
    "--set=arguments.width=0.03",
    "--set=patch=2048",
    "--set=stride=1024",
    "--set=batch=4",
    "--set=epochs=4",
    "--set=steps_per_epoch=5",
]
# A network of few layers, whose training step is soon traced; wide enough for TFNet's branches.
QUICK = ["model=dnn", "arguments.width=0.05", "patch=256", "stride=256", "spectral_weight=0"]


def command(data, run, *flags):
    return [sys.executable, "-m", "wideband.train", f"--data={data}", f"--run={run}", *flags]


def train(data, run, *flags):
    return subprocess.run(command(data, run, *flags), capture_output=True, text=True)


def history(run):
    """The history without its timings, which differ from run to run."""
    with (run / "history.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def run_here(data, run, *settings, initial_weights=None):
    """Trains in this process: a command's start takes seconds."""
    small = [flag.removeprefix("--set=") for flag in SMALL[1:]]
    recipe = recipes.get("demo", **parse_overrides([*small, *settings]))
    return fit(recipe, data, run, [], initial_weights)


def refuse(data, run, *settings):
    """The one line with which a run is refused."""
    with pytest.raises(UserError) as refused:
        run_here(data, run, *settings)
    return str(refused.value)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run that was never stopped."""
    run = tmp_path_factory.mktemp("runs") / "finished"
    done = train(data, run, *SMALL)
    assert done.returncode == 0, done.stderr
    return run, done


def test_a_run_folder_holds_all_that_a_run_was_and_gave(finished, data):
    run, _ = finished
    record = json.loads((run / "run.json").read_text())
    assert record["recipe"]["arguments"] == {"width": 0.03}
    assert record["recipe"]["source"].startswith("ours")
    assert "--set=batch=4" in record["flags"]
    assert record["data"] == str(data)
    assert set(record["versions"]) >= {"wideband", "keras", "tensorflow", "python"}
    assert record["timings"]["epochs"] == 4
    assert set(record["baselines"]["spline"]) == {"val_loss", "val_snr", "val_lsd"}
    assert record["timings"]["seconds"] > 0
    assert len(history(run)) == 4
    assert all(np.isfinite([float(value) for value in row.values()]).all() for row in history(run))
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((run / "events").glob("events.out.tfevents.*"))
    assert [path.name for path in run.glob("last-*")] == ["last-0004.weights.h5"]
    assert not list(run.glob(".*"))


def test_it_learns(finished):
    rows = history(finished[0])
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert [float(row["step"]) for row in rows] == [5, 10, 15, 20]


def test_the_command_says_what_came_out_and_what_comes_next(finished):
    run, done = finished
    assert "audiounet  SNR" in done.stdout
    assert "spline     SNR" in done.stdout
    assert f"wideband-evaluate --run={run}" in done.stdout


def test_the_best_weights_are_those_of_the_lowest_validation_loss(finished, data):
    from wideband.train.losses import patch_rmse, with_spectral_term

    run, _ = finished
    upsampler = Upsampler.from_run(run)
    losses = []
    for example in shards.read(shards.files(data, "valid")):
        estimate = upsampler.upsample(example.low, 4000)[0]
        cut = [wave.reshape(-1, 2048, 1) for wave in (example.high, estimate)]
        losses.append(np.mean(with_spectral_term(patch_rmse, 0.01)(*cut)))
    best = min(float(row["val_loss"]) for row in history(run))
    assert np.mean(losses) == pytest.approx(best, rel=1e-4)


def test_a_run_killed_twice_ends_with_the_history_of_one_that_never_was(finished, data, tmp_path):
    run = tmp_path / "killed"
    for epochs in (1, 2):
        process = subprocess.Popen(
            command(data, run, *SMALL), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while process.poll() is None:
            if (run / "history.csv").is_file() and len(history(run)) >= epochs:
                break
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert len(history(run)) < 4
    run_here(data, run)
    assert history(run) == history(finished[0])
    assert not list(run.glob(".*"))
    assert [path.name for path in run.glob("last-*")] == ["last-0004.weights.h5"]


@pytest.mark.parametrize(
    "name", ["run.json", "history.csv", "curves.png", "best.weights.h5", "last-0005.weights.h5"]
)
def test_what_was_half_written_at_a_kill_is_removed(finished, data, tmp_path, name):
    run = shutil.copytree(finished[0], tmp_path / "run")
    (run / f".12345.{name}").write_text("half of")
    run_here(data, run)
    assert sorted(path.name for path in run.iterdir()) == sorted(
        path.name for path in finished[0].iterdir()
    )


def test_a_finished_run_is_not_trained_again(finished, data):
    run, _ = finished
    before = (run / "best.weights.h5").stat().st_mtime_ns
    again = train(data, run, *SMALL)
    assert again.returncode == 0
    assert (run / "best.weights.h5").stat().st_mtime_ns == before


def test_training_stops_once_neither_loss_nor_snr_improves(data, tmp_path):
    # A rate of next to nothing leaves both as they were, and so the first epoch is the best.
    settings = ["learning_rate=1e-30", "patience=2", "schedule=constant", "epochs=50"]
    run_here(data, tmp_path / "run", *QUICK, *settings)
    assert len(history(tmp_path / "run")) == 3


@pytest.mark.parametrize("steps", [1, 5])
def test_a_loss_that_is_not_finite_stops_the_run_and_tells_what_to_try(data, tmp_path, steps):
    """In training, or behind an epoch's last step, where only the validation meets it."""
    run = tmp_path / "run"
    settings = ["learning_rate=1e30", "schedule=constant", "epochs=9", f"steps_per_epoch={steps}"]
    message = refuse(data, run, *QUICK, *settings)
    assert message.startswith("the loss became ")
    assert "--set=learning_rate=3e+29" in message
    assert not (run / "history.csv").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("ratio=2", "was prepared with ratio=4, and the recipe wants 2"),
        ("patch=100", "patch 100 is no multiple of the 32 samples"),
        ("patch=1024", "too short for the spectral term"),
        ("patch=16384", "no recording has a patch of 16384 samples"),
        ("arguments.wdith=1", "wdith"),
        ("arguments.width=0", "width 0 leaves a layer without filters"),
        ("loss=mae", "loss 'mae' is none of patch_rmse"),
        ("initial=demo", "starts from a run of demo; name its folder by --initial_weights"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_stands_in_nobodys_way(
    data, tmp_path, setting, message
):
    assert message in refuse(data, tmp_path / "run", setting)
    # Another recipe is free to take the folder.
    assert "loss 'x'" in refuse(data, tmp_path / "run", "loss=x")


def test_a_refusal_is_one_line_of_the_command(data, tmp_path):
    done = train(data, tmp_path / "run", *SMALL, "--set=loss=mae")
    assert done.returncode == 1
    assert done.stderr.strip() == "error: loss 'mae' is none of patch_rmse, patch_log_rmse, mse"


def test_a_run_is_not_continued_by_another_recipe(finished, data):
    message = refuse(data, finished[0], "batch=8")
    assert "holds a run whose recipe has batch=4, not 8" in message
    assert len(history(finished[0])) == 4


def test_a_run_is_not_continued_on_another_dataset(finished, data, tmp_path):
    other = shutil.copytree(data, tmp_path / "other")
    facts = json.loads((other / "dataset.json").read_text())
    (other / "dataset.json").write_text(json.dumps(facts | {"recordings_sha256": "other"}))
    assert "whose dataset has recordings_sha256=None, not other" in refuse(other, finished[0])


def test_a_damaged_record_is_named(finished, data, tmp_path):
    run = shutil.copytree(finished[0], tmp_path / "run")
    (run / "run.json").write_text("{")
    assert "run.json: damaged" in refuse(data, run)


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ("keras_unet", {"ratio": 4}),
        ("tfnet", {"ratio": 4, "patch": 256}),
        ("dnn", {"patch": 256}),
    ],
)
def test_a_network_is_built_for_the_patch_and_the_ratio_of_its_recipe(
    data, tmp_path, model, arguments
):
    trained = run_here(data, tmp_path / "run", *QUICK, "epochs=1", f"model={model}")
    assert trained.record["recipe"]["arguments"] == {"width": 0.05, **arguments}
    assert np.isfinite(trained.best["val_snr"])
    restored, _ = Upsampler.from_run(tmp_path / "run").upsample(np.zeros(500, np.float32), 4000)
    assert restored.shape == (2000,)


def test_a_network_of_another_ratio_than_its_recipe_is_refused(data, tmp_path):
    message = refuse(data, tmp_path / "run", "model=tfnet", "arguments.ratio=2")
    assert "the recipe's ratio is 4" in message


def test_fine_tuning_starts_from_the_weights_of_another_run(finished, data, tmp_path):
    # At a rate of next to nothing they stay what they were.
    still = ["epochs=1", "learning_rate=1e-30", "schedule=constant", "spectral_weight=0"]
    settings = [*still, "initial=demo"]
    tuned = run_here(data, tmp_path / "run", *settings, initial_weights=finished[0])
    wave = np.random.default_rng(0).normal(0, 0.1, 900).astype(np.float32)
    first, second = (
        Upsampler.from_run(run).upsample(wave, 4000)[0] for run in (finished[0], tmp_path / "run")
    )
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)
    assert len(tuned.record["initial_weights"]["sha256"]) == 64


def test_a_fine_tuned_run_is_not_continued_without_its_first_weights(finished, data, tmp_path):
    settings = ["epochs=1", "spectral_weight=0"]
    run_here(data, tmp_path / "run", *settings, initial_weights=finished[0])
    assert "whose initial_weights has sha256=" in refuse(data, tmp_path / "run", *settings)


def test_first_weights_of_another_network_are_refused(finished, data, tmp_path):
    with pytest.raises(UserError, match="of that audiounet do not fit this audiounet"):
        run_here(data, tmp_path / "run", "arguments.width=0.05", initial_weights=finished[0])
    with pytest.raises(UserError, match="of that audiounet do not fit this tfilm"):
        run_here(data, tmp_path / "run", "model=tfilm", initial_weights=finished[0])


def test_the_schedules_are_those_of_their_formulas():
    cosine = optimizer(recipes.get("demo", epochs=10, learning_rate=1e-3), 100)
    rise = 20
    for step in (0, 10, 20, 500, 1000):
        fall = 0.5 * (1 + np.cos(np.pi * (step - rise) / (1000 - rise)))
        expected = 1e-3 * (step / rise if step < rise else fall)
        cosine.iterations.assign(step)
        assert float(cosine.learning_rate) == pytest.approx(expected, rel=1e-4, abs=1e-9)
    recipe = recipes.get("demo", schedule="polynomial", learning_rate=3e-5, epsilon=1e-6)
    polynomial = optimizer(recipe, 100)
    assert polynomial.epsilon == 1e-6
    for step in (0, 1000, 250_000, 499_999, 500_000, 600_000):
        left = max(0.0, 1 - step / 500_000)
        expected = 1e-6 + (3e-5 - 1e-6) * left**0.5
        polynomial.iterations.assign(step)
        assert float(polynomial.learning_rate) == pytest.approx(expected, rel=1e-3)


def test_weight_decay_shrinks_kernels_and_no_biases():
    layer = keras.layers.Dense(3, bias_initializer="ones")
    layer.build((None, 2))
    before, steps = layer.kernel.numpy(), 5
    adam = optimizer(recipes.get("demo", schedule="constant", weight_decay=0.5), steps)
    for _ in range(steps):
        adam.apply([0 * each for each in layer.trainable_variables], layer.trainable_variables)
    shrunk = before * (1 - 0.5 * recipes.get("demo").learning_rate) ** steps
    np.testing.assert_allclose(layer.kernel, shrunk, rtol=1e-6)
    np.testing.assert_array_equal(layer.bias, 1)


def test_an_unknown_flag_is_refused(data, tmp_path):
    done = train(data, tmp_path / "run", *SMALL, "--recpie=demo")
    assert done.returncode != 0
    assert "recpie" in done.stderr
    assert not (tmp_path / "run").exists()


def test_precision_and_xla_are_flags(data, tmp_path):
    run = tmp_path / "run"
    small = [*SMALL, *(f"--set={setting}" for setting in QUICK), "--set=epochs=1"]
    done = train(data, run, *small, "--precision=mixed_bfloat16", "--xla")
    assert done.returncode == 0, done.stderr
    recipe = json.loads((run / "run.json").read_text())["recipe"]
    assert (recipe["precision"], recipe["xla"]) == ("mixed_bfloat16", True)
    assert np.isfinite(float(history(run)[0]["val_loss"]))
