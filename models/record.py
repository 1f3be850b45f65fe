"""The records of a training run: run.json (recipe, data, machine) and history.csv (epochs)."""

import csv
import dataclasses
import json
import re
import reprlib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..command import UserError
from ..command.files import write_json
from ..command.rates import HIGHEST_RATE, LOWEST_RATE
from . import band_hz, names, systems, wants_high

RECORD, HISTORY = "run.json", "history.csv"
# Fields of the recipe that every record has, with their types.
RECIPE_FIELDS = {
    "name": str,
    "source": str,
    "model": str,
    "arguments": dict[str, Any],
    "sample_rate": int,
    "ratio": int | str,
    "protocol": str,
}
# A larger value is not that of a run; the arithmetic with it could overflow.
MAX_RATIO = 1000


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
    # SHA-256 of the weights of parts that were trained elsewhere: {"vocoder": ...}
    parts: dict[str, str] = field(default_factory=dict)
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
            _check_types(content, typing.get_type_hints(cls), ["recipe"])
            _check_recipe(content["recipe"])
            timings = content.pop("timings", {})
            _check_types(timings, typing.get_type_hints(Timings))
            return cls(**content, timings=Timings(**timings))
        except (ValueError, TypeError, RecursionError) as error:
            raise damaged(path, error) from error

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
        """The name of the network, one of `models.names()` or `models.systems()`."""
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
    def band_hz(self) -> tuple[float, float] | None:
        """Where the band of the input may end, in Hz: the lowest and the highest frequency.

        None if the network was trained for a single low rate, and the band ends at half of it.
        """
        return band_hz(self.model) if self.ratio == 1 else None

    @property
    def protocol(self) -> str:
        """The protocol that made the low side, a key of `data_gen.degrade.PROTOCOLS`."""
        return self.recipe["protocol"]


def read_history(folder: Path) -> list[dict[str, float]]:
    """Reads the history of a run folder.

    Returns:
        one row per finished epoch, column -> value; no rows if there is no history yet.

    Raises:
        UserError: the history is damaged: a cell is no number, or a row or a part of it is missing.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = csv.DictReader(text.splitlines())
        history = [_parse_row(epoch, row) for epoch, row in enumerate(rows, 1)]
        if text and not text.endswith("\n"):
            raise ValueError("its last line is cut")
    except (ValueError, csv.Error) as error:
        raise damaged(path, error) from error
    return history


def damaged(path: Path, cause: object) -> UserError:
    """Returns the error for a damaged file of a run folder."""
    return UserError(
        f"{path}: damaged ({' '.join(str(cause).split())}); put back a copy of the file, or train "
        "the run again in another folder"
    )


def _parse_row(epoch: int, row: Mapping[str, str]) -> dict[str, float]:
    """Parses a row of the history; raises ValueError if it is not that of the epoch."""
    # DictReader collects cells without a column under None, and sets missing cells to None.
    if None in row or None in row.values():
        raise ValueError(f"the row of epoch {epoch} does not have one cell for each column")
    if row.get("epoch") != str(epoch):
        raise ValueError(f"the row of epoch {epoch} is missing, or not in its place")
    return {key: int(text) if text.isdecimal() else float(text) for key, text in row.items()}


def _check_recipe(recipe: Mapping[str, Any]) -> None:
    """Raises ValueError if a recipe lacks a field of `RECIPE_FIELDS`, or has a wrong value."""
    _check_types(recipe, RECIPE_FIELDS, RECIPE_FIELDS)
    ratio = str(recipe["ratio"])
    # Fraction("1e999999999") would not return.
    whole_or_quotient = re.fullmatch(r"\d{1,9}(/0*[1-9]\d{,8})?", ratio)
    model = recipe["model"]
    takes_one = model in {*names(), *systems()} and (band_hz(model) or wants_high(model))
    larger = whole_or_quotient and 1 < Fraction(ratio) <= MAX_RATIO
    if not larger and not (ratio == "1" and takes_one):
        raise ValueError(f"ratio is {reprlib.repr(ratio)}")
    if not LOWEST_RATE <= recipe["sample_rate"] <= HIGHEST_RATE:
        raise ValueError(f"sample_rate is {reprlib.repr(recipe['sample_rate'])}")


def _check_types(content: Any, types: Mapping[str, Any], required: Iterable[str] = ()) -> None:
    """Raises ValueError if a JSON value is not an object with entries of these types.

    Args:
        content: the value.
        types: key -> type.
        required: keys that must be there.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{reprlib.repr(content)} is not a JSON object")
    for key in required:
        if key not in content:
            raise ValueError(f"{key} is missing")
    for key, kind in types.items():
        if key in content and not _has_type(content[key], kind):
            raise ValueError(f"{key} is {reprlib.repr(content[key])}")


def _has_type(value: Any, kind: Any) -> bool:
    """Returns whether a JSON value has a type, such as `dict[str, float] | None`."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        return isinstance(value, dict) and all(_has_type(each, inner[1]) for each in value.values())
    if origin is list:
        return isinstance(value, list) and all(_has_type(each, inner[0]) for each in value)
    if inner:  # a union
        return any(_has_type(value, each) for each in inner)
    if dataclasses.is_dataclass(kind):
        kind = dict
    elif kind is float:
        kind = int | float
    return kind is Any or (isinstance(value, kind) and not isinstance(value, bool))
