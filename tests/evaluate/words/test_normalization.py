"""Normalization of texts: as in the thesis, and as by Whisper."""

import sys

import pytest
from wideband.command import UserError
from wideband.evaluate.words.normalization import SPELLED, WRITTEN, Spelled, Written


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
def test_spelled_texts_are_normalized_as_in_the_thesis(text, normalized):
    assert SPELLED(text) == normalized


# The rules of appendix C of Whisper's paper.
@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("  Hello,   World!\n", "hello world"),
        ("Uh, he [coughs] said (quietly) hmm yes", "he said yes"),
        ("We won't, it's he'd I'm", "we will not it is he would i am"),
        ("It\u2019s Mr. Smith's colour", "it is mister smith is color"),
        ("twenty-one of them, and 21 more", "21 of them and 21 more"),
        ("three five nine", "359"),
        ("ten thousand dollars or $10,000", "$10000 or $10000"),
        ("naïve Übermaß", "naive ubermass"),
        ("5 ... 3.5, and 20 %", "5 3.5 and 20"),
        ("...", ""),
        ("", ""),
    ],
)
def test_written_texts_are_normalized_by_whispers_rules(text, normalized):
    assert WRITTEN(text) == normalized


def test_the_steps_are_listed_after_the_version_of_the_package():
    version, *steps = SPELLED.steps()
    assert version.startswith("jiwer ")
    assert steps[0] == "ToLowerCase"
    contractions, punctuation = "ExpandCommonEnglishContractions", "RemovePunctuation"
    # In the other order, no apostrophes would be left to expand.
    assert steps.index(contractions) < steps.index(punctuation)
    version, step = WRITTEN.steps()
    assert version.startswith("whisper-normalizer ")
    assert step == "EnglishTextNormalizer"


@pytest.mark.parametrize(
    ("normalizer", "module", "package", "extra"),
    [
        (Spelled, "jiwer", "jiwer", "evaluate"),
        (Written, "whisper_normalizer.english", "whisper-normalizer", "whisper"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, normalizer, module, package, extra):
    monkeypatch.setitem(sys.modules, module, None)
    message = rf"need.* {package}, which is not installed; pip install '\.\[{extra}\]'"
    with pytest.raises(UserError, match=message):
        normalizer()("a")
