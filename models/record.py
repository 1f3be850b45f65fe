"""run.json: what trained a network, on what, when and where."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..audio.resample import Ratio, quotient
from ..command import UserError
from ..command.files import write_json

RECORD = "run.json"


@dataclass
class Timings:
    """How long a run took."""

    epochs: int = 0
    seconds: float = 0.0


@dataclass
class Record:
    """The content of a run's run.json. No other code reads or writes that file."""

    recipe: dict[str, Any]  # the fields of a train.recipe.Recipe
    dataset: dict[str, Any] = field(default_factory=dict)  # data_gen.dataset.Dataset.identity
    initial_weights: dict[str, str] = field(default_factory=dict)  # their SHA-256
    data: str | None = None  # the dataset's folder; shipped networks have none
    flags: list[str] = field(default_factory=list)  # of wideband-train
    versions: dict[str, str] = field(default_factory=dict)
    commit: str | None = None
    machine: str = ""
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)
    timings: Timings = field(default_factory=Timings)
    answer: list[float] | None = None  # of a shipped network: its output for a fixed input

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """Reads the record of a run folder.

        Raises:
            UserError: it has none, or a damaged one.
        """
        path = folder / RECORD
        if not path.is_file():
            raise UserError(f"{folder}: not a run folder ({RECORD} is missing)")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            timings = Timings(**content.pop("timings", {}))
            return cls(**content, timings=timings)
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}: damaged; delete the folder and train the run again"
            ) from error

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
        """The recipe's name."""
        return self.recipe["name"]

    @property
    def source(self) -> str:
        """The recipe's source: a paper and its section."""
        return self.recipe["source"]

    @property
    def model(self) -> str:
        """The network's name, one of `models.names()`."""
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
    def ratio(self) -> Ratio:
        """The high rate over the low rate."""
        return quotient(self.recipe["ratio"])

    @property
    def low_rate(self) -> float:
        """The low rate in Hz."""
        return float(self.sample_rate / self.ratio)

    @property
    def protocol(self) -> str:
        """The protocol that made the low side, a key of `data_gen.degrade.PROTOCOLS`."""
        return self.recipe["protocol"]
