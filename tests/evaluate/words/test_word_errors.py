"""Counts of word errors and of character errors, and the rates of a corpus."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from wideband.evaluate.words import word_errors
from wideband.evaluate.words.word_errors import Errors, Transcript


def edit_distance(reference, hypothesis):
    """Levenshtein's recursion over words or characters, row by row."""
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
        said, heard = " ".join(reference), " ".join(hypothesis)
        counts = word_errors.count(said, heard)
        total = counts.substitutions + counts.deletions + counts.insertions
        assert total == edit_distance(reference, hypothesis)
        assert counts.words == len(reference)
        assert len(hypothesis) == counts.words - counts.deletions + counts.insertions
        assert (counts.characters, counts.character_errors) == (
            len(said),
            edit_distance(said, heard),
        )


@pytest.mark.parametrize(
    ("hypothesis", "errors", "characters", "wer", "cer"),
    [
        ("one two three four", (0, 0, 0), 0, 0, 0),
        ("one too three four", (1, 0, 0), 1, 0.25, 1 / 18),
        ("one three four", (0, 1, 0), 4, 0.25, 4 / 18),
        ("one two two three four", (0, 0, 1), 4, 0.25, 4 / 18),
        ("", (0, 4, 0), 18, 1, 1),
        # More errors than words, or characters, do not count.
        ("a b c d e", (4, 0, 1), 15, 1, 15 / 18),
        ("no no no no no no no no no no no", (4, 0, 7), 25, 1, 1),
    ],
)
def test_each_kind_of_error_is_counted(hypothesis, errors, characters, wer, cer):
    counts = word_errors.count("one two three four", hypothesis)
    assert counts == Errors(4, *errors, 18, characters)
    row = Transcript("a", "one two three four", hypothesis, counts).row()
    assert (row["wer"], row["cer"]) == (wer, pytest.approx(cer))
    assert (row["insertions"], row["character_errors"]) == (errors[2], characters)


def transcripts(*errors):
    return [Transcript(f"{number}", "", "", each) for number, each in enumerate(errors)]


def test_the_rates_of_a_corpus_divide_all_errors_by_all_words_and_characters():
    total = word_errors.total(transcripts(Errors(1, 1, 0, 0, 4, 2), Errors(9, 0, 1, 0, 40, 7)))
    # The mean of the files' rates would be 0.56.
    assert total.wer.rate == pytest.approx(0.2)
    assert total.cer.rate == pytest.approx(9 / 44)
    assert (total.files, total.errors) == (2, Errors(10, 1, 1, 0, 44, 9))
    # A quarter of the draws of two files has the first file only, a quarter the second only.
    assert (total.wer.low, total.wer.high) == (pytest.approx(1 / 9), 1.0)
    assert (total.cer.low, total.cer.high) == (pytest.approx(7 / 40), 0.5)


def test_a_file_counts_at_most_as_many_errors_as_words_and_characters():
    """A recognizer that repeats a phrase a hundred times does not outweigh the other files."""
    total = word_errors.total(transcripts(Errors(2, 2, 0, 98, 9, 500), Errors(8, 0, 0, 0, 41, 0)))
    assert (total.wer.rate, total.cer.rate) == (0.2, 9 / 50)
    assert total.errors == Errors(10, 2, 0, 98, 50, 500)
    entries = total.entries()
    assert (entries["wer"], entries["cer"], entries["insertions"]) == (0.2, 9 / 50, 98)
    assert (entries["low"], entries["high"]) == (0, 1)
    assert (entries["cer_low"], entries["cer_high"]) == (0, 1)


def test_the_interval_of_a_rate_is_scipys_bootstrap_of_errors_and_words_together():
    rng = np.random.default_rng(2)
    words = rng.integers(1, 20, 60)
    errors = rng.binomial(words, rng.uniform(0, 0.6, 60))
    counts = [Errors(int(n), int(k), 0, 0, 1, 0) for n, k in zip(words, errors, strict=True)]
    ours = word_errors.total(transcripts(*counts))
    scipys = stats.bootstrap(
        (errors, words),
        lambda errors, words, axis=-1: errors.sum(axis) / words.sum(axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        random_state=1,
    ).confidence_interval
    # With 2000 draws, an end varies by about 4 % of the interval's width.
    width = scipys.high - scipys.low
    assert (ours.wer.low, ours.wer.high) == pytest.approx(tuple(scipys), abs=0.08 * width)
    assert ours.wer.low < ours.wer.rate < ours.wer.high


def test_two_systems_are_compared_recording_by_recording():
    """The intervals of the rates overlap, since some recordings are hard and others easy."""
    rng = np.random.default_rng(3)
    words = rng.integers(8, 12, 40)
    errors = rng.binomial(words - 1, rng.uniform(0, 1, 40))
    first = [Errors(int(n), int(k), 0, 0, 50, 3) for n, k in zip(words, errors, strict=True)]
    worse = [dataclasses.replace(each, substitutions=each.substitutions + 1) for each in first]
    systems = {"a": transcripts(*first), "b": transcripts(*worse)}
    one, other = (word_errors.total(each).wer for each in systems.values())
    assert other.low < one.high
    found = word_errors.compare(systems, "a", "b")
    assert found.wer.rate == pytest.approx(40 / words.sum()) == pytest.approx(other.rate - one.rate)
    assert 0.08 < found.wer.low < found.wer.rate < found.wer.high < 0.13
    assert (found.verdict(found.wer), found.verdict(found.cer)) == (
        "a better",
        "no real difference",
    )
    reverse = word_errors.compare(systems, "b", "a")
    assert reverse.wer.rate == -found.wer.rate
    assert reverse.verdict(reverse.wer) == "a better"
    entries = found.entries()
    assert (entries["first"], entries["second"], entries["files"]) == ("a", "b", 40)
    assert entries["wer"] == {**found.wer._asdict(), "verdict": "a better"}


def test_five_recordings_are_too_few_for_a_verdict():
    systems = {"a": transcripts(*5 * [Errors(4, 0, 0, 0, 9, 0)])}
    systems["b"] = transcripts(*5 * [Errors(4, 2, 0, 0, 9, 3)])
    found = word_errors.compare(systems, "a", "b")
    assert found.wer.low > 0
    assert found.verdict(found.wer) == "too few files to tell"
