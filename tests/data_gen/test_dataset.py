"""Shards: what is written is read back, the same bytes each time, and a dataset tells its facts."""

import json

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import dataset as shards


def example(name="a/é.wav", n=400, seed=0):
    rng = np.random.default_rng(seed)
    high = rng.uniform(-1, 1, n).astype(np.float32)
    # A low-passed wave may pass 1.
    low = rng.uniform(-1.5, 1.5, n // 4).astype(np.float32)
    return shards.Example(name, "speaker", "what is said, “so”", 60.0, high, low)


def test_high_comes_back_in_16_bits_and_low_as_it_was(tmp_path):
    shards.write(tmp_path / "train-00000.tfrecord", [example(), example("b", 8, 1)])
    first, second = shards.read([tmp_path / "train-00000.tfrecord"])
    assert first[:4] == example()[:4]
    expected = np.clip(np.round(example().high * 32768), -32768, 32767) / 32768
    np.testing.assert_array_equal(first.high, expected.astype(np.float32))
    np.testing.assert_array_equal(first.low, example().low)
    assert (second.name, len(second.high), len(second.low)) == ("b", 8, 2)


def test_the_same_examples_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        shards.write(tmp_path / name, (example(seed=seed) for seed in range(5)))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_shard_that_cannot_be_finished_is_not_there(tmp_path):
    def breaking():
        yield example()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        shards.write(tmp_path / "train-00000.tfrecord", breaking())
    assert not list(tmp_path.iterdir())


def test_a_dataset_tells_its_rates_and_protocol(data):
    assert shards.describe(data) == (16000, 4, "decimate_spline")


def test_the_identity_holds_settings_and_no_results(tmp_path):
    facts = {"ratio": 4, "recordings_sha256": "x", "totals": {}, "left_out": {}, "version": "1"}
    (tmp_path / "dataset.json").write_text(json.dumps(facts))
    assert shards.identity(tmp_path) == {"ratio": 4, "recordings_sha256": "x"}


def test_an_unfinished_dataset_is_refused(data, tmp_path):
    (tmp_path / "dataset.json").write_bytes((data / "dataset.json").read_bytes())
    with pytest.raises(UserError, match="no finished dataset"):
        shards.describe(tmp_path)


def test_shards_of_a_split_are_listed_in_order(tmp_path):
    for name in ("train-00001.tfrecord", "train-00000.tfrecord", "test-00000.tfrecord"):
        (tmp_path / name).touch()
    assert [path.name for path in shards.files(tmp_path, "train")] == [
        "train-00000.tfrecord",
        "train-00001.tfrecord",
    ]
    with pytest.raises(UserError, match="--valid_fraction"):
        shards.files(tmp_path, "valid")
