"""Shards: examples are read back as written, and equal examples are equal bytes."""

import numpy as np
import pytest
from wideband.data_gen import shards


def example(name="a/é.wav", n=400, seed=0):
    rng = np.random.default_rng(seed)
    high = rng.uniform(-1, 1, n).astype(np.float32)
    # A low-passed wave may exceed 1.
    low = rng.uniform(-1.5, 1.5, n // 4).astype(np.float32)
    return shards.Example(name, "speaker", "what is said, “so”", 60.0, high, low)


def test_high_is_stored_in_16_bits_and_low_in_float32(tmp_path):
    shards.write(tmp_path / "train-00000.tfrecord", [example(), example("b", 8, 1)])
    first, second = shards.read([tmp_path / "train-00000.tfrecord"])
    assert first[:4] == example()[:4]
    expected = np.clip(np.round(example().high * 32768), -32768, 32767) / 32768
    np.testing.assert_array_equal(first.high, expected.astype(np.float32))
    np.testing.assert_array_equal(first.low, example().low)
    assert (second.name, len(second.high), len(second.low)) == ("b", 8, 2)


def test_samples_of_16_bits_are_stored_unchanged(tmp_path):
    samples = np.array([-32768, -1, 0, 1, 32767, 5, 6, 7], np.int16)
    shards.write(tmp_path / "a.tfrecord", [example(n=8)._replace(high=samples)])
    (found,) = shards.read([tmp_path / "a.tfrecord"])
    np.testing.assert_array_equal(found.high * 32768, samples)


def test_the_same_examples_are_written_as_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        shards.write(tmp_path / name, (example(seed=seed) for seed in range(5)))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_failed_shard_leaves_no_file(tmp_path):
    def breaking():
        yield example()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        shards.write(tmp_path / "train-00000.tfrecord", breaking())
    assert not list(tmp_path.iterdir())
