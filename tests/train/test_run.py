"""The run folder, without training a network."""

import pytest
from wideband.command import UserError
from wideband.models.record import Record, read_history
from wideband.train.identity import new_record


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_epoch_leaves_history_record_checkpoint_and_best_weights(runs, tmp_path):
    run = runs.fill(runs.open(tmp_path), [3.0, 1.0, 2.0])
    assert names(tmp_path) == [
        "best.weights.h5", "history.csv", "last-0003.state.npz", "last-0003.weights.h5", "run.json",
    ]  # fmt: skip
    assert read_history(tmp_path) == run.rows
    assert run.best["epoch"] == 2
    assert runs.read_number(tmp_path / "best.weights.h5") == 2
    record = Record.read(tmp_path)
    assert (record.timings.epochs, record.timings.seconds) == (3, 1.5)


def test_a_run_continues_with_the_networks_and_variables_of_its_last_epoch(runs, tmp_path):
    runs.fill(runs.open(tmp_path), [3.0, 1.0])
    run, network, restored = runs.open(tmp_path), runs.network(), runs.state(0)
    assert run.epoch == 2
    run.restore({"network": network}, restored)
    assert (network.number, [each.value for each in restored]) == (2, [2, -2])


def test_every_network_of_a_system_has_its_own_files(runs, tmp_path):
    networks = ("encoder", "decoder")
    runs.fill(runs.open(tmp_path), [1.0, 2.0], networks=networks)
    assert names(tmp_path) == [
        "best.decoder.weights.h5", "best.encoder.weights.h5", "history.csv",
        "last-0002.decoder.weights.h5", "last-0002.encoder.weights.h5", "last-0002.state.npz",
        "run.json",
    ]  # fmt: skip
    assert runs.read_number(tmp_path / "best.decoder.weights.h5") == 11
    filled = {name: runs.network() for name in networks}
    runs.open(tmp_path).restore(filled, runs.state(0))
    assert [network.number for network in filled.values()] == [2, 12]


def test_the_last_of_several_equal_epochs_is_the_best(runs, tmp_path):
    run = runs.fill(runs.open(tmp_path), [1.0, 0.5, 0.5])
    assert run.best["epoch"] == 3
    assert runs.read_number(tmp_path / "best.weights.h5") == 3


def test_another_column_can_select_the_best_epoch(runs, tmp_path):
    run = runs.fill(runs.open(tmp_path, validation=["val_snr"]), [1.0, 2.0], snrs=[5.0, 3.0])
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
def test_patience_waits_for_a_better_loss_or_snr(runs, tmp_path, losses, snrs, finished):
    run = runs.fill(runs.open(tmp_path, patience=2), losses, snrs)
    assert run.finished == finished


def test_a_run_ends_after_its_epochs(runs, tmp_path):
    assert not runs.open(tmp_path, epochs=1).finished
    assert runs.fill(runs.open(tmp_path, epochs=1), [1.0]).finished


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sample_rate": 8000}, "holds a run whose recipe has sample_rate=16000, not 8000"),
        ({"optimizer": {"learning_rate": 0.2}}, "has optimizer.learning_rate=0.1, not 0.2"),
        ({"arguments": {}}, "has arguments.width=0.05, not None"),
        ({"arguments": {"width": 0.05, "patch": 128}}, "has arguments.patch=None, not 128"),
    ],
)
def test_a_folder_with_epochs_of_another_run_is_refused(runs, tmp_path, changes, message):
    runs.fill(runs.open(tmp_path), [1.0])
    with pytest.raises(UserError) as error:
        runs.open(tmp_path, {**runs.recipe, **changes})
    assert message in str(error.value)


def test_an_argument_that_repeats_the_recipe_does_not_make_another_run(runs, tmp_path):
    runs.fill(runs.open(tmp_path), [1.0])
    repeated = {**runs.recipe, "arguments": {"width": 0.05, "ratio": 4, "patch": 256}}
    assert runs.open(tmp_path, repeated).epoch == 1


def test_a_folder_without_epochs_is_free_for_another_run(runs, tmp_path):
    new_record({**runs.recipe, "sample_rate": 8000}).write(tmp_path)
    assert runs.open(tmp_path).record.recipe == runs.recipe
