"""The run folder: what a run was told, its history, its checkpoints, its curves.

run.json              recipe, flags, versions, commit, machine, timings
history.csv           one row an epoch; it is also the state that a run resumes from
last-0007.weights.h5  weights and optimizer after the last epoch in history.csv
best.weights.h5       weights of the epoch with the lowest validation loss
curves.png, events/   the history as a picture and for TensorBoard
"""

import csv
import dataclasses
import importlib.metadata
import json
import platform
import subprocess
from pathlib import Path

from ..command import UserError
from ..command.files import replacing
from ..command.run import machine
from ..evaluate.summary import write_csv
from .recipe import Recipe


class Run:
    """One run folder, new or continued.

    Args:
        folder: made when it is missing.
        recipe: what the run is told. A folder that has epochs of another one is refused.
        facts: name -> what tells the run's dataset and first weights apart; likewise.
        record: further facts for run.json.

    Raises:
        UserError: the folder holds another run, or a damaged one.
    """

    def __init__(self, folder: Path, recipe: Recipe, facts: dict[str, dict], record: dict) -> None:
        self.folder = folder
        self.recipe = recipe
        told = json.loads(json.dumps({"recipe": dataclasses.asdict(recipe), **facts}))
        self.rows = _read_history(folder)
        if self.rows:
            self.record = _read_record(folder / "run.json")
            for part, wanted in told.items():
                found = self.record.get(part, {})
                for key in sorted(found.keys() | wanted):
                    if found.get(key) != wanted.get(key):
                        raise UserError(
                            f"{folder} holds a run whose {part} has {key}={found.get(key)}, not "
                            f"{wanted.get(key)}; choose another --run, or delete that folder"
                        )
        else:
            self.record = {**told, **record, **_environment()}
        self.tidy()

    @property
    def epoch(self) -> int:
        """Number of epochs that are finished and saved."""
        return len(self.rows)

    @property
    def best(self) -> dict[str, float]:
        """The history's row with the lowest validation loss."""
        return min(self.rows, key=lambda row: row["val_loss"])

    @property
    def finished(self) -> bool:
        """Whether the last epoch was run, or the recipe's patience is over."""
        if self.epoch >= self.recipe.epochs:
            return True
        if self.recipe.patience is None or not self.rows:
            return False
        by_snr = max(self.rows, key=lambda row: row["val_snr"])
        return self.epoch - max(self.best["epoch"], by_snr["epoch"]) >= self.recipe.patience

    @property
    def checkpoint(self) -> Path:
        """Weights and optimizer after the last finished epoch."""
        return self.folder / f"last-{self.epoch:04d}.weights.h5"

    @property
    def best_weights(self) -> Path:
        """The file of the best weights."""
        return self.folder / "best.weights.h5"

    def tidy(self) -> None:
        """Removes what a killed run left: half-written files, and checkpoints of other epochs."""
        for path in self.folder.glob("*last-*.weights.h5"):
            if path != self.checkpoint:
                path.unlink()
        for name in ("run.json", "history.csv", "curves.png", self.best_weights.name):
            for path in self.folder.glob(f".*.{name}"):
                path.unlink()

    def save_record(self) -> None:
        """Writes run.json."""
        with replacing(self.folder / "run.json") as temporary:
            temporary.write_text(json.dumps(self.record, indent=2) + "\n")

    def finish_epoch(self, row: dict[str, float], model) -> None:
        """Saves an epoch so that being killed at any moment loses at most what came after.

        The history is written last: until then, the row and checkpoint before it stand.

        Args:
            row: the epoch's history; its names are the columns.
            model: the compiled network after the epoch.
        """
        self.rows.append(row)
        with replacing(self.checkpoint) as temporary:
            model.save_weights(temporary)
        if self.best is row:
            # A compiled model would save its optimizer too; a fresh one has none.
            bare = type(model).from_config(model.get_config())
            bare.set_weights(model.get_weights())
            with replacing(self.best_weights) as temporary:
                bare.save_weights(temporary)
        write_csv(self.folder / "history.csv", self.rows)
        self.tidy()
        seconds = sum(row["seconds"] for row in self.rows)
        self.record["timings"] = {"epochs": self.epoch, "seconds": round(seconds, 1)}
        self.save_record()


def _read_history(folder: Path) -> list[dict[str, float]]:
    """Reads the history of a run folder, one row an epoch; none when there is no epoch yet."""
    path = folder / "history.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [
            {key: int(text) if text.isdigit() else float(text) for key, text in row.items()}
            for row in csv.DictReader(file)
        ]


def _read_record(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: damaged or missing; delete the folder and begin anew") from error


def _environment() -> dict:
    packages = ("wideband", "keras", "tensorflow", "numpy")
    return {
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
        "commit": _commit(),
        "machine": machine(),
    }


def _commit() -> str | None:
    """The commit of the source tree, where there is one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
