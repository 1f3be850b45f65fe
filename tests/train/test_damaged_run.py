"""Damaged and edited run folders: one line for each, and no file is lost."""

import json
import re

import h5py
import numpy as np
import pytest
from wideband.command import UserError
from wideband.command.locks import locked
from wideband.models.record import Record
from wideband.train.identity import new_record
from wideband.train.run import Run

ADVICE = "put back a copy of the file, or train the run again in another folder"


@pytest.fixture
def folder(runs, tmp_path):
    """A run of two epochs."""
    runs.fill(runs.open(tmp_path / "run"), [3.0, 1.0])
    return tmp_path / "run"


@pytest.fixture
def refusal(runs):
    """Returns a function that continues a run, checks that no file changes, and returns the error.

    The file of the lock is not there any more, and a message is one line.
    """

    def refusal(folder):
        before = {path: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(UserError) as error:
            runs.restore(folder)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        assert "\n" not in str(error.value)
        return str(error.value)

    return refusal


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def garble(path):
    path.write_bytes(np.random.default_rng(0).bytes(3000))


def flip(path):
    """Changes one bit of a number."""
    content = bytearray(path.read_bytes())
    place = content.index(np.float32(2).tobytes())
    content[place] ^= 1
    path.write_bytes(content)


# === Checkpoints ===


@pytest.mark.parametrize("damage", [cut, empty, garble, flip])
@pytest.mark.parametrize("file", ["last-0002.weights.h5", "last-0002.state.npz"])
def test_a_damaged_file_of_the_checkpoint_is_named(folder, refusal, file, damage):
    damage(folder / file)
    message = refusal(folder)
    assert message.startswith(f"{folder / file}: damaged, or ")
    assert message.endswith(ADVICE)


@pytest.mark.parametrize("file", ["last-0002.weights.h5", "last-0002.state.npz"])
def test_a_missing_file_of_the_checkpoint_is_named(folder, refusal, file):
    (folder / file).unlink()
    message = refusal(folder)
    assert message.startswith(f"{folder / file}: ") and message.endswith(ADVICE)


def test_a_missing_checkpoint_is_refused(folder, refusal):
    for file in folder.glob("last-*"):
        file.unlink()
    assert "history.csv ends with epoch 2, and its checkpoint last-0002 is missing" in refusal(
        folder
    )


@pytest.mark.parametrize("arrays", [[], [2.0], [2.0, -2.0, 0.0], [[2.0, 2.0], -2.0]])
def test_a_checkpoint_of_another_training_is_refused(folder, refusal, arrays):
    np.savez(folder / "last-0002.state.npz", *arrays)
    assert "last-0002.state.npz: damaged, or that of another run; " in refusal(folder)


def test_a_checkpoint_with_one_plain_array_is_refused(folder, refusal):
    with (folder / "last-0002.state.npz").open("wb") as file:
        np.save(file, [2.0, -2.0])
    assert "last-0002.state.npz: damaged, or that of another run; " in refusal(folder)


def test_a_checkpoint_that_would_run_code_is_refused(folder, refusal):
    np.savez(folder / "last-0002.state.npz", np.array([print, print], object))
    assert "last-0002.state.npz: damaged, or " in refusal(folder)


def test_weights_of_another_network_are_refused(folder, refusal):
    with h5py.File(folder / "last-0002.weights.h5", "w") as file:
        file["other"] = [1.0]
    assert "last-0002.weights.h5: damaged, or not the weights of this network; " in refusal(folder)


def test_weights_of_a_larger_network_are_refused(folder, refusal):
    with h5py.File(folder / "last-0002.weights.h5", "w") as file:
        file["number"], file["more"] = [2.0], [1.0]
    assert "has 2 arrays of weights, and this network has 1; " in refusal(folder)


# === history.csv ===


def edited(lines):
    """Edits of a history of the lines header, epoch 1, epoch 2 -> the expected cause."""
    header, first, second = lines
    columns = header.split(",")
    return {
        "cut in a cell": ([header, first, second[:-1]], "its last line is cut"),
        "cut in a row": ([header, first, second[:9]], "epoch 2 does not have one cell for each"),
        "first row missing": ([header, second, ""], "epoch 1 is missing, or not in its place"),
        "swapped": ([header, second, first, ""], "epoch 1 is missing, or not in its place"),
        "repeated": ([header, first, first, ""], "epoch 2 is missing, or not in its place"),
        "a cell too many": ([header, first + ",1", second, ""], "epoch 1 does not have one cell"),
        "text": ([header, first, second.replace("0.5", "half"), ""], "'half'"),
        "semicolons": ([line.replace(",", ";") for line in lines] + [""], "epoch 1 is missing"),
        "no header": ([first, second, ""], "epoch 1 is missing"),
        "NUL": ([header, first, second + "\0", ""], "NUL|convert"),
        "other columns": (
            [header.replace(columns[2], "val_mae"), first, second, ""],
            "it has no val_loss",
        ),
    }


EDITS = list(edited(["epoch,loss,val_loss", "1,1.0,3.0,", "2,0.5,1.0"]))


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_history_is_refused_with_the_cause(folder, refusal, edit):
    path = folder / "history.csv"
    lines, cause = edited(path.read_text().splitlines())[edit]
    path.write_text("\n".join(lines))
    message = refusal(folder)
    assert message.startswith(f"{path}: damaged (") and message.endswith(ADVICE)
    assert re.search(cause, message), message


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"epoch,loss\n1," + b"9" * 200_000 + b"\n"])
def test_a_history_that_is_no_table_is_refused(folder, refusal, content):
    (folder / "history.csv").write_bytes(content)
    assert "history.csv: damaged (" in refusal(folder)


