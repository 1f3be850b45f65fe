"""Recordings recognized and scored: files and waves, and those that are left out."""

import numpy as np
import pytest
from wideband import audio
from wideband.command import UserError
from wideband.evaluate.words.base import RecognitionError
from wideband.evaluate.words.normalization import SPELLED, WRITTEN
from wideband.evaluate.words.scores import Scores
from wideband.evaluate.words.word_errors import Errors, Transcript

WORDS = {500: "low", 1000: "middle", 3000: "high"}


class Tones:
    """Recognizes the word of a tone from the peak of its spectrum."""

    name = "tones"
    sample_rate = 16000
    normalizer = SPELLED

    def transcribe(self, waves):
        for wave in waves:
            assert wave.ndim == 1 and wave.dtype == np.float32
            if not wave.any():
                yield RecognitionError("it is silent")
                continue
            peak = np.argmax(np.abs(np.fft.rfft(wave))) * self.sample_rate / len(wave)
            yield WORDS[min(WORDS, key=lambda hz: abs(hz - peak))].upper() + ".\n"


@pytest.fixture
def tones(tone):
    """Returns a function that makes a quarter of a second of a tone, and its rate."""
    return lambda hz, sample_rate=16000: (tone(sample_rate // 4, hz, sample_rate), sample_rate)


SILENCE = (np.zeros(100, np.float32), 16000)


def score(recordings, texts):
    """Scores recordings of one system; returns its transcripts and what is left out."""
    scores = Scores(Tones())
    scores.add({name: {"net": each} for name, each in recordings.items()}, texts)
    return scores.transcripts["net"], scores.left_out


def test_files_and_waves_of_any_rate_are_scored(tmp_path, tones):
    audio.write(tmp_path / "a.flac", *tones(1000))
    wave, sample_rate = tones(3000, 44100)
    audio.write(tmp_path / "b.wav", np.stack([wave] * 2, 1), sample_rate)
    recordings = {"a": tmp_path / "a.flac", "b": tmp_path / "b.wav", "c": tones(500, 4000)}
    texts = {"c": "Low!", "a": "the middle", "b": "Middle"}
    scored, left_out = score(recordings, texts)
    assert scored == [
        Transcript("a", "the middle", "middle", Errors(2, 0, 1, 0, 10, 4)),
        Transcript("b", "middle", "high", Errors(1, 1, 0, 0, 6, 5)),
        Transcript("c", "low", "low", Errors(1, 0, 0, 0, 3, 0)),
    ]
    assert left_out == {}
    texts = {"name": "a", "reference": "the middle", "hypothesis": "middle"}
    errors = {"words": 2, "substitutions": 0, "deletions": 1, "insertions": 0, "wer": 0.5}
    characters = {"characters": 10, "character_errors": 4, "cer": 0.4}
    assert scored[0].row() == texts | errors | characters


def test_texts_keep_the_order_of_more_recordings_than_one_batch(tones):
    hz = np.random.default_rng(1).choice(list(WORDS), 150)
    recordings = {f"{i}": SILENCE if i % 40 == 0 else tones(hz[i]) for i in range(150)}
    scored, left_out = score(recordings, {f"{i}": WORDS[hz[i]] for i in range(150)})
    assert left_out == dict.fromkeys(["0", "40", "80", "120"], "it is silent")
    assert [each.name for each in scored] == [name for name in recordings if name not in left_out]
    assert all(each.errors.substitutions == 0 for each in scored)


def test_a_recording_is_left_out_by_name_and_the_others_are_scored(tmp_path, tones):
    (tmp_path / "b.wav").write_bytes(b"no audio")
    recordings = {
        "a": tones(500),
        "b": tmp_path / "b.wav",
        "c": SILENCE,
        "d": tones(500),
        "e": tones(500),
    }
    scored, left_out = score(recordings, dict.fromkeys("abcd", "low") | {"e": " ... "})
    assert [each.name for each in scored] == ["a", "d"]
    assert left_out.keys() == {"b", "c", "e"}
    assert "not readable as audio" in left_out["b"]
    assert left_out["c"] == "it is silent"
    assert "no words" in left_out["e"]


def test_texts_are_normalized_as_the_recognizer_demands(tones):
    recognizer = Tones()
    recognizer.normalizer = WRITTEN
    scores = Scores(recognizer)
    scores.add({"a": {"net": tones(500)}}, {"a": "low twenty-one"})
    assert scores.transcripts["net"][0].reference == "low 21"
    scores.add({"b": {"net": tones(500)}}, {"b": "hmm"})
    assert "no words" in scores.left_out["b"]


def test_what_fails_for_one_system_is_left_out_for_all(tones):
    scores = Scores(Tones())
    scores.add({"a": {"old": tones(500), "new": SILENCE}}, {"a": "low"})
    scores.add({"b": {"old": tones(500), "new": tones(500)}}, {"b": "low"})
    assert {system: [each.name for each in of] for system, of in scores.transcripts.items()} == {
        "old": ["b"],
        "new": ["b"],
    }
    assert scores.left_out == {"a": "new: it is silent"}


def test_a_recognizer_that_fails_on_the_first_recordings_is_given_up():
    with pytest.raises(UserError, match="first 4 recordings: it is silent"):
        score(dict.fromkeys("abcdef", SILENCE), dict.fromkeys("abcdef", "low"))


def test_unreadable_recordings_do_not_count_as_failures_of_the_recognizer(tmp_path, tones):
    recordings = {name: tmp_path / "missing.wav" for name in "abcdef"} | {"g": tones(500)}
    scored, left_out = score(recordings, dict.fromkeys("abcdefg", "low"))
    assert [each.name for each in scored] == ["g"]
    assert len(left_out) == 6
