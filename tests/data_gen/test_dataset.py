"""A dataset: its settings, identity and shards, and the lengths and texts in its manifest."""

import json
from fractions import Fraction

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import shards
from wideband.data_gen.dataset import Dataset, piece_lengths

RATE = 1000


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
    settings = {
        "corpus": "folder",
        "sample_rate": 16000,
        "ratio": 4,
        "protocol": "sinc",
        "patch": 256,
        **settings,
    }
    (folder / "dataset.json").write_text(json.dumps(settings))
    (folder / "manifest.csv").touch()
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
    assert dataset.identity == {
        "corpus": "folder",
        "sample_rate": 16000,
        "ratio": 4,
        "protocol": "sinc",
        "patch": 256,
        "recordings_sha256": "x",
    }
    assert dataset.totals == {"train": {}}


def test_an_unfinished_dataset_is_refused(data, tmp_path):
    (tmp_path / "dataset.json").write_bytes((data / "dataset.json").read_bytes())
    with pytest.raises(UserError, match="no finished dataset"):
        Dataset(tmp_path)


@pytest.mark.parametrize("content", ["words", "[]", "{}", '{"sample_rate": 1, "ratio": "x"}'])
def test_a_damaged_dataset_json_is_refused_in_one_line(tmp_path, content):
    write(tmp_path)
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(UserError, match=r"dataset\.json: damaged") as caught:
        Dataset(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_shards_of_a_split_are_listed_in_order(tmp_path):
    for name in ("train-00001.tfrecord", "train-00000.tfrecord", "test-00000.tfrecord"):
        (tmp_path / name).touch()
    dataset = Dataset(write(tmp_path))
    assert [path.name for path in dataset.shards("train")] == [
        "train-00000.tfrecord",
        "train-00001.tfrecord",
    ]
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


@pytest.mark.parametrize(
    ("samples", "lengths"),
    [
        (255, []),
        (256, [256]),
        (60_000, [60_000]),
        (60_255, [60_000]),
        (60_256, [60_000, 256]),
        (125_000, [60_000, 60_000, 5000]),
    ],
)
def test_a_recording_is_cut_into_pieces_of_a_minute(samples, lengths):
    assert piece_lengths(samples, RATE, 256) == lengths


def test_a_manifest_without_samples_is_refused(tmp_path):
    write(tmp_path)
    (tmp_path / "manifest.csv").write_text("split,path,reason\ntrain,a.wav,\n")
    with pytest.raises(UserError, match="older version; prepare the dataset again"):
        Dataset(tmp_path).lengths("train")
