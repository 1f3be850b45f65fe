"""A prepared dataset: TFRecord shards of whole waves, and the files that describe them.

- dataset.json: the settings, a digest of the recordings, and totals.
- manifest.csv: one row per recording of the corpus. It is written last, so a folder without it is
  unfinished.
- SPLIT-NUMBER.tfrecord: the waves (see `shards`).

Only `Dataset.examples` needs TensorFlow.
"""

import csv
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..audio import Ratio, quotient
from ..command import UserError

if TYPE_CHECKING:
    from .shards import Example

# Longer recordings are stored in pieces of this length.
PIECE_SECONDS = 60
# Keys of dataset.json that do not belong to the identity of the dataset.
_RESULTS = ("totals", "left_out", "version")


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
        try:
            self.settings: dict[str, Any] = json.loads((folder / "dataset.json").read_text())
            self.sample_rate: int = self.settings["sample_rate"]
            self.ratio: Ratio = quotient(self.settings["ratio"])
            self.protocol: str = self.settings["protocol"]
            self.corpus: str = self.settings["corpus"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{folder / 'dataset.json'}: damaged ({error}); prepare the dataset again"
            ) from error

    @property
    def low_rate(self) -> float:
        """The low rate in Hz."""
        return float(self.sample_rate / self.ratio)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings and the digest of the recordings: equal for equal datasets only."""
        return {key: value for key, value in self.settings.items() if key not in _RESULTS}

    @property
    def totals(self) -> dict[str, dict[str, Any]]:
        """By split: the number of `recordings`, their `seconds` and the number of `speakers`."""
        return self.settings["totals"]

    def shards(self, split: str) -> list[Path]:
        """Lists the shards of a split in order.

        Raises:
            UserError: there are none.
        """
        paths = sorted(self.folder.glob(f"{split}-*.tfrecord"))
        if not paths:
            hint = "" if split == "train" else f" or with a larger --{split}_fraction"
            raise UserError(
                f"{self.folder}: no recordings in the {split} split; prepare the dataset with more "
                f"recordings{hint}"
            )
        return paths

    def examples(self, split: str) -> "Iterator[Example]":
        """Reads the examples of a split.

        Raises:
            UserError: there are none.
        """
        from . import shards

        return shards.read(self.shards(split))

    def lengths(self, split: str) -> list[int]:
        """Lists the samples of each example of a split at the high rate, without reading shards.

        The order is that of the manifest. Shards of valid and test keep it; those of train are
        shuffled.
        """
        # Waves are cropped to a multiple of the ratio (`degrade.crop`).
        step = self.ratio.numerator
        return [
            length - length % step
            for row in self._rows(split)
            for length in piece_lengths(_samples(row), self.sample_rate, self.settings["patch"])
        ]

    def count(self, split: str) -> int:
        """Counts the examples of a split, without reading shards."""
        return len(self.lengths(split))

    def is_whole(self, example: "Example") -> bool:
        """Whether an example is a whole recording. A piece of one has the text of the whole."""
        return self._is_one_piece(self._samples_by_name[example.name])

    def texts(self, split: str) -> list[str]:
        """Lists the transcripts of a split, of recordings that are stored whole and have one."""
        return [
            row["text"]
            for row in self._rows(split)
            if row["text"] and self._is_one_piece(_samples(row))
        ]

    def _is_one_piece(self, samples: int) -> bool:
        return samples <= PIECE_SECONDS * self.sample_rate

    @functools.cached_property
    def _manifest(self) -> list[dict[str, str]]:
        """The rows of the recordings that were not left out."""
        path = self.folder / "manifest.csv"
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if rows and "samples" not in rows[0]:
            raise UserError(f"{path}: made by an older version; prepare the dataset again")
        return [row for row in rows if not row["reason"]]

    @functools.cached_property
    def _samples_by_name(self) -> dict[str, int]:
        return {row["path"]: _samples(row) for row in self._manifest}

    def _rows(self, split: str) -> list[dict[str, str]]:
        return [row for row in self._manifest if row["split"] == split]


def _samples(row: dict[str, str]) -> int:
    return int(row["samples"])


def piece_lengths(samples: int, sample_rate: int, patch: int) -> list[int]:
    """Lists the samples of the pieces that a recording is stored in.

    Args:
        samples: of the recording.
        sample_rate: in Hz.
        patch: a last piece with fewer samples is dropped.
    """
    piece = PIECE_SECONDS * sample_rate
    return [min(samples - start, piece) for start in range(0, samples - patch + 1, piece)]
