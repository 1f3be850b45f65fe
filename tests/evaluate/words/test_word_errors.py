"""Texts are normalised, errors counted and added up."""

import numpy as np
import pytest
from scipy import stats
from wideband import audio
from wideband.command import UserError
from wideband.evaluate.words import word_errors

WORDS = {500: "low", 1000: "middle", 3000: "high"}


class Tones:
    """Tells the word of a tone's frequency, by where its spectrum peaks."""

    name = "tones"
    sample_rate = 16000

    def transcribe(self, waves):
        for wave in waves:
            assert wave.ndim == 1 and wave.dtype == np.float32
            if not len(wave):
                raise UserError("there is nothing to hear")
            peak = np.argmax(np.abs(np.fft.rfft(wave))) * self.sample_rate / len(wave)
            yield WORDS[min(WORDS, key=lambda hz: abs(hz - peak))].upper() + ".\n"


def tone(hz, sample_rate=16000):
    return (0.5 * np.sin(2 * np.pi * hz / sample_rate * np.arange(sample_rate // 4))).astype("f4")


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("  Hello,   World! ", "hello world"),
        ("ONE\nTWO\tTHREE", "one two three"),
        ("You won't; I can't; let's go.", "you will not i can not let us go"),
        (
            "we're it's he'd she'll isn't I've I'm",
            "we are it is he would she will is not i have i am",
        ),
        ("It\u2019s well-known - isn\u2019t it?", "it is wellknown is not it"),
        ("Übermaß «quoted» 42", "übermaß quoted 42"),
        ("...", ""),
        ("", ""),
    ],
)
def test_texts_are_normalized_as_in_the_thesis(text, normalized):
    assert word_errors.normalize(text) == normalized


def test_the_steps_of_normalization_are_told_with_jiwers_version():
    version, *steps = word_errors.normalization()
    assert version.startswith("jiwer ")
    assert steps[0] == "ToLowerCase"
    contractions, punctuation = "ExpandCommonEnglishContractions", "RemovePunctuation"
    # The other way round, no apostrophes would be left to expand.
    assert steps.index(contractions) < steps.index(punctuation)


def edit_distance(reference, hypothesis):
    """Levenshtein's recursion over words, row by row."""
    above = list(range(len(hypothesis) + 1))
    for i, word in enumerate(reference, 1):
        row = [i]
        for j, other in enumerate(hypothesis, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (word != other)))
        above = row
    return above[-1]


def test_errors_are_the_fewest_edits():
    rng = np.random.default_rng(0)
    for _ in range(50):
        reference, hypothesis = (rng.choice(list("abcd"), rng.integers(1, 12)) for _ in range(2))
        counts = word_errors.count(" ".join(reference), " ".join(hypothesis))
        errors = counts["substitutions"] + counts["deletions"] + counts["insertions"]
        assert errors == edit_distance(reference, hypothesis)
        assert counts["words"] == len(reference)
        assert len(hypothesis) == counts["words"] - counts["deletions"] + counts["insertions"]
        assert counts["wer"] == pytest.approx(errors / len(reference))


@pytest.mark.parametrize(
    ("hypothesis", "errors", "wer"),
    [
        ("one two three four", (0, 0, 0), 0),
        ("one too three four", (1, 0, 0), 0.25),
        ("one three four", (0, 1, 0), 0.25),
        ("one two two three four", (0, 0, 1), 0.25),
        ("", (0, 4, 0), 1),
        ("a b c d e", (4, 0, 1), 1.25),
    ],
)
def test_errors_are_told_apart(hypothesis, errors, wer):
    counts = word_errors.count("one two three four", hypothesis)
    assert tuple(counts[kind] for kind in word_errors.ERRORS) == errors
    assert counts["wer"] == wer


