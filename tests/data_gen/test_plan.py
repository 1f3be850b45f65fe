"""The plan of a dataset: the sources of its pieces, and the waves that are made from them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from wideband import audio
from wideband.audio.measure import Facts
from wideband.command import UserError
from wideband.data_gen import layout, plan
from wideband.data_gen.corpora import Recording
from wideband.data_gen.settings import Settings
from wideband.data_gen.survey import Measured

RATE = 16000
SETTINGS = Settings("folder", "speaker", 0.1, 0.1, 0, RATE, 4, "sinc", 256)


def source(path, samples, start_seconds=0, source_rate=RATE, ratio=2, protocol="fft"):
    row = layout.Row("train", path.name, "anna", "", samples)
    piece = layout.Piece(row, start_seconds, min(samples - start_seconds * RATE, 60 * RATE))
    return plan.Source(piece, path, source_rate, RATE, ratio, protocol)


def test_the_recordings_that_are_kept_are_distributed_with_their_lengths_at_the_high_rate():
    def measured(name, frames, rate, reason=""):
        facts = Facts(frames, rate, 1, 0.5, 0.1, 0.0, 0.0, True, rate / 2, rate / 2)
        return Measured(Recording(Path(name), name, "anna", split="valid"), facts, reason)

    rows = [
        measured("a", 480001, 48000),
        measured("b", 9, RATE, "short: 9 samples, a patch has 256"),
        measured("c", 70 * RATE, RATE),
    ]
    (shard,) = plan.plan(rows, SETTINGS).values()
    assert [(each.path.name, each.piece.start_seconds, each.piece.samples) for each in shard] == [
        ("a", 0, 160000),
        ("c", 0, 960000),
        ("c", 60, 160000),
    ]
    assert shard[0][2:] == (48000, RATE, 4, "sinc", None)


def test_the_pieces_of_a_long_recording_join_as_if_it_were_resampled_whole(noise, tmp_path):
    wave = noise(round(125.5 * 22050))
    soundfile.write(tmp_path / "a.wav", wave, 22050, subtype="FLOAT")
    pieces = [
        plan.waves(source(tmp_path / "a.wav", round(125.5 * RATE), start, 22050))[0]
        for start in (0, 60, 120)
    ]
    assert [len(piece) for piece in pieces] == [960000, 960000, 88000]
    whole = audio.to_int16(soxr.resample(wave, 22050, RATE, quality="VHQ"))
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize(
    ("samples", "rate", "difference"),
    [
        (15000, RATE, "15000 samples at 16000 Hz from 0 s on, not 16000"),
        (17000, RATE, "17000 samples at 16000 Hz from 0 s on, not 16000"),
        (0, RATE, "0 samples at 16000 Hz"),
        (16000, 8000, "8000 Hz, not 16000 Hz"),
        (None, None, "not readable as audio"),
    ],
)
def test_a_recording_that_changed_since_it_was_measured_is_refused(
    noise, tmp_path, samples, rate, difference
):
    path = tmp_path / "a.wav"
    if samples is None:
        path.write_text("words")
    else:
        soundfile.write(path, noise(samples), rate)
    with pytest.raises(UserError, match="has changed since it was measured") as caught:
        plan.waves(source(path, RATE))
    assert str(caught.value).startswith(f"{path}: has changed since it was measured ({difference}")
    assert "restore it and run the same command again" in str(caught.value)


def test_a_recording_that_is_cut_in_a_later_piece_is_refused(noise, tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(60 * RATE), RATE)
    plan.waves(source(path, 70 * RATE))
    with pytest.raises(UserError, match=r"\(0 samples at 16000 Hz from 60 s on, not 160000\)"):
        plan.waves(source(path, 70 * RATE, 60))
