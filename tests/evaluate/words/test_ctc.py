"""Alphabet, loss and beam search, compared with sums over all labellings of the frames."""

import importlib.util
import itertools
import sys

import numpy as np
import pytest
from wideband.command import UserError
from wideband.evaluate.words import ctc


def test_classes_have_the_order_of_the_released_alphabet():
    assert ctc.spell("a Z'").tolist() == [1, 0, 26, 27]
    assert ctc.BLANK == 28


def test_transcripts_are_spelled_in_lower_case_without_punctuation():
    def respell(text):
        return "".join(ctc.ALPHABET[number] for number in ctc.spell(text))

    text = '  \u201cStop!" \u2013 he said; DON\u2019T'
    assert respell(text) == "stop he said don't"
    assert respell("RUBOUT G-M") == "rubout g m"
    for unknown in ("", "...", "room 7", "naïve"):
        assert ctc.spell(unknown) is None


def probabilities(frames, classes, seed):
    """Random log-probabilities in which only a few classes are likely."""
    values = np.full((frames, 29), -40.0)
    values[:, classes] = np.random.default_rng(seed).normal(0, 1, (frames, len(classes)))
    return (values - np.log(np.exp(values).sum(1, keepdims=True))).astype(np.float32)


def by_labelling(log_probabilities, classes):
    """The probability of every text, summed over all labellings of the frames."""
    totals = {}
    for path in itertools.product(classes, repeat=len(log_probabilities)):
        runs = [label for label, _ in itertools.groupby(path)]
        text = "".join(ctc.ALPHABET[label] for label in runs if label != 28)
        probability = np.exp(log_probabilities[np.arange(len(path)), list(path)].sum())
        totals[text] = totals.get(text, 0) + probability
    return totals


def test_the_search_finds_the_most_probable_text_over_all_labellings():
    classes = [0, 2, 27, 28]
    found = set()
    for seed in range(12):
        each = probabilities(5, classes, seed)
        totals = by_labelling(each, classes)
        (text,) = ctc.beam_search([each])
        assert text == max(totals, key=totals.get)
        found.add(text)
    assert len(found) > 6


def test_the_search_keeps_repeated_letters_that_a_blank_separates():
    each = np.full((5, 29), -40.0, np.float32)
    each[np.arange(5), [1, 1, 28, 1, 0]] = 0
    assert ctc.beam_search([each]) == ["aa "]


def test_the_search_sums_labellings_even_if_the_best_one_is_blank():
    each = np.full((2, 29), -40.0, np.float32)
    each[:, [1, 28]] = np.log([0.4, 0.6])
    # "a": 0.4 * 0.4 + 2 * 0.4 * 0.6 = 0.64; nothing: 0.36.
    assert ctc.beam_search([each]) == ["a"]


def test_the_loss_sums_all_labellings_of_the_frames_of_each_recording():
    classes = [0, 1, 28]
    batch = np.stack([probabilities(5, classes, 1), probabilities(5, classes, 2)])
    frames = [5, 4]
    texts = ["a a", "aa"]
    targets = np.full((2, 5), -1, np.int32)
    targets[:, 0] = frames
    for row, text in zip(targets, texts, strict=True):
        row[1 : 1 + len(text)] = ctc.spell(text)
    expected = [
        -np.log(by_labelling(each[:n], classes)[text])
        for each, n, text in zip(batch, frames, texts, strict=True)
    ]
    np.testing.assert_allclose(ctc.loss(targets, batch), expected, rtol=1e-4)


def test_a_repeated_letter_needs_a_blank_between():
    assert ctc.frames_needed(ctc.spell("all a")) == 6


def test_a_scorer_without_its_packages_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyctcdecode", None)
    with pytest.raises(UserError, match="pip install pyctcdecode kenlm"):
        ctc.beam_search([probabilities(3, [1, 28], 0)], scorer=tmp_path / "lm.arpa")


@pytest.mark.skipif(
    importlib.util.find_spec("pyctcdecode") is None or importlib.util.find_spec("kenlm") is None,
    reason="pyctcdecode and kenlm are not installed; they need a NumPy before 2",
)
def test_a_scorer_turns_a_doubtful_word_into_a_known_one(tmp_path):
    words = ["<unk>", "<s>", "</s>", "sea", "tea"]
    log10 = [-9, -99, -1, -3, -0.1]
    lines = [f"{p}\t{word}\t0" for p, word in zip(log10, words, strict=True)]
    counts = ["\\data\\", "ngram 1=5", "ngram 2=1"]
    lines = [*counts, "", "\\1-grams:", *lines, "", "\\2-grams:", "-0.1\t<s> tea", "", "\\end\\"]
    model = tmp_path / "lm.arpa"
    model.write_text("\n".join(lines) + "\n")
    each = np.full((3, 29), -40.0, np.float32)
    each[0, [ctc.ALPHABET.index("s"), ctc.ALPHABET.index("t")]] = np.log([0.6, 0.4])
    each[1, ctc.ALPHABET.index("e")] = each[2, ctc.ALPHABET.index("a")] = 0
    assert ctc.beam_search([each]) == ["sea"]
    assert ctc.beam_search([each], scorer=model) == ["tea"]
    with pytest.raises(UserError, match="there is no such language model"):
        ctc.beam_search([each], scorer=tmp_path / "none.arpa")
    model.write_text("no language model")
    with pytest.raises(UserError, match="KenLM cannot read it"):
        ctc.beam_search([each], scorer=model)
