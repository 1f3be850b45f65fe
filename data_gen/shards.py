"""TFRecord shards of whole waves.

A shard is a file of `tf.train.Example`s. `high` is stored in 16 bits, like most recordings. `low`
is stored in float32 at the low rate: rounding would put a noise floor below the band that networks
have to restore, and low-passed waves may exceed 1.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..audio import Ratio, to_int16
from ..command import UserError
from ..command.files import replacing
from . import records
from .layout import Piece

# A decorator of functions for tf.data. AutoGraph would translate them, although they have no loops
# or conditions of tensors, into temporary files that a process ended by a signal leaves behind.
without_autograph = tf.autograph.experimental.do_not_convert


class Example(NamedTuple):
    """One wave of a dataset: a recording, or a piece of a longer one."""

    name: str
    speaker: str
    text: str
    start_seconds: float
    high: np.ndarray  # (n,) float32; `write` also takes int16, which is not rounded again
    low: np.ndarray  # (n / ratio,) float32


FEATURES = {
    "name": tf.io.FixedLenFeature([], tf.string),
    "speaker": tf.io.FixedLenFeature([], tf.string),
    "text": tf.io.FixedLenFeature([], tf.string),
    "start_seconds": tf.io.FixedLenFeature([], tf.float32),
    "high": tf.io.FixedLenFeature([], tf.string),
    "low": tf.io.FixedLenFeature([], tf.string),
}


def _serialize(example: Example) -> bytes:
    def text(value: str) -> tf.train.Feature:
        return data(value.encode())

    def data(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    high = example.high if example.high.dtype == np.int16 else to_int16(example.high)
    feature = {
        "name": text(example.name),
        "speaker": text(example.speaker),
        "text": text(example.text),
        "start_seconds": tf.train.Feature(
            float_list=tf.train.FloatList(value=[example.start_seconds])
        ),
        "high": data(high.astype("<i2").tobytes()),
        "low": data(example.low.astype("<f4").tobytes()),
    }
    # Otherwise the order of the map, and with it the bytes, would be random.
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(
        deterministic=True
    )


def write(path: Path, examples: Iterable[Example]) -> None:
    """Writes a shard, one example at a time, and renames it when it is complete.

    Raises:
        UserError: it cannot be written, such as on a full disk.
    """
    with replacing(path, tf.errors.OpError) as temporary:
        # TensorFlow takes text and bytes; only bytes can name every file.
        name: Any = os.fsencode(temporary)
        with tf.io.TFRecordWriter(name) as writer:
            for example in examples:
                writer.write(_serialize(example))


@without_autograph
def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads one record in a tf.data graph: `high` (n,) and `low` (n / ratio,) as float32."""
    example = tf.io.parse_single_example(record, FEATURES)
    high = tf.cast(tf.io.decode_raw(example["high"], tf.int16), tf.float32) / 32768.0
    low = tf.io.decode_raw(example["low"], tf.float32)
    return {**example, "high": high, "low": low}


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
    dataset: Any = tf.data.TFRecordDataset([os.fsencode(path)]).map(parse)
    try:
        for record in dataset.as_numpy_iterator():
            example = Example(
                record["name"].decode(),
                record["speaker"].decode(),
                record["text"].decode(),
                float(record["start_seconds"]),
                record["high"],
                record["low"],
            )
            if (example.name, example.start_seconds) not in expected:
                raise _damaged(path, f"has '{example.name}', which manifest.csv does not list here")
            yield example
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise _damaged(path, "is damaged") from error


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
