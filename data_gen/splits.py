"""Splits into training, validation and test recordings, published or drawn with a seed.

Some published splits have no validation speakers. The seed then draws some from the training
speakers, since early stopping on the test split would amount to tuning on it. A valid fraction of
0 keeps the published training split whole.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from ..command.errors import UserError, lookup
from .corpora import SPLITS, Recording

Fractions = tuple[float, float]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The last nine speakers of VCTK 0.80, the test speakers of Kuleshov et al. and of the thesis:
# data/vctk/multispeaker/val-speakers.txt of kuleshov/audio-super-res (commit da541f5), and
# processedData/txtfiles/test-speakers.txt of giorgiobini/Deep-Learning-for-Audio-Super-Resolution.
VCTK_TEST = _names("p347 p351 p360 p361 p362 p363 p364 p374 p376")

# Bini 2021: 20 men and 20 women balanced by accent, and 4 speakers for validation.
# train-speakers-sampled.txt and val-speakers-sampled.txt in the folder of the list above.
THESIS_TRAIN = _names(
    "p226 p227 p228 p229 p230 p231 p232 p233 p234 p236 p237 p238 p239 p240 p241 p243 p244 p245 "
    "p246 p249 p250 p251 p253 p254 p256 p258 p259 p266 p270 p273 p294 p297 p299 p302 p303 p311 "
    "p314 p315 p326 p334"
)
THESIS_VALID = _names("p257 p274 p335 p345")

# The last eight of the 108 speakers of VCTK 0.92 that are used: data_prep/create_meta_files.py of
# slp-rl/aero; NVSR and AP-BWE do the same.
MODERN_TEST = _names("p360 p361 p362 p363 p364 p374 p376 s5")
# p280 lacks one microphone, p315 its texts.
MODERN_LEFT_OUT = _names("p280 p315")

# data/vctk/speaker1 of kuleshov/audio-super-res (commit da541f5): speaker1-train-files.txt ends
# with p225_354 (223 files), speaker1-val-files.txt begins with p225_355. It has 32 lines, which
# are 8 files (355-359, 363, 365, 366) listed four times.
SINGLE_SPEAKER = "p225"
SINGLE_FIRST_TEST = 355


def assign(
    recordings: Sequence[Recording], rule: str, seed: int, fractions: Fractions = (0.05, 0.1)
) -> list[Recording]:
    """Sets the split of every recording.

    The result depends on the names of the recordings, the rule, the seed and the fractions, not on
    the order of the recordings.

    Args:
        recordings: of one corpus.
        rule: key of `RULES`.
        seed: seeds the draws.
        fractions: valid and test fractions of the speakers (rule `speaker`) or of the recordings
            (`recording`). Published rules use the first one only, for the fraction of their
            training speakers (or, with a single speaker, recordings) to validate with. A fraction
            above 0 yields at least one.

    Returns:
        the recordings with their splits, sorted by name, without those that the rule leaves out.

    Raises:
        UserError: the rule is unknown or does not fit the recordings or the fractions.
    """
    assign_splits = lookup(RULES, rule, "split rule")
    # Negated, so that NaN is refused too.
    if not (min(fractions) >= 0 and sum(fractions) < 1):
        raise UserError(
            f"valid and test fractions {fractions[0]:g} and {fractions[1]:g} should be at least 0 "
            "and leave something to train on"
        )
    ordered = sorted(recordings, key=lambda recording: recording.name)
    return assign_splits(ordered, seed, fractions)


def _given(recordings: list[Recording], seed: int, fractions: Fractions) -> list[Recording]:
    """The splits of the corpus itself: manifest, demo, LibriSpeech."""
    splits_of: dict[str, set[str]] = {}
    for recording in recordings:
        if recording.split not in SPLITS:
            raise UserError(f"'{recording.name}' has no split; use the rule speaker or recording")
        splits_of.setdefault(recording.speaker, set()).add(recording.split)
    for speaker, splits in splits_of.items():
        if len(splits) > 1 and len(splits_of) > 1:
            raise UserError(
                f"speaker '{speaker}' is in {' and '.join(sorted(splits))}; "
                "move it into one split or use the rule speaker"
            )
    return recordings


def _by_speaker(recordings: list[Recording], seed: int, fractions: Fractions) -> list[Recording]:
    """Draws whole speakers with the seed."""
    speakers = {recording.speaker for recording in recordings}
    needed = 1 + sum(fraction > 0 for fraction in fractions)
    if len(speakers) < needed:
        raise UserError(
            f"the rule speaker needs {needed} speakers and there are {len(speakers)}; use the rule "
            "recording, which splits one or two speakers by recording"
        )
    return _split_speakers(recordings, _draw(speakers, seed, fractions))


def _by_recording(recordings: list[Recording], seed: int, fractions: Fractions) -> list[Recording]:
    """Draws single recordings with the seed, for one or two speakers."""
    speakers = {recording.speaker for recording in recordings}
    if len(speakers) > 2:
        raise UserError(
            f"the rule recording would put each of the {len(speakers)} speakers into several "
            "splits; use the rule speaker"
        )
    if len(recordings) < 3:
        raise UserError(
            f"the rule recording needs at least 3 recordings and there are {len(recordings)}; add "
            "recordings"
        )
    split_of = _draw([recording.name for recording in recordings], seed, fractions)
    return [replace(recording, split=split_of[recording.name]) for recording in recordings]


def _vctk_single(recordings: list[Recording], seed: int, fractions: Fractions) -> list[Recording]:
    """One speaker of VCTK (Kuleshov et al. 2017; see `SINGLE_FIRST_TEST`).

    The 8 files that the papers call validation and report results on are the test split.
    """
    chosen = [recording for recording in recordings if recording.speaker == SINGLE_SPEAKER]
    split_of = {}
    for recording in chosen:
        match = re.match(rf"{SINGLE_SPEAKER}_(\d+)", PurePosixPath(recording.name).name)
        if match is None:
            raise UserError(
                f"'{recording.name}' is not named like VCTK's files (p225_001); use another rule, "
                "such as recording"
            )
        if int(match.group(1)) >= SINGLE_FIRST_TEST:
            split_of[recording.name] = "test"
    train = [recording.name for recording in chosen if recording.name not in split_of]
    split_of |= _draw(train, seed, (fractions[0], 0))
    return _check_complete(
        [replace(recording, split=split_of[recording.name]) for recording in chosen], "vctk_single"
    )


def _vctk_multi(recordings: list[Recording], seed: int, fractions: Fractions) -> list[Recording]:
    """The first 100 speakers of VCTK 0.80 and the last 9 (Kuleshov et al. 2017).

    Speaker s5, new in VCTK 0.92, is left out.
    """
    train = {recording.speaker for recording in recordings} - VCTK_TEST - {"s5"}
    return _published(recordings, seed, fractions, train, VCTK_TEST, "vctk_multi")


def _vctk_thesis(recordings: list[Recording], seed: int, fractions: Fractions) -> list[Recording]:
    """40 training, 4 validation and 9 test speakers (Bini 2021)."""
    split_of = (
        dict.fromkeys(THESIS_TRAIN, "train")
        | dict.fromkeys(THESIS_VALID, "valid")
        | dict.fromkeys(VCTK_TEST, "test")
    )
    return _check_complete(_split_speakers(recordings, split_of), "vctk_thesis")


def _vctk_modern(recordings: list[Recording], seed: int, fractions: Fractions) -> list[Recording]:
    """100 training and 8 test speakers of VCTK 0.92, microphone 1 (NVSR, AERO, AP-BWE)."""
    train = {recording.speaker for recording in recordings} - MODERN_TEST - MODERN_LEFT_OUT
    return _published(recordings, seed, fractions, train, MODERN_TEST, "vctk_modern")


def _published(
    recordings: list[Recording],
    seed: int,
    fractions: Fractions,
    train: Iterable[str],
    test: Iterable[str],
    rule: str,
) -> list[Recording]:
    """Applies a published rule; draws validation speakers from the training speakers."""
    split_of = _draw(train, seed, (fractions[0], 0)) | dict.fromkeys(test, "test")
    return _check_complete(_split_speakers(recordings, split_of), rule)


def _split_speakers(recordings: list[Recording], split_of: Mapping[str, str]) -> list[Recording]:
    """Sets the splits from a table speaker -> split; leaves out the speakers it does not list."""
    return [
        replace(recording, split=split_of[recording.speaker])
        for recording in recordings
        if recording.speaker in split_of
    ]


def _draw(units: Iterable[str], seed: int, fractions: Fractions) -> dict[str, str]:
    """Draws valid and test units, at least one for a fraction above 0; the rest is for training."""
    ordered = sorted(units)
    n = len(ordered)
    n_valid, n_test = (max(1, round(fraction * n)) if fraction else 0 for fraction in fractions)
    # With few units, the fractions may round up to all of them. Train and test keep one each.
    n_valid = max(0, min(n_valid, n - 1 - min(n_test, 1)))
    n_test = max(0, min(n_test, n - 1 - n_valid))
    split_of = dict.fromkeys(ordered, "train")
    for place, index in enumerate(np.random.default_rng(seed).permutation(n)[: n_valid + n_test]):
        split_of[ordered[index]] = "valid" if place < n_valid else "test"
    return split_of


def _check_complete(recordings: list[Recording], rule: str) -> list[Recording]:
    """Returns the recordings of a published rule; raises a UserError if train or test is empty."""
    for split in ("train", "test"):
        if not any(recording.split == split for recording in recordings):
            raise UserError(
                f"the rule {rule} leaves the {split} split empty; it is for the whole VCTK, use "
                "the rule speaker for other corpora"
            )
    return recordings


RULES: dict[str, Callable[[list[Recording], int, Fractions], list[Recording]]] = {
    "given": _given,
    "speaker": _by_speaker,
    "recording": _by_recording,
    "vctk_single": _vctk_single,
    "vctk_multi": _vctk_multi,
    "vctk_thesis": _vctk_thesis,
    "vctk_modern": _vctk_modern,
}

# The rule for each corpus unless the user chooses another.
DEFAULT_RULES = {
    "folder": "speaker",
    "manifest": "given",
    "demo": "given",
    "vctk": "vctk_multi",
    "ljspeech": "recording",
    "librispeech": "given",
}
