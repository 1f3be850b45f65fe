"""The history for TensorBoard."""

import pytest
import tensorflow as tf
from wideband.command import UserError
from wideband.train.tensorboard import TensorBoard


def read(folder):
    """Reads the scalars: [(step, name, value)]."""
    events = []
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                number = float(tf.make_ndarray(value.tensor))
                events.append((event.step, value.tag, number))
    return events


def test_the_rows_of_a_history_are_written_at_the_steps_of_their_epochs(tmp_path):
    board = TensorBoard(tmp_path)
    board.write({"epoch": 1, "loss": 0.5})
    assert read(tmp_path) == [(1, "epoch", 1.0), (1, "loss", 0.5)]
    board.write({"epoch": 2, "loss": 0.25})
    assert read(tmp_path)[2:] == [(2, "epoch", 2.0), (2, "loss", 0.25)]


def test_a_full_disk_is_reported_in_one_line(tmp_path, file_limit):
    board = TensorBoard(tmp_path / "events")
    board.write({"epoch": 1, "loss": 0.5})
    written = sum(path.stat().st_size for path in (tmp_path / "events").iterdir())
    with file_limit(written + 10), pytest.raises(UserError) as error:
        board.write({"epoch": 2, "loss": 0.25})
    assert str(error.value).startswith(f"{tmp_path / 'events'}: cannot be written: File too large;")
    with file_limit(10), pytest.raises(UserError, match="more: cannot be written: File too large"):
        TensorBoard(tmp_path / "more")


def test_a_file_in_place_of_the_folder_is_reported_in_one_line(tmp_path):
    (tmp_path / "events").touch()
    with pytest.raises(UserError, match="events: cannot be written: "):
        TensorBoard(tmp_path / "events")
