"""The run folder of a training.

run.json              recipe, dataset, flags, versions, machine, timings (`models.record.Record`)
history.csv           one row per epoch; a run continues after the last row
best.weights.h5       the network's weights after the best epoch
last-0007.weights.h5  the network's weights after the last epoch in history.csv
last-0007.state.npz   the rest of the checkpoint: optimizers, networks used in training only
curves.png, events/   the history as a figure and for TensorBoard

A system with several networks has one weights file for each: best.NAME.weights.h5.
"""

import importlib.metadata
import json
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..command import UserError
from ..command.files import replacing, write_csv
from ..command.run import machine
from ..models.record import HISTORY, Record, Timings, read_history

if TYPE_CHECKING:
    import keras

PACKAGES = ("wideband", "keras", "tensorflow", "numpy")


class Run:
    """A run folder, new or continued.

    Args:
        folder: created when the first file is written.
        record: identifies the run by recipe, dataset and initial weights. A folder with epochs of
            another run is refused.
        epochs: the training ends after this many.
        patience: it also ends after this many epochs in which neither `select` nor val_snr
            improved.
        select: the column of the history that decides which epoch is the best.
        highest: whether its highest value is the best, not its lowest.

    Attributes:
        rows: the history.
        record: as given, or that of the run's start if it continues.

    Raises:
        UserError: the folder holds another run, or is damaged.
    """

    def __init__(
        self,
        folder: Path,
        record: Record,
        epochs: int,
        patience: int | None = None,
        select: str = "val_loss",
        highest: bool = False,
    ) -> None:
        self.folder, self.epochs, self.patience = folder, epochs, patience
        self.select, self._sign = select, -1 if highest else 1
        self.rows = read_history(folder)
        if self.rows:
            self.record = Record.read(folder)
            _check_same(folder, self.record, record)
        else:
            self.record = record
        self.remove_leftovers()

    @property
    def epoch(self) -> int:
        """The number of epochs that are finished and saved."""
        return len(self.rows)

    @property
    def best(self) -> dict[str, float]:
        """The history's row with the best value of `select`, the last one among equals."""
        return min(reversed(self.rows), key=self._rank)

    def _rank(self, row: dict[str, float]) -> float:
        """Returns the value of `select`, negated if the highest is the best."""
        return self._sign * row[self.select]

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done or the patience has run out."""
        if self.epoch >= self.epochs:
            return True
        if self.patience is None or not self.rows:
            return False
        first = min(self.rows, key=self._rank)
        by_snr = max(self.rows, key=lambda row: row["val_snr"])
        return self.epoch - max(first["epoch"], by_snr["epoch"]) >= self.patience

    def finish_epoch(
        self,
        row: dict[str, float],
        networks: "Mapping[str, keras.Model]",
        state: "Sequence[keras.Variable]",
        averaged: AbstractContextManager[None] | None = None,
    ) -> None:
        """Saves an epoch.

        The history is written after the weights. If the run is killed before that, the checkpoint
        of the previous epoch is still there, and the run continues from it.

        Args:
            row: the epoch's row of the history, column -> value.
            networks: the networks by name.
            state: all other variables that a continued training needs.
            averaged: within it, the networks have the weights that were validated; by default they
                always have.
        """
        self.rows.append(row)
        self._save_weights(self._last, networks)
        with replacing(self._state_file) as temporary:
            np.savez(temporary, *[np.asarray(variable) for variable in state])
        if self.best is row:
            with averaged or nullcontext():
                self._save_weights("best", networks)
        write_csv(self.folder / HISTORY, self.rows)
        self.remove_leftovers()
        seconds = sum(row["seconds"] for row in self.rows)
        self.record.timings = Timings(self.epoch, round(seconds, 1))
        self.record.write(self.folder)

    def restore(
        self, networks: "Mapping[str, keras.Model]", state: "Sequence[keras.Variable]"
    ) -> None:
        """Loads networks and variables as `finish_epoch` saved them after the last epoch.

        Raises:
            UserError: the checkpoint is missing or damaged.
        """
        try:
            for name, network in networks.items():
                network.load_weights(self._weights_file(self._last, name))
            with np.load(self._state_file) as saved:
                for variable, key in zip(state, saved.files, strict=True):
                    variable.assign(saved[key])
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{self.folder}: the checkpoint {self._last} is missing or damaged; delete the "
                "folder and train the run again"
            ) from error

    def remove_leftovers(self) -> None:
        """Removes what a killed run leaves: half-written files, checkpoints of other epochs."""
        for path in self.folder.glob("*"):
            temporary = re.fullmatch(r"\.\d+\..+", path.name)
            checkpoint = path.name.startswith("last-")
            if temporary or (checkpoint and not path.name.startswith(f"{self._last}.")):
                path.unlink()

    @property
    def _last(self) -> str:
        return f"last-{self.epoch:04d}"

    @property
    def _state_file(self) -> Path:
        return self.folder / f"{self._last}.state.npz"

    def _weights_file(self, stem: str, network: str) -> Path:
        suffix = "" if network == "network" else f".{network}"
        return self.folder / f"{stem}{suffix}.weights.h5"

    def _save_weights(self, stem: str, networks: "Mapping[str, keras.Model]") -> None:
        for name, network in networks.items():
            with replacing(self._weights_file(stem, name)) as temporary:
                network.save_weights(temporary)


def new_record(recipe: Mapping[str, Any], **fields: Any) -> Record:
    """Returns the record of a run that starts now, on this machine.

    Args:
        recipe: as JSON.
        **fields: further fields of `Record`.
    """
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return Record(
        dict(recipe),
        versions={"python": platform.python_version(), **versions},
        commit=_commit(),
        machine=machine(),
        **fields,
    )


def _check_same(folder: Path, found: Record, expected: Record) -> None:
    """Refuses a folder whose record is that of another run."""
    for section in ("recipe", "dataset", "initial_weights"):
        has, needs = (_comparable(getattr(record, section)) for record in (found, expected))
        for key in sorted(has.keys() | needs):
            if has.get(key) != needs.get(key):
                raise UserError(
                    f"{folder} holds a run whose {section} has {key}={has.get(key)}, not "
                    f"{needs.get(key)}; choose another --run, or delete that folder"
                )


def _comparable(section: dict[str, Any]) -> dict[str, Any]:
    """Returns a section with dotted keys, without arguments that repeat a field of the recipe.

    run.json has such arguments of the network, a recipe that was not built yet has not.
    """
    flat = {}
    for key, value in json.loads(json.dumps(section)).items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    for key in ("ratio", "patch"):
        if flat.get(f"arguments.{key}") == flat.get(key):
            flat.pop(f"arguments.{key}", None)
    return flat


def _commit() -> str | None:
    """Returns the commit of the source tree, if there is one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
