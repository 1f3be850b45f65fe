"""The training loop: what a run folder contains, and how a killed run continues."""

import json
from contextlib import contextmanager

import keras
import numpy as np
import pytest
import tensorflow as tf
from wideband.command import UserError
from wideband.train import run as run_module
from wideband.train import steps as steps_module
from wideband.train.fit import dtype_policy
from wideband.train.losses import weighted
from wideband.upsample import load

# Real trainings.
pytestmark = pytest.mark.slow


class Killed(BaseException):
    """Stops a training like a kill: no code of ours catches it."""


@contextmanager
def killed(owner, name, n):
    """Makes the n-th call of a function raise `Killed`, which the block must do."""
    function, calls = getattr(owner, name), iter(range(1, 100))

    def counted(*args, **kwargs):
        if next(calls) == n:
            raise Killed
        return function(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, name, counted)
        yield


def test_a_run_folder_has_a_record_curves_events_and_weights(finished, data):
    record = json.loads((finished / "run.json").read_text())
    assert record["recipe"]["arguments"] == {"ratio": 4, "width": 0.05}
    assert record["recipe"]["losses"] == {"patch_rmse": 1.0, "mse": 0.5}
    assert record["recipe"]["source"].startswith("ours")
    assert record["data"] == str(data)
    assert set(record["versions"]) >= {"wideband", "keras", "tensorflow", "python"}
    assert record["timings"]["epochs"] == 3
    assert record["timings"]["seconds"] > 0
    assert set(record["baselines"]["spline"]) == {"val_loss", "val_snr", "val_lsd"}
    assert (finished / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((finished / "events").glob("events.out.tfevents.*"))
    assert sorted(path.name for path in finished.iterdir()) == [
        "best.weights.h5", "curves.png", "events", "history.csv", "last-0003.state.npz",
        "last-0003.weights.h5", "run.json",
    ]  # fmt: skip


def test_the_history_has_a_row_per_epoch_with_every_loss(finished, history):
    rows = history(finished)
    assert list(rows[0])[:3] == ["epoch", "step", "loss"]
    # Older versions of Keras sort them.
    assert {*list(rows[0])[3:5]} == {"patch_rmse", "mse"}
    assert list(rows[0])[5:] == ["val_loss", "val_snr", "val_lsd"]
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "5"), ("2", "10"), ("3", "15")]
    for row in rows:
        total = float(row["patch_rmse"]) + 0.5 * float(row["mse"])
        assert float(row["loss"]) == pytest.approx(total, rel=1e-5)
        assert np.isfinite([float(value) for value in row.values()]).all()
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


def test_the_best_weights_are_those_of_the_lowest_validation_loss(finished, data, history):
    from wideband.data_gen.dataset import Dataset

    upsampler = load(finished)
    loss = weighted({"patch_rmse": 1.0, "mse": 0.5})
    losses = []
    for example in Dataset(data).examples("valid"):
        estimate, _ = upsampler.upsample(example.low, 4000, keep_low_band=False)
        patches = [wave.reshape(-1, 256, 1) for wave in (example.high, estimate)]
        losses.append(np.mean(loss(*({"wave": wave} for wave in patches))))
    best = min(float(row["val_loss"]) for row in history(finished))
    assert np.mean(losses) == pytest.approx(best, rel=1e-4)


def test_a_run_stopped_four_times_ends_exactly_like_one_that_never_was(
    train, eager, history, file_limit, tmp_path
):
    """By a full disk; killed before the checkpoint, before the history, and after it."""
    whole, run = tmp_path / "whole", tmp_path / "stopped"
    settings = ["model=dnn", "arguments.depth=2", "steps_per_epoch=2"]
    train(whole, *settings)
    with (
        file_limit(10_000),
        pytest.raises(UserError, match=r"last-0001\.weights\.h5: cannot be written: File too l"),
    ):
        train(run, *settings)
    assert sorted(path.name for path in run.iterdir()) == ["events", "run.json"]
    for owner, name, n in (
        (run_module.np, "savez", 2),
        (run_module, "write_csv", 1),
        # The first call is that of `restore`.
        (run_module.Run, "remove_leftovers", 2),
    ):
        with killed(owner, name, n):
            train(run, *settings)
    assert len(history(run)) == 2
    train(run, *settings)
    assert history(run) == history(whole)
    assert sorted(path.name for path in run.iterdir()) == sorted(
        path.name for path in whole.iterdir()
    )
    for name in ("last-0003.weights.h5", "best.weights.h5"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    one, other = (np.load(folder / "last-0003.state.npz") for folder in (run, whole))
    assert one.files == other.files
    for key in one.files:
        np.testing.assert_array_equal(one[key], other[key])


def test_a_finished_run_is_not_trained_again(finished, train, monkeypatch):
    monkeypatch.setattr(run_module.Run, "finish_epoch", None)
    assert train(finished).epoch == 3


def test_training_stops_once_neither_loss_nor_snr_improves(train, eager, tmp_path):
    # This learning rate does not change the dense network, so the first epoch is the best.
    settings = ["model=dnn", "optimizer.learning_rate=1e-30", "steps_per_epoch=1"]
    run = train(tmp_path / "run", *settings, "patience=2", "epochs=50")
    assert run.epoch == 3


@pytest.mark.parametrize("steps", [1, 5])
def test_a_loss_that_is_not_finite_stops_the_run_with_advice(train, eager, tmp_path, steps):
    """In a training step; or after the only step of an epoch, where only validation finds it."""
    run = tmp_path / "run"
    settings = ["optimizer.learning_rate=1000", "epochs=9", f"steps_per_epoch={steps}"]
    with pytest.raises(UserError, match=r"^the loss became ") as error:
        train(run, "optimizer.schedule=constant", *settings)
    assert "--set=optimizer.learning_rate=3e+02" in str(error.value)
    assert not (run / "history.csv").exists()


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")]
)
def test_a_full_memory_is_reported_in_one_line(train, tmp_path, monkeypatch, error):
    def exhaust(*arguments):
        raise error

    monkeypatch.setattr(steps_module, "compile_step", exhaust)
    with pytest.raises(UserError, match=r"the memory does not suffice .*; choose a smaller batch"):
        train(tmp_path / "run")


def test_training_data_without_a_batch_is_refused(train, tmp_path):
    with pytest.raises(UserError, match="the train split has no batch"):
        train(tmp_path / "run", "augmentation.silence_rms=0.9")


def test_a_network_trains_in_mixed_precision_with_xla(train, no_curves, tmp_path):
    settings = ["model=dnn", "arguments.depth=2", "losses.mse=0"]
    settings += ["precision=mixed_bfloat16", "xla=true"]
    run = train(tmp_path / "run", *settings, "epochs=1", "steps_per_epoch=1")
    assert np.isfinite(run.best["val_loss"])
    assert keras.config.dtype_policy().name == "float32"


def test_the_dtype_policy_is_restored_after_an_error():
    with pytest.raises(Killed), dtype_policy("mixed_float16"):
        assert keras.config.dtype_policy().name == "mixed_float16"
        raise Killed
    assert keras.config.dtype_policy().name == "float32"
