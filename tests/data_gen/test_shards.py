"""Shards: examples are read back as written, and equal examples are equal bytes."""

import numpy as np
import pytest
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


def test_the_same_examples_are_written_as_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        shards.write(tmp_path / name, (example(seed=seed) for seed in range(5)))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


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
