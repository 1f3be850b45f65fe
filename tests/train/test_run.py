"""The run folder, without training a network."""

import numpy as np
import pytest
from wideband.command import UserError
from wideband.models.record import Record, read_history
from wideband.train.run import Run, new_record

RECIPE = {
    "name": "demo",
    "source": "ours",
    "model": "audiounet",
    "arguments": {"width": 0.05},
    "sample_rate": 16000,
    "ratio": 4,
    "protocol": "decimate_spline",
    "patch": 256,
    "optimizer": {"learning_rate": 0.1},
}


class Network:
    """Saves and loads a number as its weights."""

    def __init__(self, number=0):
        self.number = number

    def save_weights(self, path):
        path.write_text(str(self.number))

    def load_weights(self, path):
        self.number = int(path.read_text())


class Variable:
    """A variable of an optimizer."""

    def __init__(self, value):
        self.value = np.float32(value)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value)

    def assign(self, value):
        self.value = value


def open_run(folder, recipe=RECIPE, **options):
    return Run(folder, new_record(recipe), **{"epochs": 9, **options})


def fill(run, losses, snrs=None, networks=("network",)):
    """Adds epochs with these validation losses; the weights of an epoch are its number."""
    for loss, snr in zip(losses, snrs or losses, strict=True):
        epoch = run.epoch + 1
        row = {"epoch": epoch, "loss": 1.0, "val_loss": loss, "val_snr": snr, "seconds": 0.5}
        saved = {name: Network(10 * number + epoch) for number, name in enumerate(networks)}
        run.finish_epoch(row, saved, [Variable(epoch), Variable(-epoch)])
    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_epoch_leaves_history_record_checkpoint_and_best_weights(tmp_path):
    run = fill(open_run(tmp_path), [3.0, 1.0, 2.0])
    assert names(tmp_path) == [
        "best.weights.h5", "history.csv", "last-0003.state.npz", "last-0003.weights.h5", "run.json",
    ]  # fmt: skip
    assert read_history(tmp_path) == run.rows
    assert run.best["epoch"] == 2
    assert (tmp_path / "best.weights.h5").read_text() == "2"
    record = Record.read(tmp_path)
    assert (record.timings.epochs, record.timings.seconds) == (3, 1.5)


def test_a_run_continues_with_the_networks_and_variables_of_its_last_epoch(tmp_path):
    fill(open_run(tmp_path), [3.0, 1.0])
    run, network, state = open_run(tmp_path), Network(), [Variable(0), Variable(0)]
    assert run.epoch == 2
    run.restore({"network": network}, state)
    assert (network.number, [each.value for each in state]) == (2, [2, -2])


def test_every_network_of_a_system_has_its_own_files(tmp_path):
    networks = ("encoder", "decoder")
    fill(open_run(tmp_path), [1.0, 2.0], networks=networks)
    assert names(tmp_path) == [
        "best.decoder.weights.h5", "best.encoder.weights.h5", "history.csv",
        "last-0002.decoder.weights.h5", "last-0002.encoder.weights.h5", "last-0002.state.npz",
        "run.json",
    ]  # fmt: skip
    assert (tmp_path / "best.decoder.weights.h5").read_text() == "11"
    filled = {name: Network() for name in networks}
    open_run(tmp_path).restore(filled, [Variable(0), Variable(0)])
    assert [network.number for network in filled.values()] == [2, 12]


@pytest.mark.parametrize("file", ["last-0002.weights.h5", "last-0002.state.npz"])
def test_a_run_without_its_checkpoint_is_refused(tmp_path, file):
    fill(open_run(tmp_path), [3.0, 1.0])
    (tmp_path / file).unlink()
    run = open_run(tmp_path)
    with pytest.raises(UserError, match="the checkpoint last-0002 is missing or damaged"):
        run.restore({"network": Network()}, [Variable(0), Variable(0)])


