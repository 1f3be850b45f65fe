"""The plan of a dataset: pieces of recordings, and the shards they go to."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from wideband import audio
from wideband.audio.measure import Facts
from wideband.data_gen import plan
from wideband.data_gen.corpora import Recording
from wideband.data_gen.survey import Measured

RATE = 16000
SETTINGS = plan.Settings("folder", "speaker", 0.1, 0.1, 0, RATE, 4, "sinc", 256)


def measured(*seconds, split="train", rate=RATE):
    return [
        Measured(
            Recording(Path(f"{i}.wav"), f"{i}.wav", "anna", split=split),
            Facts(round(each * rate), rate, 1, 0.5, 0.1, 0.0, 0.0, True, rate / 2),
            "",
        )
        for i, each in enumerate(seconds)
    ]


def planned(rows):
    return {
        name: [(piece.recording.name, piece.start_seconds) for piece in pieces]
        for name, pieces in plan.plan(rows, SETTINGS).items()
    }


def test_a_shard_contains_ten_minutes_and_a_long_recording_spans_several():
    found = planned(measured(599.0, 2.0, 1500.0, split="valid"))
    assert list(found) == [f"valid-{i:05d}.tfrecord" for i in range(4)]
    assert found["valid-00000.tfrecord"] == [("0.wav", 60 * i) for i in range(10)]
    assert found["valid-00001.tfrecord"][:2] == [("1.wav", 0), ("2.wav", 0)]
    pieces = [piece for shard in found.values() for piece in shard if piece[0] == "2.wav"]
    assert pieces == [("2.wav", 60 * i) for i in range(25)]


def test_a_shard_is_filled_to_ten_minutes_and_no_further():
    assert list(planned(measured(540.0, 60.0))) == ["train-00000.tfrecord"]
    found = planned(measured(540.0, 30.0, 30.0 + 1 / RATE, split="valid"))
    assert found["valid-00001.tfrecord"] == [("2.wav", 0)]


def test_every_training_shard_is_a_sample_of_the_corpus():
    # A corpus of two halves, the second of recordings that are ten times as long.
    found = planned(measured(*[2.0] * 2000, *[20.0] * 200))
    assert len(found) > 12
    long = [sum(int(name[:-4]) >= 2000 for name, _ in pieces) for pieces in found.values()]
    short = [len(pieces) - n for n, pieces in zip(long, found.values(), strict=True)]
    assert sum(long) == 200 and sum(short) == 2000
    # The mean of a full shard is about 15 long ones and 150 short ones.
    assert min(long[:-1]) >= 5 and min(short[:-1]) >= 75
    assert found == planned(measured(*[2.0] * 2000, *[20.0] * 200))


def test_a_last_piece_shorter_than_a_patch_is_dropped():
    for samples, pieces in ((256, 1), (60 * RATE, 1), (60 * RATE + 255, 1), (60 * RATE + 256, 2)):
        found = planned(measured(samples / RATE))
        assert len(found["train-00000.tfrecord"]) == pieces


def test_splits_never_share_a_shard():
    rows = [*measured(5, 5), *measured(5, split="test"), *measured(5, split="valid")]
    assert {name: len(pieces) for name, pieces in planned(rows).items()} == {
        "train-00000.tfrecord": 2,
        "valid-00000.tfrecord": 1,
        "test-00000.tfrecord": 1,
    }


def test_the_pieces_of_a_long_recording_join_as_if_it_were_resampled_whole(noise, tmp_path):
    wave = noise(round(125.5 * 22050))
    soundfile.write(tmp_path / "a.wav", wave, 22050, subtype="FLOAT")
    recording = Recording(tmp_path / "a.wav", "a.wav", "anna")
    pieces = [
        plan.waves(plan.Piece(recording, 22050, start, RATE, 2, "fft"))[0] for start in (0, 60, 120)
    ]
    assert [len(piece) for piece in pieces] == [960000, 960000, 88000]
    whole = audio.to_int16(soxr.resample(wave, 22050, RATE, quality="VHQ"))
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
