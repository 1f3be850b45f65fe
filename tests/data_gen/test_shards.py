"""Shards: examples are read back as written, and the bytes are those of TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf
from wideband.command import UserError
from wideband.data_gen import layout, shards


def example(name="a/é.wav", n=400, seed=0):
    rng = np.random.default_rng(seed)
    high = rng.uniform(-1, 1, n).astype(np.float32)
    # A low-passed wave may exceed 1.
    low = rng.uniform(-1.5, 1.5, n // 4).astype(np.float32)
    return shards.Example(name, "speaker", "what is said, “so”", 60.0, high, low)


def read(path, *lengths):
    """Reads a shard of `example` and other examples of these lengths, with the ratio 4."""
    names = ("a/é.wav", "b")
    return shards.read(
        path,
        [
            layout.Piece(layout.Row("train", name, "speaker", example().text, n), 60, n)
            for name, n in zip(names, lengths, strict=False)
        ],
        4,
    )


def test_high_is_stored_in_16_bits_and_low_in_float32(tmp_path):
    shards.write(tmp_path / "train-00000.tfrecord", [example(), example("b", 8, 1)])
    first, second = read(tmp_path / "train-00000.tfrecord", 400, 8)
    assert first[:4] == example()[:4]
    expected = np.clip(np.round(example().high * 32768), -32768, 32767) / 32768
    np.testing.assert_array_equal(first.high, expected.astype(np.float32))
    np.testing.assert_array_equal(first.low, example().low)
    assert (second.name, len(second.high), len(second.low)) == ("b", 8, 2)


def test_samples_of_16_bits_are_stored_unchanged(tmp_path):
    samples = np.array([-32768, -1, 0, 1, 32767, 5, 6, 7], np.int16)
    shards.write(tmp_path / "a.tfrecord", [example(n=8)._replace(high=samples)])
    (found,) = read(tmp_path / "a.tfrecord", 8)
    np.testing.assert_array_equal(found.high * 32768, samples)


def test_a_shard_has_the_bytes_that_tensorflow_writes(tmp_path):
    def record(example):
        feature = {
            name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
            for name, value in {
                **{name: getattr(example, name).encode() for name in ("name", "speaker", "text")},
                "high": np.rint(np.clip(example.high * 32768, -32768, 32767))
                .astype("<i2")
                .tobytes(),
                "low": example.low.astype("<f4").tobytes(),
            }.items()
        }
        start = tf.train.FloatList(value=[example.start_seconds])
        feature["start_seconds"] = tf.train.Feature(float_list=start)
        message = tf.train.Example(features=tf.train.Features(feature=feature))
        return message.SerializeToString(deterministic=True)

    examples = [example(n=4 * 5**k, seed=k) for k in range(8)]
    shards.write(tmp_path / "ours", examples)
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as writer:
        for each in examples:
            writer.write(record(each))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("limit", [10, 5000, 60_000])
def test_a_shard_that_does_not_fit_is_one_error_and_leaves_no_file(tmp_path, file_limit, limit):
    path = tmp_path / "train-00000.tfrecord"
    with pytest.raises(UserError) as caught, file_limit(limit):
        shards.write(path, (example(n=4000) for _ in range(5)))
    assert str(caught.value).startswith(f"{path}: cannot be written: File too large; ")
    assert not list(tmp_path.iterdir())


def test_a_failed_shard_leaves_no_file(tmp_path):
    def breaking():
        yield example()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        shards.write(tmp_path / "train-00000.tfrecord", breaking())
    assert not list(tmp_path.iterdir())
