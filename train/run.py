"""The run folder of a training.

run.json              recipe, dataset, flags, versions, machine, timings (`models.record.Record`)
history.csv           one row per epoch; a run continues after the last row
best.weights.h5       the network's weights after the best epoch
last-0007.weights.h5  the network's weights after the last epoch in history.csv
last-0007.state.npz   the rest of the checkpoint: optimizers, networks used in training only
curves.png, events/   the history as a figure and for TensorBoard

A system with several networks has one weights file for each: best.NAME.weights.h5.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..command import UserError
from ..command.files import check_writable, write_bytes, write_csv, writing
from ..command.locks import locked
from ..command.reading import read_bytes
from ..models import pretrained
from ..models.record import HISTORY, Record, Timings, damaged, read_history
from .identity import check_same

if TYPE_CHECKING:
    import keras

# The columns that validation adds to the history of a system.
VALIDATION = ("val_loss", "val_snr", "val_lsd")

Rows = list[dict[str, float]]

_CHECKPOINT = re.compile(r"last-(\d{4,})(\.\w+)?\.(weights\.h5|state\.npz)")
# What NumPy raises for a damaged file.
_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, MemoryError)
_ERRORS += (RuntimeError, zipfile.BadZipFile, zlib.error)

AS_TRAINED = nullcontext()


class Run:
    """A run folder, new or continued.

    Args:
        folder: created when the training starts.
        record: identifies the run by recipe, dataset and initial weights. A folder with epochs of
            another run is refused.
        epochs: the training ends after this many.
        patience: it also ends after this many epochs in which neither the first column of
            validation nor val_snr improved.
        validation: the columns that validation adds to the history. The epoch with the lowest
            value in the first is the best.
        highest: the epoch with the highest value in the first column is the best instead.

    Attributes:
        folder: as given.
        epochs: as given.
        patience: as given.
        validation: as given.
        select: the first column of validation.
        rows: the history.
        record: as given, or that of the run's start if it continues.

    Raises:
        UserError: the folder holds another run, is damaged, or another process trains in it.
    """

    def __init__(
        self,
        folder: Path,
        record: Record,
        epochs: int,
        patience: int | None = None,
        validation: Sequence[str] = VALIDATION,
        highest: bool = False,
    ) -> None:
        self.folder, self.epochs, self.patience = folder, epochs, patience
        self._sign = -1 if highest else 1
        self.validation, self.select = validation, validation[0]
        if record.data and folder.resolve() == Path(record.data).resolve():
            raise UserError(f"{folder}: the folder of the dataset; choose another --run")
        # Refused now, although `training` locks the folder: building a training takes a while.
        if folder.is_dir():
            with locked(folder, self._busy()):
                pass
        self.rows = read_history(folder)
        self.record = record
        if self.rows:
            self.record = Record.read(folder)
            check_same(folder, self.record, record)
            self.record.data = record.data  # the dataset may have moved
            if missing := {"loss", *validation, "seconds"} - self.rows[0].keys():
                raise damaged(folder / HISTORY, f"it has no {', '.join(sorted(missing))}")
        if not self.finished:
            check_writable(folder / HISTORY)
            self._check_checkpoints()

    @property
    def epoch(self) -> int:
        """The number of epochs that are finished and saved."""
        return len(self.rows)

    @property
    def best(self) -> dict[str, float]:
        """The history's row with the best value of `select`, the last one among equals."""
        return self._best(self.rows)

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done or the patience has run out."""
        if self.epoch >= self.epochs:
            return True
        if self.patience is None or not self.rows:
            return False
        first = min(self.rows, key=self._rank)
        best = [first["epoch"]]
        if "val_snr" in first:
            best.append(max(self.rows, key=lambda row: row["val_snr"])["epoch"])
        return self.epoch - max(best) >= self.patience

    @contextmanager
    def training(self) -> Iterator[None]:
        """Holds the lock of the folder, which it creates, while this process trains in it.

        Raises:
            UserError: another process trains in the folder, or has done so since it was opened.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder, self._busy()):
            if len(read_history(self.folder)) != self.epoch:
                raise UserError(
                    f"{self.folder}: another process has trained this run in the meantime; run "
                    "the command again, and it continues"
                )
            yield

    def save(
        self,
        row: dict[str, float],
        networks: "Mapping[str, keras.Model]",
        state: "Sequence[keras.Variable]",
        averaged: AbstractContextManager[None] = AS_TRAINED,
    ) -> Rows:
        """Saves the checkpoint of an epoch, and the weights if it is the best.

        If the run is killed before `finish_epoch`, the checkpoint of the epoch before is still
        there, and the run continues from it.

        Args:
            row: the epoch's row of the history, column -> value.
            networks: the networks by name.
            state: all other variables that a continued training needs.
            averaged: within it, the networks have the weights that were validated; by default they
                always have.

        Returns:
            the history with this row.
        """
        if self.rows and row.keys() != self.rows[0].keys():
            raise damaged(self.folder / HISTORY, f"its columns are not {', '.join(row)}")
        rows = [*self.rows, row]
        stem = _stem(len(rows))
        self._save_weights(stem, networks)
        content = io.BytesIO()
        np.savez(content, *[np.asarray(variable) for variable in state])
        write_bytes(self._state_file(stem), content.getvalue())
        if self._best(rows) is row:
            with averaged:
                self._save_weights("best", networks)
        return rows

    def finish_epoch(self, rows: Rows) -> None:
        """Writes the history that `save` returned, from which the run then continues."""
        seconds = sum(row["seconds"] for row in rows)
        self.record.timings = Timings(len(rows), round(seconds, 1))
        self.record.write(self.folder)
        write_csv(self.folder / HISTORY, rows)
        self.rows = rows
        self.remove_leftovers()

    def restore(
        self, networks: "Mapping[str, keras.Model]", state: "Sequence[keras.Variable]"
    ) -> None:
        """Loads networks and variables as `save` saved them after the last epoch.

        Raises:
            UserError: the checkpoint is missing or damaged.
        """
        from ..models import weights

        advice = "put back a copy of the file, or train the run again in another folder"
        stem = _stem(self.epoch)
        for name, network in networks.items():
            weights.load(network, self._weights_file(stem, name), advice)
        path = self._state_file(stem)
        content = read_bytes(path, advice)
        try:
            with np.load(io.BytesIO(content)) as saved:
                arrays = [saved[key] for key in saved.files]
            for variable, array in zip(state, arrays, strict=True):
                variable.assign(array)
        except _ERRORS as error:
            raise UserError(f"{path}: damaged, or that of another run; {advice}") from error
        self.remove_leftovers()

    def remove_leftovers(self) -> None:
        """Removes checkpoints of earlier epochs, of which a killed run can leave one.

        Each file is removed only if the last epoch has one of the same kind.
        """
        for path, epoch in self._checkpoints():
            later = path.name.replace(_stem(epoch), _stem(self.epoch), 1)
            if epoch < self.epoch and (self.folder / later).is_file():
                path.unlink(missing_ok=True)

    def _check_checkpoints(self) -> None:
        """Refuses a folder whose files are not those of its history, before any is replaced.

        A run that was killed can have the checkpoint of the epoch after the last row.
        """
        found = sorted({_stem(epoch) for _, epoch in self._checkpoints()})
        stem = _stem(self.epoch)
        if self.rows and stem not in found:
            others = f", which has {', '.join(found)}" if found else ""
            raise UserError(
                f"{self.folder}: {HISTORY} ends with epoch {self.epoch}, and its checkpoint {stem} "
                f"is missing in the folder{others}; put back a copy of {HISTORY} or of the "
                "checkpoint, or train the run again in another folder"
            )
        best = [path.name for path in self.folder.glob("best*.weights.h5")]
        tflite = self.folder / pretrained.TFLITE_FILE
        if not self.rows and (set(found) - {_stem(1)} or (best and not found) or tflite.exists()):
            raise UserError(
                f"{self.folder}: has weights and no {HISTORY}; put back a copy of {HISTORY}, or "
                "choose another --run"
            )

    def _checkpoints(self) -> list[tuple[Path, int]]:
        """Lists the files of checkpoints with their epochs."""
        matches = [(path, _CHECKPOINT.fullmatch(path.name)) for path in self.folder.glob("last-*")]
        numbered = [(path, int(match[1])) for path, match in matches if match]
        # Other numbers of digits are not ours.
        return [each for each in numbered if each[0].name.startswith(f"{_stem(each[1])}.")]

    def _best(self, rows: Rows) -> dict[str, float]:
        return min(reversed(rows), key=self._rank)

    def _rank(self, row: dict[str, float]) -> float:
        return self._sign * row[self.select]

    def _busy(self) -> str:
        return (
            f"{self.folder}: another process trains this run; wait until it ends, or choose "
            "another --run"
        )

    def _state_file(self, stem: str) -> Path:
        return self.folder / f"{stem}.state.npz"

    def _weights_file(self, stem: str, network: str) -> Path:
        suffix = "" if network == "network" else f".{network}"
        return self.folder / f"{stem}{suffix}.weights.h5"

    def _save_weights(self, stem: str, networks: "Mapping[str, keras.Model]") -> None:
        from ..models import weights

        for name, network in networks.items():
            weights.save(network, self._weights_file(stem, name))


def _stem(epoch: int) -> str:
    return f"last-{epoch:04d}"
