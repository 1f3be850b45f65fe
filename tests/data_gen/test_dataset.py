"""A dataset: its settings, identity and shards, and the lengths and texts in its manifest."""

import json
from fractions import Fraction

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import layout, shards
from wideband.data_gen.dataset import Dataset

RATE = 1000
SETTINGS = {
    "corpus": "folder",
    "split_rule": "speaker",
    "valid_fraction": 0.1,
    "test_fraction": 0.1,
    "seed": 0,
    "sample_rate": 16000,
    "ratio": 4,
    "protocol": "sinc",
    "patch": 256,
}


def example(name, n, start_seconds=0.0, text=""):
    high = np.zeros(n, np.float32)
    return shards.Example(name, "anna", text, start_seconds, high, high[::4])


@pytest.fixture
def pieces(make_dataset, tmp_path):
    """A dataset at 1 kHz of recordings around 60 s, the length of a piece."""
    valid = [
        example("short", 59_999 - 3, text="all of it"),
        example("exact", 60_000, text="all of it"),
        example("long", 60_000, text="all of it"),
        example("long", 4000, 60.0, text="all of it"),
    ]
    long = [example("long.wav", 60_000, text="all"), example("long.wav", 400, 60.0, text="all")]
    splits = {"train": [example("a", 1000)], "valid": valid, "test": long}
    return Dataset(make_dataset(tmp_path, splits, sample_rate=RATE))


def write(folder, **settings):
    (folder / "dataset.json").write_text(json.dumps({**SETTINGS, **settings}))
    (folder / "manifest.csv").write_text("split,path,speaker,samples,text,reason\n")
    return folder


def test_a_dataset_has_its_rates_protocol_and_corpus(data):
    dataset = Dataset(data)
    assert (dataset.sample_rate, dataset.ratio, dataset.low_rate) == (16000, 4, 4000)
    assert (dataset.protocol, dataset.corpus) == ("decimate_spline", "folder")


def test_the_ratio_may_be_a_quotient(tmp_path):
    dataset = Dataset(write(tmp_path, sample_rate=22050, ratio="441/160"))
    assert dataset.ratio == Fraction(441, 160)
    assert dataset.low_rate == 8000


def test_the_identity_contains_settings_and_no_results(tmp_path):
    write(tmp_path, recordings_sha256="x", totals={"train": {}}, left_out={}, version="1")
    dataset = Dataset(tmp_path)
    assert dataset.identity == {**SETTINGS, "recordings_sha256": "x"}


def test_an_unfinished_dataset_is_refused(data, tmp_path):
    (tmp_path / "dataset.json").write_bytes((data / "dataset.json").read_bytes())
    with pytest.raises(UserError, match="no finished dataset"):
        Dataset(tmp_path)


def test_the_shards_of_a_split_are_listed_in_order(monkeypatch, make_dataset, tmp_path):
    monkeypatch.setattr(layout, "SHARD_SAMPLES", 1000)
    folder = make_dataset(tmp_path / "two", {"test": [example("a", 1000), example("b", 800)]})
    for name, n in (("a", 1000), ("b", 800)):
        shards.write(folder / f"test-0000{'ab'.index(name)}.tfrecord", [example(name, n)])
    dataset = Dataset(folder)
    names = ["test-00000.tfrecord", "test-00001.tfrecord"]
    assert [path.name for path in dataset.shards("test")] == names
    with pytest.raises(UserError, match="--valid_fraction"):
        dataset.shards("valid")


def test_a_recording_of_exactly_a_piece_is_whole_and_a_piece_of_a_longer_one_is_not(pieces):
    assert [(each.name, pieces.is_whole(each)) for each in pieces.examples("valid")] == [
        ("short", True),
        ("exact", True),
        ("long", False),
        ("long", False),
    ]


def test_lengths_and_counts_are_those_of_the_shards(pieces):
    for split in ("train", "valid", "test"):
        lengths = [len(each.high) for each in pieces.examples(split)]
        assert pieces.lengths(split) == lengths
        assert pieces.count(split) == len(lengths)


def test_only_whole_recordings_have_a_text(pieces):
    assert pieces.texts("valid") == ["all of it"] * 2
    # No recording of train has a text; the one of test is stored in pieces.
    assert not pieces.texts("train")
    assert not pieces.texts("test")