def test_files_and_waves_of_any_rate_are_scored_by_what_is_heard_in_them(tmp_path):
    audio.write(tmp_path / "a.flac", tone(1000), 16000)
    audio.write(tmp_path / "b.wav", np.stack([tone(3000, 44100)] * 2, 1), 44100)
    recordings = {
        "a": tmp_path / "a.flac",
        "b": tmp_path / "b.wav",
        "c": (tone(500, 4000), 4000),
    }
    texts = {"c": "Low!", "a": "the middle", "b": "Middle"}
    assert word_errors.score(recordings, texts, Tones()) == [
        {
            **{"name": "a", "reference": "the middle", "hypothesis": "middle"},
            **{"words": 2, "substitutions": 0, "deletions": 1, "insertions": 0, "wer": 0.5},
        },
        {
            **{"name": "b", "reference": "middle", "hypothesis": "high"},
            **{"words": 1, "substitutions": 1, "deletions": 0, "insertions": 0, "wer": 1.0},
        },
        {
            **{"name": "c", "reference": "low", "hypothesis": "low"},
            **{"words": 1, "substitutions": 0, "deletions": 0, "insertions": 0, "wer": 0.0},
        },
    ]


def test_more_recordings_than_are_held_in_memory_at_a_time_keep_their_texts():
    hz = np.random.default_rng(1).choice(list(WORDS), 150)
    recordings = {f"{i}": (tone(hz[i]), 16000) for i in range(150)}
    texts = {f"{i}": WORDS[hz[i]] for i in range(150)}
    rows = word_errors.score(recordings, texts, Tones())
    assert [row["name"] for row in rows] == list(recordings)
    assert all(row["wer"] == 0 for row in rows)


def test_a_recognizers_failure_names_the_recording():
    waves = {"good": (tone(500), 16000), "bad": (np.zeros(0, np.float32), 16000)}
    with pytest.raises(UserError, match=r"^bad: there is nothing to hear$"):
        word_errors.score(waves, {"good": "low", "bad": "low"}, Tones())


def test_transcripts_without_words_are_named_before_anything_is_recognized():
    wave = (np.zeros(0, np.float32), 16000)
    with pytest.raises(UserError, match="2 transcripts have no words: a, c"):
        word_errors.score(
            {"a": wave, "b": wave, "c": wave}, {"a": " ... ", "b": "low", "c": ""}, Tones()
        )


def test_the_rate_of_a_corpus_is_all_errors_by_all_words():
    rows = [
        {"words": 1, "substitutions": 1, "deletions": 0, "insertions": 1, "wer": 2.0},
        {"words": 9, "substitutions": 0, "deletions": 1, "insertions": 0, "wer": 1 / 9},
    ]
    total = word_errors.total(rows)
    # The mean of the files' rates would be 1.06.
    assert total["wer"] == pytest.approx(0.3)
    assert {key: total[key] for key in ("files", "words", *word_errors.ERRORS)} == {
        **{"files": 2, "words": 10, "substitutions": 1, "deletions": 1, "insertions": 1},
    }
    # Of draws of two files, a quarter each hold but the one or but the other.
    assert (total["low"], total["high"]) == (pytest.approx(1 / 9), 2.0)


def test_the_interval_of_a_rate_is_scipys_bootstrap_of_errors_and_words_together():
    rng = np.random.default_rng(2)
    words = rng.integers(1, 20, 60)
    errors = rng.binomial(words, rng.uniform(0, 0.6, 60))
    rows = [
        {"words": n, "substitutions": k, "deletions": 0, "insertions": 0}
        for n, k in zip(words, errors, strict=True)
    ]
    ours = word_errors.total(rows)
    scipys = stats.bootstrap(
        (errors, words),
        lambda errors, words, axis=-1: errors.sum(axis) / words.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        random_state=1,
    ).confidence_interval
    # Our 2000 draws place an end within about 4 % of the interval's width.
    width = scipys.high - scipys.low
    assert (ours["low"], ours["high"]) == pytest.approx(tuple(scipys), abs=0.08 * width)
    assert ours["low"] < ours["wer"] < ours["high"]