def test_a_history_one_row_short_does_not_cost_the_only_checkpoint(folder, refusal):
    path = folder / "history.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    message = refusal(folder)
    assert "checkpoint last-0001 is missing in the folder, which has last-0002; " in message
    assert "put back a copy of history.csv or of the checkpoint, or train" in message


@pytest.mark.parametrize("damage", [empty, lambda path: path.unlink()])
def test_weights_without_a_history_are_not_overwritten(folder, refusal, damage):
    damage(folder / "history.csv")
    assert "has weights and no history.csv; put back a copy" in refusal(folder)


@pytest.mark.parametrize("file", ["best.weights.h5", "network.tflite"])
def test_a_network_without_a_checkpoint_is_not_overwritten(runs, tmp_path, refusal, file):
    """Such as the folder of a shipped network."""
    (tmp_path / file).touch()
    assert "has weights and no history.csv" in refusal(tmp_path)


def test_a_history_of_other_losses_is_refused_before_the_checkpoint_is_replaced(runs, folder):
    run = runs.open(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UserError, match=r"history\.csv: damaged \(its columns are not epoch, "):
        run.save({**runs.row(3), "mse": 1.0}, {"network": runs.network()}, runs.state(3))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


# === run.json ===


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"recipe": []}', '{"recipe": {}}'])
def test_a_damaged_record_is_refused(folder, refusal, content):
    (folder / "run.json").write_text(content)
    assert refusal(folder).startswith(f"{folder / 'run.json'}: damaged (")


def test_a_missing_record_is_refused(folder, refusal):
    (folder / "run.json").unlink()
    assert "run.json is missing" in refusal(folder)


def test_the_record_of_another_run_is_refused(folder, refusal):
    record = json.loads((folder / "run.json").read_text())
    record["recipe"]["patch"] = 512
    (folder / "run.json").write_text(json.dumps(record))
    assert "holds a run whose recipe has patch=512, not 256" in refusal(folder)


# === Files that are not of the run, and leftovers ===


@pytest.mark.parametrize(
    "file",
    [
        "my-last-words.weights.h5", "last-words.weights.h5", "last-1.weights.h5",
        "last-00001.weights.h5", "last-0001.notes.txt", "last-0001.mine.weights.h5",
        ".123.history.csv",
    ],
)  # fmt: skip
def test_files_of_the_user_are_kept(runs, folder, file):
    (folder / file).write_text("mine")
    assert runs.restore(folder) == 2
    run = runs.fill(runs.open(folder), [2.0])
    run.remove_leftovers()
    assert (folder / file).read_text() == "mine"


@pytest.mark.parametrize("file", ["last-0001.weights.h5", "last-0001.state.npz"])
def test_the_checkpoint_of_an_earlier_epoch_is_removed_when_the_last_one_is_loaded(
    runs, folder, file
):
    """A run that is killed after it has written its history leaves such a file."""
    before = sorted(folder.iterdir())
    (folder / file).write_text("earlier")
    runs.open(folder)
    assert (folder / file).exists()
    runs.restore(folder)
    assert sorted(folder.iterdir()) == before


def test_a_run_that_was_killed_before_its_history_repeats_the_epoch(runs, folder):
    runs.open(folder).save(runs.row(3), {"network": runs.network(9)}, runs.state(9))
    assert (folder / "last-0003.weights.h5").exists()
    assert runs.restore(folder) == 2
    runs.fill(runs.open(folder), [2.0])
    assert runs.restore(folder) == 3
    assert sorted(path.name for path in folder.glob("last-*")) == [
        "last-0003.state.npz", "last-0003.weights.h5",
    ]  # fmt: skip


def test_a_run_that_was_killed_in_its_first_epoch_starts_again(runs, tmp_path):
    runs.open(tmp_path).save(runs.row(1), {"network": runs.network(9)}, runs.state(9))
    runs.fill(runs.open(tmp_path), [1.0])
    assert runs.restore(tmp_path) == 1


# === Two trainings, and other places ===


def test_a_folder_in_which_another_process_trains_is_refused(runs, folder, refusal):
    with runs.open(folder).training():
        assert "another process trains this run; wait until it ends, or choose" in refusal(folder)


def test_a_run_that_was_trained_in_the_meantime_is_refused(runs, folder):
    run = runs.open(folder)
    runs.fill(runs.open(folder), [2.0])
    with pytest.raises(UserError, match="another process has trained this run in the meantime"):
        run.training().__enter__()


def test_the_lock_leaves_no_file(runs, tmp_path):
    with runs.open(tmp_path / "run").training():
        assert not list((tmp_path / "run").iterdir())
        with pytest.raises(UserError), locked(tmp_path / "run", ""):
            pass


def test_a_read_only_folder_is_refused_before_the_training(runs, folder, refusal, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert f"{folder} is read-only for this user; choose another path" in refusal(folder)
    assert runs.open(folder, epochs=2).finished


def test_the_folder_of_the_dataset_is_not_a_run_folder(tmp_path):
    record = new_record({}, data=str(tmp_path))
    with pytest.raises(UserError, match="the folder of the dataset; choose another --run"):
        Run(tmp_path / "x" / "..", record, epochs=1)


def test_a_run_continues_on_a_dataset_that_has_moved(runs, folder):
    run = Run(folder, new_record(runs.recipe, data="/new/place"), epochs=9)
    runs.fill(run, [2.0])
    assert Record.read(folder).data == "/new/place"


def test_a_run_is_a_folder(runs, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(UserError, match="run is not a folder; choose another path"):
        runs.open(tmp_path / "run")
