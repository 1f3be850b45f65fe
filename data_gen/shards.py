"""TFRecord shards of whole waves.

A shard is a file of `tf.train.Example`s. `high` is stored in 16 bits, like most recordings. `low`
is stored in float32 at the low rate: rounding would put a noise floor below the band that networks
have to restore, and low-passed waves may exceed 1.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..audio import to_int16
from ..command.files import replacing


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
    """Writes a shard, one example at a time, and renames it when it is complete."""
    with replacing(path) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for example in examples:
            writer.write(_serialize(example))


def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads one record in a tf.data graph: `high` (n,) and `low` (n / ratio,) as float32."""
    example = tf.io.parse_single_example(record, FEATURES)
    high = tf.cast(tf.io.decode_raw(example["high"], tf.int16), tf.float32) / 32768.0
    low = tf.io.decode_raw(example["low"], tf.float32)
    return {**example, "high": high, "low": low}


def read(paths: Iterable[Path]) -> Iterator[Example]:
    """Reads the examples of shards one by one, in the order in which they were written."""
    dataset = tf.data.TFRecordDataset([str(path) for path in paths]).map(parse)
    records: Any = dataset.as_numpy_iterator()
    for example in records:
        yield Example(
            example["name"].decode(),
            example["speaker"].decode(),
            example["text"].decode(),
            float(example["start_seconds"]),
            example["high"],
            example["low"],
        )
