"""A prepared dataset: TFRecord shards of whole waves, and the files that describe them.

- dataset.json: the settings, a digest of the recordings, and totals.
- manifest.csv: one row per recording of the corpus. It is written last, so a folder without it is
  unfinished.
- SPLIT-NUMBER.tfrecord: the waves (see `shards`). The manifest and the settings say what each one
  contains (see `layout`).
"""

import functools
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..audio import Ratio, quotient
from ..command import UserError
from ..command.paths import check_relative
from ..command.reading import read_csv
from . import layout, records, shards
from .corpora import SPLITS
from .shards import Example

# Keys of dataset.json that do not belong to the identity of the dataset.
_RESULTS = ("totals", "left_out", "version")
# The settings of dataset.json (see `settings.Settings`).
_TYPES: dict[str, tuple[type, ...]] = {
    "corpus": (str,),
    "split_rule": (str,),
    "valid_fraction": (int, float),
    "test_fraction": (int, float),
    "seed": (int,),
    "sample_rate": (int,),
    "ratio": (int, str),
    "protocol": (str,),
    "patch": (int,),
}
# The columns of manifest.csv that are read.
_COLUMNS = {"split", "path", "speaker", "samples", "text", "reason"}


class Dataset:
    """A finished dataset of wideband-prepare.

    Args:
        folder: the folder of the dataset.

    Attributes:
        folder: as given.
        settings: the content of dataset.json.
        sample_rate: the high rate in Hz.
        ratio: the high rate over the low rate.
        protocol: the protocol that made the low side, a key of `degrade.PROTOCOLS`.
        corpus: the corpus, one of `corpora.NAMES`.

    Raises:
        UserError: the folder holds no finished dataset.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "manifest.csv").is_file() or not (folder / "dataset.json").is_file():
            raise UserError(
                f"{folder}: no finished dataset; make one with "
                f"wideband-prepare --corpus=... --output={folder}"
            )
        self.folder = folder
        self.settings = _read_settings(folder / "dataset.json")
        self.sample_rate: int = self.settings["sample_rate"]
        self.ratio: Ratio = quotient(self.settings["ratio"])
        self.protocol: str = self.settings["protocol"]
        self.corpus: str = self.settings["corpus"]
        self._checked: set[str] = set()

    @property
    def low_rate(self) -> float:
        """The low rate in Hz."""
        return float(self.sample_rate / self.ratio)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings and the digest of the recordings: equal for equal datasets only."""
        return {key: value for key, value in self.settings.items() if key not in _RESULTS}

    @property
    def left_out(self) -> dict[str, str]:
        """What was left out, by name, with the reason."""
        return {row["path"]: row["reason"] for _, row in self._manifest if row["reason"]}

    @property
    def totals(self) -> dict[str, dict[str, Any]]:
        """By split: the number of `recordings`, their `seconds` and the number of `speakers`."""
        return layout.totals(self._kept, self.sample_rate)

    def shards(self, split: str) -> list[Path]:
        """Lists the shards of a split in order.

        Raises:
            UserError: there are none, or one is missing or damaged.
        """
        if split not in self._checked:
            self.check(split)
            self._checked.add(split)
        paths = [self.folder / name for name in self._shards(split)]
        if not paths:
            hint = "" if split == "train" else f" or with a larger --{split}_fraction"
            raise UserError(
                f"{self.folder}: no recordings in the {split} split; prepare the dataset with more "
                f"recordings{hint}"
            )
        return paths

    def check(self, split: str) -> None:
        """Checks that the shards of a split are complete, without reading their waves.

        Raises:
            UserError: one is missing, or has other examples than the manifest lists; or the
                manifest is incomplete.
        """
        listed, counted = len(self._rows(split)), self._counted(split)
        if counted not in (None, listed):
            raise self._damaged(f"{listed} recordings in the {split} split instead of {counted}")
        for name, pieces in self._shards(split).items():
            records.check(self.folder / name, pieces, self.ratio)

    def examples(self, split: str) -> Iterator[Example]:
        """Reads the examples of a split.

        Raises:
            UserError: there are none, or a shard is missing or damaged.
        """
        # Checked now, not when the first example is read.
        self.shards(split)
        return itertools.chain.from_iterable(
            shards.read(self.folder / name, pieces, self.ratio)
            for name, pieces in self._shards(split).items()
        )

    def lengths(self, split: str) -> list[int]:
        """Lists the samples of each example of a split at the high rate, without reading shards.

        The order is that of the shards.
        """
        # Waves are cropped to a multiple of the ratio (`degrade.crop`).
        step = self.ratio.numerator
        return [
            piece.samples - piece.samples % step
            for pieces in self._shards(split).values()
            for piece in pieces
        ]

    def count(self, split: str) -> int:
        """Counts the examples of a split, without reading shards."""
        return len(self.lengths(split))

    def is_whole(self, example: Example) -> bool:
        """Whether an example is a whole recording. A piece of one has the text of the whole."""
        return self._is_one_piece(self._samples_by_name[example.name])

    def texts(self, split: str) -> list[str]:
        """Lists the transcripts of a split, of recordings that are stored whole and have one."""
        rows = self._rows(split)
        return [row.text for row in rows if row.text and self._is_one_piece(row.samples)]

    def _is_one_piece(self, samples: int) -> bool:
        return samples <= layout.PIECE_SECONDS * self.sample_rate

    @functools.cached_property
    def _manifest(self) -> list[tuple[int, dict[str, str]]]:
        """The rows of the manifest, with their line numbers."""
        try:
            return read_csv(self.folder / "manifest.csv", _COLUMNS)
        except UserError as error:
            raise self._damaged("not CSV in UTF-8, or without some columns") from error

    @functools.cached_property
    def _kept(self) -> list[layout.Row]:
        """The recordings that were not left out."""
        return [self._row(line, cells) for line, cells in self._manifest if not cells["reason"]]

    def _row(self, line: int, cells: dict[str, str]) -> layout.Row:
        if cells["split"] not in SPLITS:
            raise self._damaged(f"line {line} has the split {cells['split']!r}")
        if not cells["samples"].isdecimal():
            raise self._damaged(f"line {line} has {cells['samples']!r} samples")
        check_relative(cells["path"], f"{self.folder / 'manifest.csv'}, line {line}")
        return layout.Row(
            cells["split"], cells["path"], cells["speaker"], cells["text"], int(cells["samples"])
        )

    def _damaged(self, fault: str) -> UserError:
        return UserError(
            f"{self.folder / 'manifest.csv'}: damaged ({fault}); run the same wideband-prepare "
            "command again, which repairs the dataset"
        )

    @functools.cached_property
    def pieces(self) -> dict[str, list[layout.Piece]]:
        """The pieces of recordings that each shard contains, by its file name."""
        shortest = layout.shortest_piece(self.settings["patch"], self.ratio)
        return layout.distribute(self._kept, self.sample_rate, shortest, self.settings["seed"])

    def _shards(self, split: str) -> dict[str, list[layout.Piece]]:
        return {
            name: pieces for name, pieces in self.pieces.items() if name.startswith(f"{split}-")
        }

    @functools.cached_property
    def _samples_by_name(self) -> dict[str, int]:
        return {row.name: row.samples for row in self._kept}

    def _counted(self, split: str) -> int | None:
        """Returns how many recordings dataset.json counts in a split, if it does."""
        try:
            return self.settings["totals"][split]["recordings"]
        except (KeyError, TypeError):
            return None

    def _rows(self, split: str) -> list[layout.Row]:
        return [row for row in self._kept if row.split == split]


def _read_settings(path: Path) -> dict[str, Any]:
    """Reads and checks a dataset.json.

    Raises:
        UserError: it is not JSON, a setting is missing or it has a wrong type.
    """
    try:
        settings = json.loads(path.read_bytes())
        if not isinstance(settings, dict):
            raise TypeError("not an object")
        for name, types in _TYPES.items():
            if not isinstance(settings.get(name), types):
                raise TypeError(f"{name} is {settings.get(name)!r}")
        if min(settings["sample_rate"], settings["patch"]) < 1 or settings["seed"] < 0:
            raise ValueError("sample_rate, patch or seed is too small")
        quotient(settings["ratio"])
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path}: damaged ({error}); prepare the dataset again in another folder"
        ) from error
    return settings
