"""TFRecord shards of whole waves.

A shard is a file of `tf.train.Example`s. `high` is stored in 16 bits, like most recordings. `low`
is stored in float32 at the low rate: rounding would put a noise floor below the band that networks
have to restore, and low-passed waves may exceed 1.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..audio import Ratio, from_int16, to_int16
from ..command import UserError
from ..command.files import replacing
from . import messages, records
from .layout import Piece


class Example(NamedTuple):
    """One wave of a dataset: a recording, or a piece of a longer one."""

    name: str
    speaker: str
    text: str
    start_seconds: float
    high: np.ndarray  # (n,) float32; `write` also takes int16, which is not rounded again
    low: np.ndarray  # (n / ratio,) float32


def record(example: Example) -> bytes:
    """Returns the record of an example, as it is in a shard."""
    high = example.high if example.high.dtype == np.int16 else to_int16(example.high)
    return records.frame(
        messages.encode(
            {
                "name": example.name.encode(),
                "speaker": example.speaker.encode(),
                "text": example.text.encode(),
                "start_seconds": float(example.start_seconds),
                "high": high.astype("<i2").tobytes(),
                "low": example.low.astype("<f4").tobytes(),
            }
        )
    )


def write(path: Path, examples: Iterable[Example]) -> None:
    """Writes a shard, one example at a time, and renames it when it is complete.

    Raises:
        UserError: it cannot be written, such as on a full disk.
    """
    write_records(path, map(record, examples))


def write_records(path: Path, records: Iterable[bytes]) -> None:
    """Writes a shard as `write` does, of records."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(records)


def read(path: Path, pieces: Sequence[Piece], ratio: Ratio) -> Iterator[Example]:
    """Reads the examples of a shard one by one, in the order in which they were written.

    Args:
        path: the shard.
        pieces: the examples that it should contain, in any order.
        ratio: the high rate over the low rate.

    Raises:
        UserError: the shard is missing or damaged, or has other examples.
    """
    records.check(path, pieces, ratio)
    expected = {(piece.row.name, piece.start_seconds) for piece in pieces}
    try:
        for data in records.read(path):
            example = _example(messages.decode(data))
            if (example.name, example.start_seconds) not in expected:
                raise _damaged(path, f"has '{example.name}', which manifest.csv does not list here")
            yield example
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, "is damaged") from error


def _example(features: dict[str, Any]) -> Example:
    """Makes an example of its features; one of them may be missing or of another type."""
    return Example(
        features["name"].decode(),
        features["speaker"].decode(),
        features["text"].decode(),
        float(features["start_seconds"]),
        from_int16(np.frombuffer(features["high"], "<i2")),
        np.frombuffer(features["low"], "<f4"),
    )


def is_intact(path: Path, pieces: Sequence[Piece], ratio: Ratio) -> bool:
    """Whether a shard can be read and contains these examples."""
    try:
        return sum(1 for _ in read(path, pieces, ratio)) == len(pieces)
    except UserError:
        return False


def _damaged(path: Path, fault: str) -> UserError:
    # Only a complete reading finds this damage, and wideband-prepare reads no finished dataset.
    return UserError(
        f"{path}: {fault}; delete it and run the same wideband-prepare command again, which makes "
        "it anew"
    )
