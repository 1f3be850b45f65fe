"""The training loop: what a run leaves, and how it continues after a kill."""

import json

import keras
import numpy as np
import pytest
from wideband.command import UserError
from wideband.train import fit as fit_module
from wideband.train import run as run_module
from wideband.train.losses import weighted
from wideband.upsample import load


class Killed(BaseException):
    """Stops a training as a kill does: no code of ours catches it."""


@pytest.fixture
def kill(monkeypatch):
    """Returns a function that makes the n-th call of a function raise `Killed`."""

    def kill(owner, name, n):
        function, calls = getattr(owner, name), iter(range(1, 100))

        def counted(*args, **kwargs):
            if next(calls) == n:
                raise Killed
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    yield kill


def test_a_run_folder_has_a_record_curves_events_and_weights(finished, data, history):
    record = json.loads((finished / "run.json").read_text())
    assert record["recipe"]["arguments"] == {"width": 0.03}
    assert record["recipe"]["losses"] == {"patch_rmse": 1.0, "log_spectral": 0.01}
    assert record["recipe"]["source"].startswith("ours")
    assert record["data"] == str(data)
    assert set(record["versions"]) >= {"wideband", "keras", "tensorflow", "python"}
    assert record["timings"]["epochs"] == 4
    assert record["timings"]["seconds"] > 0
    assert set(record["baselines"]["spline"]) == {"val_loss", "val_snr", "val_lsd"}
    assert (finished / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((finished / "events").glob("events.out.tfevents.*"))
    assert sorted(path.name for path in finished.iterdir()) == [
        "best.weights.h5", "curves.png", "events", "history.csv", "last-0004.state.npz",
        "last-0004.weights.h5", "run.json",
    ]  # fmt: skip


def test_the_history_has_a_row_per_epoch_with_every_loss(finished, history):
    rows = history(finished)
    assert list(rows[0]) == [
        "epoch", "step", "loss", "patch_rmse", "log_spectral", "val_loss", "val_snr", "val_lsd",
    ]  # fmt: skip
    assert [(row["epoch"], row["step"]) for row in rows] == [
        ("1", "5"), ("2", "10"), ("3", "15"), ("4", "20"),
    ]  # fmt: skip
    for row in rows:
        total = float(row["patch_rmse"]) + 0.01 * float(row["log_spectral"])
        assert float(row["loss"]) == pytest.approx(total, rel=1e-5)
        assert np.isfinite([float(value) for value in row.values()]).all()
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_the_best_weights_are_those_of_the_lowest_validation_loss(finished, data, history):
    from wideband.data_gen.dataset import Dataset

    upsampler = load(finished)
    loss = weighted({"patch_rmse": 1.0, "log_spectral": 0.01})
    losses = []
    for example in Dataset(data).examples("valid"):
        estimate, _ = upsampler.upsample(example.low, 4000, keep_low_band=False)
        cut = [wave.reshape(-1, 2048, 1) for wave in (example.high, estimate)]
        losses.append(np.mean(loss(*cut)))
    best = min(float(row["val_loss"]) for row in history(finished))
    assert np.mean(losses) == pytest.approx(best, rel=1e-4)


@pytest.mark.slow
def test_a_run_killed_three_times_ends_exactly_like_one_that_never_was(
    finished, train, kill, monkeypatch, history, tmp_path
):
    """Killed before a checkpoint, between checkpoint and history, and after the history."""
    run = tmp_path / "killed"
    for owner, name, n in (
        (run_module.np, "savez", 2),
        (run_module, "write_csv", 2),
        (run_module.Record, "write", 1),
    ):
        kill(owner, name, n)
        with pytest.raises(Killed):
            train(run)
        monkeypatch.undo()
    assert len(history(run)) == 3
    train(run)
    assert history(run) == history(finished)
    assert sorted(path.name for path in run.iterdir()) == sorted(
        path.name for path in finished.iterdir()
    )
    for name in ("last-0004", "best"):
        one, other = (load(folder / f"{name}.weights.h5").network for folder in (run, finished))
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    one, other = (np.load(folder / "last-0004.state.npz") for folder in (run, finished))
    assert one.files == other.files
    for key in one.files:
        np.testing.assert_array_equal(one[key], other[key])


def test_a_finished_run_is_not_trained_again(finished, train, monkeypatch):
    monkeypatch.setattr(run_module.Run, "finish_epoch", None)
    assert train(finished).epoch == 4


def test_training_stops_once_neither_loss_nor_snr_improves(quick, tmp_path):
    # This learning rate changes nothing, so the first epoch is the best.
    run = quick(tmp_path / "run", "optimizer.learning_rate=1e-30", "patience=2", "epochs=50")
    assert run.epoch == 3


@pytest.mark.parametrize("steps", [1, 5])
def test_a_loss_that_is_not_finite_stops_the_run_with_advice(quick, tmp_path, steps):
    """In training; or after an epoch's last step, where only the validation meets it."""
    run = tmp_path / "run"
    settings = ["optimizer.learning_rate=1e30", "epochs=9", f"steps_per_epoch={steps}"]
    with pytest.raises(UserError, match=r"^the loss became ") as error:
        quick(run, *settings)
    assert "--set=optimizer.learning_rate=3e+29" in str(error.value)
    assert not (run / "history.csv").exists()


def test_training_data_without_a_batch_is_refused(quick, tmp_path):
    settings = ["augmentation.silence_rms=0.9", "steps_per_epoch=5"]
    with pytest.raises(UserError, match="the train split has no batch"):
        quick(tmp_path / "run", *settings)


def test_the_dtype_policy_is_put_back_after_a_training(quick, tmp_path):
    run = quick(tmp_path / "run", "precision=mixed_bfloat16", "epochs=1", "steps_per_epoch=1")
    assert np.isfinite(run.best["val_loss"])
    assert keras.config.dtype_policy().name == "float32"
    with pytest.raises(Killed), fit_module.dtype_policy("mixed_float16"):
        raise Killed
    assert keras.config.dtype_policy().name == "float32"


def test_batches_of_all_shapes_share_one_graph(experiment, quick_settings, monkeypatch):
    (objective,) = experiment(*quick_settings).build().objectives
    train_step, traced = objective.train_step, []
    monkeypatch.setattr(
        type(objective), "train_step", lambda self, data: traced.append(1) or train_step(data)
    )
    step = fit_module.compile_step(objective)
    counts = []
    for size in (4, 3, 5):
        step([np.zeros((size, 256, 1), np.float32)] * 2)
        counts.append(len(traced))
    assert counts[0] == counts[1] == counts[2]


def test_every_epoch_seeds_the_random_layers_anew(experiment):
    objectives = experiment().build().objectives

    def states(seed, epoch):
        fit_module.reseed(objectives, seed, epoch)
        return [
            tuple(np.asarray(variable))
            for variable in objectives[0].non_trainable_variables
            if variable.path.endswith("seed_generator_state")
        ]

    assert len(states(0, 1)) > 1
    assert states(0, 1) == states(0, 1)
    different = [*states(0, 1), *states(0, 2), *states(1, 1)]
    assert len(set(different)) == len(different)
