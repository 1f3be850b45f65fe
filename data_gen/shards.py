"""The stored form of a dataset: TFRecord shards of whole waves, and what they were made by.

A shard is a TFRecord file of `tf.train.Example`s, named SPLIT-NUMBER.tfrecord. `high` is kept in
16 bits, as it was recorded; `low` in float32 at the low rate, since rounding it would lay a floor
of noise under the band that the networks are to fill, and low-passed waves may pass 1.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from .audio import to_int16
from .command import UserError, replacing


class Example(NamedTuple):
    """One wave of a dataset, or a piece of at most a minute of a longer one."""

    name: str
    speaker: str
    text: str
    start_seconds: float
    high: np.ndarray  # (n,) float32
    low: np.ndarray  # (n / ratio,) float32


class Description(NamedTuple):
    """What a network must know about a dataset."""

    sample_rate: int
    ratio: int
    protocol: str


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

    feature = {
        "name": text(example.name),
        "speaker": text(example.speaker),
        "text": text(example.text),
        "start_seconds": tf.train.Feature(
            float_list=tf.train.FloatList(value=[example.start_seconds])
        ),
        "high": data(to_int16(example.high).astype("<i2").tobytes()),
        "low": data(example.low.astype("<f4").tobytes()),
    }
    # The order of a protocol buffer's map is otherwise left to chance, and with it the bytes.
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(
        deterministic=True
    )


def write(path: Path, examples: Iterable[Example]) -> None:
    """Writes a shard, one example at a time, and renames it once it is whole."""
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
    """Reads the examples of shards one after the other, as they were written."""
    dataset = tf.data.TFRecordDataset([str(path) for path in paths]).map(parse)
    for example in dataset.as_numpy_iterator():
        yield Example(
            example["name"].decode(),
            example["speaker"].decode(),
            example["text"].decode(),
            float(example["start_seconds"]),
            example["high"],
            example["low"],
        )


def describe(folder: Path) -> Description:
    """Reads what a dataset was made by.

    Raises:
        UserError: the folder holds no finished dataset.
    """
    if not (folder / "manifest.csv").is_file() or not (folder / "dataset.json").is_file():
        raise UserError(
            f"{folder}: no finished dataset; make one with "
            f"wideband-prepare --corpus=... --output={folder}"
        )
    facts = json.loads((folder / "dataset.json").read_text())
    return Description(facts["sample_rate"], facts["ratio"], facts["protocol"])


def identity(folder: Path) -> dict:
    """Reads what tells a dataset apart: its settings and a digest of its recordings."""
    facts = json.loads((folder / "dataset.json").read_text())
    return {key: facts[key] for key in facts if key not in ("totals", "left_out", "version")}


def files(folder: Path, split: str) -> list[Path]:
    """Lists the shards of a split in order.

    Raises:
        UserError: there are none.
    """
    paths = sorted(folder.glob(f"{split}-*.tfrecord"))
    if not paths:
        raise UserError(
            f"{folder}: no recordings in the {split} split; prepare a dataset with more recordings "
            f"or a larger --{split}_fraction"
            if split != "train"
            else f"{folder}: no recordings in the train split"
        )
    return paths
