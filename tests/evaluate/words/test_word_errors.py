"""Normalisation of texts, and counts of word errors."""

import numpy as np
import pytest
from scipy import stats
from wideband.evaluate.words import word_errors
from wideband.evaluate.words.word_errors import Errors, Transcript


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


def test_the_steps_of_normalization_are_listed_after_the_version_of_jiwer():
    version, *steps = word_errors.normalization()
    assert version.startswith("jiwer ")
    assert steps[0] == "ToLowerCase"
    contractions, punctuation = "ExpandCommonEnglishContractions", "RemovePunctuation"
    # In the other order, no apostrophes would be left to expand.
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
        assert counts.total == edit_distance(reference, hypothesis)
        assert counts.words == len(reference)
        assert len(hypothesis) == counts.words - counts.deletions + counts.insertions
        assert counts.wer == pytest.approx(counts.total / len(reference))


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
def test_each_kind_of_error_is_counted(hypothesis, errors, wer):
    counts = word_errors.count("one two three four", hypothesis)
    assert counts == Errors(4, *errors)
    assert counts.wer == wer


def transcripts(*errors):
    return [Transcript(f"{number}", "", "", each) for number, each in enumerate(errors)]


def test_the_rate_of_a_corpus_divides_all_errors_by_all_words():
    total = word_errors.total(transcripts(Errors(1, 1, 0, 1), Errors(9, 0, 1, 0)))
    # The mean of the files' rates would be 1.06.
    assert total.errors.wer == pytest.approx(0.3)
    assert (total.files, total.errors) == (2, Errors(10, 1, 1, 1))
    # A quarter of the draws of two files has the first file only, a quarter the second only.
    assert (total.low, total.high) == (pytest.approx(1 / 9), 2.0)


def test_the_interval_of_a_rate_is_scipys_bootstrap_of_errors_and_words_together():
    rng = np.random.default_rng(2)
    words = rng.integers(1, 20, 60)
    errors = rng.binomial(words, rng.uniform(0, 0.6, 60))
    counts = [Errors(int(n), int(k), 0, 0) for n, k in zip(words, errors, strict=True)]
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
    assert (ours.low, ours.high) == pytest.approx(tuple(scipys), abs=0.08 * width)
    assert ours.low < ours.errors.wer < ours.high