def test_a_checkpoint_of_other_variables_is_refused(tmp_path):
    fill(open_run(tmp_path), [3.0, 1.0])
    with pytest.raises(UserError, match="the checkpoint last-0002 is missing or damaged"):
        open_run(tmp_path).restore({"network": Network()}, [Variable(0)])


@pytest.mark.parametrize(
    "leftover",
    [
        ".123.run.json", ".123.history.csv", ".123.curves.png", ".123.best.weights.h5",
        ".123.last-0003.state.npz", "last-0003.state.npz", "last-0003.weights.h5",
        "last-0001.weights.h5",
    ],
)  # fmt: skip
def test_files_that_a_killed_run_leaves_are_removed(tmp_path, leftover):
    fill(open_run(tmp_path), [3.0, 1.0])
    before = names(tmp_path)
    (tmp_path / leftover).write_text("half of")
    open_run(tmp_path)
    assert names(tmp_path) == before


def test_the_last_of_several_equal_epochs_is_the_best(tmp_path):
    run = fill(open_run(tmp_path), [1.0, 0.5, 0.5])
    assert run.best["epoch"] == 3
    assert (tmp_path / "best.weights.h5").read_text() == "3"


def test_another_column_can_select_the_best_epoch(tmp_path):
    run = fill(open_run(tmp_path, select="val_snr"), [1.0, 2.0], snrs=[5.0, 3.0])
    assert run.best["epoch"] == 2


@pytest.mark.parametrize(
    ("losses", "snrs", "finished"),
    [
        ([3.0, 2.0, 2.5], [1.0, 1.0, 1.0], False),
        ([3.0, 2.0, 2.5, 2.5], [1.0, 1.0, 1.0, 1.0], True),
        # The SNR still rises.
        ([3.0, 2.0, 2.5, 2.5], [1.0, 1.0, 1.0, 1.5], False),
        # Equal is not better.
        ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], True),
    ],
)
def test_patience_waits_for_a_better_loss_or_snr(tmp_path, losses, snrs, finished):
    run = fill(open_run(tmp_path, patience=2), losses, snrs)
    assert run.finished == finished


def test_a_run_ends_after_its_epochs(tmp_path):
    assert not open_run(tmp_path, epochs=1).finished
    assert fill(open_run(tmp_path, epochs=1), [1.0]).finished


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample_rate": 8000}, "holds a run whose recipe has sample_rate=16000, not 8000"),
        ({"optimizer": {"learning_rate": 0.2}}, "has optimizer.learning_rate=0.1, not 0.2"),
        ({"arguments": {}}, "has arguments.width=0.05, not None"),
        ({"arguments": {"width": 0.05, "patch": 128}}, "has arguments.patch=None, not 128"),
    ],
)
def test_a_folder_with_epochs_of_another_run_is_refused(tmp_path, changes, message):
    fill(open_run(tmp_path), [1.0])
    with pytest.raises(UserError) as error:
        open_run(tmp_path, {**RECIPE, **changes})
    assert message in str(error.value)


def test_an_argument_that_repeats_the_recipe_does_not_make_another_run(tmp_path):
    fill(open_run(tmp_path), [1.0])
    repeated = {**RECIPE, "arguments": {"width": 0.05, "ratio": 4, "patch": 256}}
    assert open_run(tmp_path, repeated).epoch == 1


def test_a_folder_without_epochs_is_free_for_another_run(tmp_path):
    new_record({**RECIPE, "sample_rate": 8000}).write(tmp_path)
    assert open_run(tmp_path).record.recipe == RECIPE


@pytest.mark.parametrize("content", ["epoch,loss\n1,x\n", "epoch,loss\n1\n"])
def test_a_damaged_history_is_refused(tmp_path, content):
    fill(open_run(tmp_path), [1.0])
    (tmp_path / "history.csv").write_text(content)
    with pytest.raises(UserError, match="damaged"):
        open_run(tmp_path)


def test_a_missing_record_is_refused(tmp_path):
    fill(open_run(tmp_path), [1.0])
    (tmp_path / "run.json").unlink()
    with pytest.raises(UserError, match=r"run\.json is missing"):
        open_run(tmp_path)
