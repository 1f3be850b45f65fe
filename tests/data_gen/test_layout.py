"""The layout of a dataset: pieces of recordings, and the shards they go to."""

from fractions import Fraction

import numpy as np
import pytest
from wideband.data_gen import layout

RATE = 16000


def row(seconds, name="a.wav", split="train", speaker="anna"):
    return layout.Row(split, name, speaker, "", round(seconds * RATE))


def distributed(*seconds, split="train", seed=0):
    rows = [row(each, f"{number}.wav", split) for number, each in enumerate(seconds)]
    return {
        name: [(piece.row.name, piece.start_seconds) for piece in pieces]
        for name, pieces in layout.distribute(rows, RATE, 256, seed).items()
    }


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
    pieces = layout.cut(layout.Row("train", "a.wav", "anna", "", samples), 1000, 256)
    assert [piece.samples for piece in pieces] == lengths
    assert [piece.start_seconds for piece in pieces] == [60 * i for i in range(len(lengths))]


def test_no_piece_is_empty_once_it_is_cropped_to_a_multiple_of_the_ratio():
    assert layout.shortest_piece(256, 4) == 256
    assert layout.shortest_piece(256, Fraction(441, 160)) == 441


def test_a_shard_contains_ten_minutes_and_a_long_recording_spans_several():
    found = distributed(599.0, 2.0, 1500.0, split="valid")
    assert list(found) == [f"valid-{i:05d}.tfrecord" for i in range(4)]
    assert found["valid-00000.tfrecord"] == [("0.wav", 60 * i) for i in range(10)]
    assert found["valid-00001.tfrecord"][:2] == [("1.wav", 0), ("2.wav", 0)]
    pieces = [piece for shard in found.values() for piece in shard if piece[0] == "2.wav"]
    assert pieces == [("2.wav", 60 * i) for i in range(25)]


def test_a_shard_is_filled_to_ten_minutes_and_no_further():
    assert list(distributed(540.0, 60.0)) == ["train-00000.tfrecord"]
    found = distributed(540.0, 30.0, 30.0 + 1 / RATE, split="valid")
    assert found["valid-00001.tfrecord"] == [("2.wav", 0)]


def test_every_training_shard_is_a_sample_of_the_corpus():
    # A corpus of two halves, the second of recordings that are ten times as long.
    found = distributed(*[2.0] * 2000, *[20.0] * 200)
    assert len(found) > 12
    long = [sum(int(name[:-4]) >= 2000 for name, _ in pieces) for pieces in found.values()]
    short = [len(pieces) - n for n, pieces in zip(long, found.values(), strict=True)]
    assert sum(long) == 200 and sum(short) == 2000
    # The mean of a full shard is about 15 long ones and 150 short ones.
    assert min(long[:-1]) >= 5 and min(short[:-1]) >= 75
    assert found == distributed(*[2.0] * 2000, *[20.0] * 200)
    assert found != distributed(*[2.0] * 2000, *[20.0] * 200, seed=1)


def test_the_training_pieces_are_shuffled_as_numpy_shuffles_a_list():
    """Existing datasets depend on this order."""
    order = list(range(9))
    np.random.default_rng(3).shuffle(order)
    found = distributed(*[2.0] * 9, seed=3)["train-00000.tfrecord"]
    assert [int(name[:-4]) for name, _ in found] == order


def test_splits_never_share_a_shard():
    rows = [
        row(5, f"{i}.wav", split) for i, split in enumerate(("train", "train", "test", "valid"))
    ]
    found = layout.distribute(rows, RATE, 256, 0)
    assert {name: len(pieces) for name, pieces in found.items()} == {
        "train-00000.tfrecord": 2,
        "valid-00000.tfrecord": 1,
        "test-00000.tfrecord": 1,
    }


def test_recordings_seconds_and_speakers_are_counted_by_split():
    rows = [row(5.5, "a.wav"), row(1, "b.wav"), row(2, "c.wav", "test"), row(1, speaker="beth")]
    assert layout.totals(rows, RATE) == {
        "train": {"recordings": 3, "seconds": 7.5, "speakers": 2},
        "valid": {"recordings": 0, "seconds": 0, "speakers": 0},
        "test": {"recordings": 1, "seconds": 2, "speakers": 1},
    }
