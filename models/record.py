"""The records of a training run: run.json (recipe, data, machine) and history.csv (epochs)."""

import csv
import dataclasses
import json
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..command import UserError
from ..command.files import write_json

RECORD, HISTORY = "run.json", "history.csv"
# Fields of the recipe that every record has.
RECIPE_FIELDS = ("name", "source", "model", "arguments", "sample_rate", "ratio", "protocol")


@dataclass
class Timings:
    """The length of a run."""

    epochs: int = 0
    seconds: float = 0.0


@dataclass
class Record:
    """The content of a run's run.json. No other code reads or writes that file."""

    recipe: dict[str, Any]  # the fields of a train.recipe.Recipe
    dataset: dict[str, Any] = field(default_factory=dict)  # data_gen.dataset.Dataset.identity
    initial_weights: dict[str, str] = field(default_factory=dict)  # SHA-256 by path or name
    data: str | None = None  # the dataset's folder; shipped networks have none
    flags: list[str] = field(default_factory=list)  # of wideband-train
    versions: dict[str, str] = field(default_factory=dict)  # by package
    commit: str | None = None
    machine: str = ""
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    timings: Timings = field(default_factory=Timings)
    answer: list[float] | None = None  # a shipped network's output for a fixed input

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """Reads the record of a run folder.

        Raises:
            UserError: the record is missing or damaged.
        """
        path = folder / RECORD
        if not path.is_file():
            raise UserError(
                f"{folder}: not a run folder ({RECORD} is missing); name a folder of wideband-train"
            )
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            timings = Timings(**content.pop("timings", {}))
            record = cls(**content, timings=timings)
            missing = {*RECIPE_FIELDS} - {*record.recipe}
        except (ValueError, TypeError, AttributeError) as error:
            raise _damaged(path) from error
        if missing:
            raise _damaged(path)
        return record

    def write(self, folder: Path) -> None:
        """Writes the record into a run folder."""
        optional = ("data", "answer")
        content = {
            key: value
            for key, value in dataclasses.asdict(self).items()
            if not (key in optional and value is None)
        }
        write_json(folder / RECORD, content)

    @property
    def name(self) -> str:
        """The name of the recipe."""
        return self.recipe["name"]

    @property
    def source(self) -> str:
        """The source of the recipe: a paper and its section."""
        return self.recipe["source"]

    @property
    def model(self) -> str:
        """The name of the network, one of `models.names()`."""
        return self.recipe["model"]

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the network's constructor."""
        return self.recipe["arguments"]

    @property
    def sample_rate(self) -> int:
        """The high rate in Hz."""
        return self.recipe["sample_rate"]

    @property
    def ratio(self) -> int | Fraction:
        """The high rate over the low rate, an int if it is whole."""
        ratio = Fraction(self.recipe["ratio"])
        return ratio.numerator if ratio.denominator == 1 else ratio

    @property
    def low_rate(self) -> float:
        """The low rate in Hz."""
        return float(self.sample_rate / self.ratio)

    @property
    def protocol(self) -> str:
        """The protocol that made the low side, a key of `data_gen.degrade.PROTOCOLS`."""
        return self.recipe["protocol"]


def read_history(folder: Path) -> list[dict[str, float]]:
    """Reads the history of a run folder.

    Returns:
        one row per finished epoch, column -> value; no rows if there is no history yet.

    Raises:
        UserError: the history is damaged.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                {key: int(text) if text.isdigit() else float(text) for key, text in row.items()}
                for row in csv.DictReader(file)
            ]
    except (ValueError, TypeError, AttributeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> UserError:
    return UserError(f"{path}: damaged; delete the folder and train the run again")
