"""The history of a run for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from ..command.files import writing


class TensorBoard:
    """Writes the rows of a history as events.

    Args:
        folder: of the events; a continued run adds a file.

    Raises:
        UserError: nothing can be written there, such as on a full disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with writing(folder, tf.errors.OpError):
            self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, row: Mapping[str, float]) -> None:
        """Writes a row at the step of its epoch.

        Raises:
            UserError: nothing can be written, such as on a full disk.
        """
        with writing(self._folder, tf.errors.OpError), self._writer.as_default():
            for key, value in row.items():
                tf.summary.scalar(key, value, step=int(row["epoch"]))
            self._writer.flush()
