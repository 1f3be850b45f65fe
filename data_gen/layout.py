"""The layout of a dataset: how recordings are cut into pieces, and which shard holds which piece.

It follows from the manifest and the settings alone. A finished dataset therefore knows what its
shards must contain.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..audio import Ratio
from .corpora import SPLITS

# Longer recordings are stored in pieces of this length.
PIECE_SECONDS = 60
# Ten minutes at 16 kHz: a small corpus still fills several shards, a large one not too many.
SHARD_SAMPLES = 600 * 16000


class Row(NamedTuple):
    """A recording of a dataset, as its manifest lists it."""

    split: str
    name: str
    speaker: str
    text: str
    samples: int  # at the high rate


class Piece(NamedTuple):
    """An example of a dataset: a minute of a recording, or all of a shorter one."""

    row: Row
    start_seconds: int
    samples: int  # at the high rate, before they are cropped to a multiple of the ratio


def shortest_piece(patch: int, ratio: Ratio) -> int:
    """Returns the samples of the shortest piece: those of a patch.

    A shorter one than the numerator of the ratio would be empty once it is cropped
    (`degrade.crop`).
    """
    return max(patch, ratio.numerator)


def cut(row: Row, sample_rate: int, shortest: int) -> list[Piece]:
    """Cuts a recording into pieces.

    Args:
        row: the recording.
        sample_rate: the high rate in Hz.
        shortest: a last piece with fewer samples is dropped.
    """
    length = PIECE_SECONDS * sample_rate
    return [
        Piece(row, start // sample_rate, min(row.samples - start, length))
        for start in range(0, row.samples - shortest + 1, length)
    ]


def distribute(
    rows: Iterable[Row], sample_rate: int, shortest: int, seed: int
) -> dict[str, list[Piece]]:
    """Distributes the pieces of recordings over shards.

    Pieces of the train split are shuffled. `pipeline.patches` reads all shards in parallel; a shard
    of long recordings only would be exhausted before the others.

    Args:
        rows: the recordings that are not left out, in the order of the manifest.
        sample_rate: the high rate in Hz.
        shortest: see `cut`.
        seed: seeds the shuffling.

    Returns:
        the file name of each shard and its pieces.
    """
    rows = list(rows)
    shards: dict[str, list[Piece]] = {}
    for split in SPLITS:
        pieces = [
            piece for row in rows if row.split == split for piece in cut(row, sample_rate, shortest)
        ]
        if split == "train":
            np.random.default_rng(seed).shuffle(pieces)
        # The first piece opens shard 0.
        number, room = -1, 0
        for piece in pieces:
            if piece.samples > room:
                number, room = number + 1, SHARD_SAMPLES
            room -= piece.samples
            shards.setdefault(f"{split}-{number:05d}.tfrecord", []).append(piece)
    return shards


def totals(rows: Iterable[Row], sample_rate: int) -> dict[str, dict[str, Any]]:
    """Counts `recordings`, `seconds` and `speakers`, by split."""
    rows = list(rows)
    result = {}
    for split in SPLITS:
        own = [row for row in rows if row.split == split]
        result[split] = {
            "recordings": len(own),
            "seconds": round(sum(row.samples for row in own) / sample_rate, 3),
            "speakers": len({row.speaker for row in own}),
        }
    return result
