"""The split rules: published counts, disjoint speakers, and no influence of the order of files."""

import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from wideband.command import UserError
from wideband.data_gen import corpora, splits
from wideband.data_gen.corpora import Recording

# The 109 speakers of VCTK 0.80; 0.92 adds s5.
VCTK_080 = [
    f"p{number}"
    for number in range(225, 377)
    if number
    not in {235, 242, 289, 290, 291, 296, 309, 319, 320, 321, 322, 324, 325, 327, 328, 331, 332}
    | {337, 338, 342, 344, 346, 348, 349, 350, *range(352, 360), *range(365, 374), 375}
]
VCTK_092 = [*VCTK_080, "s5"]
TEST_2017 = ["p347", "p351", "p360", "p361", "p362", "p363", "p364", "p374", "p376"]
TEST_MODERN = ["p360", "p361", "p362", "p363", "p364", "p374", "p376", "s5"]
# The recordings of p225 in the published lists: 223 files up to 354, and eight more.
P225 = [*range(132, 355), 355, 356, 357, 358, 359, 363, 365, 366]


def recording(speaker, number=1, split=""):
    name = f"{speaker}/{speaker}_{number:03d}_mic1.flac"
    return Recording(Path(name), name, speaker, split=split)


def corpus(speakers, each=3):
    return [recording(speaker, number) for speaker in speakers for number in range(1, each + 1)]


def speakers_by_split(recordings):
    speakers = defaultdict(set)
    for one in recordings:
        speakers[one.split].add(one.speaker)
    return speakers


@pytest.mark.parametrize("rule", ["speaker", "vctk_multi", "vctk_thesis", "vctk_modern"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_speaker_is_in_two_splits(rule, seed):
    speakers = speakers_by_split(splits.assign(corpus(VCTK_092), rule, seed))
    assert set(speakers) == {"train", "valid", "test"}
    assert sum(map(len, speakers.values())) == len(set.union(*speakers.values()))


@pytest.mark.parametrize("names", [VCTK_080, VCTK_092])
def test_vctk_multi_trains_on_the_first_100_and_tests_on_the_last_nine(names):
    whole = speakers_by_split(splits.assign(corpus(names), "vctk_multi", 0, (0, 0)))
    assert whole == {"train": set(VCTK_080[:100]), "test": set(TEST_2017)}
    held_out = speakers_by_split(splits.assign(corpus(names), "vctk_multi", 0))
    assert held_out["train"] | held_out["valid"] == whole["train"]
    assert len(held_out["valid"]) == 5
    assert held_out["test"] == whole["test"]


def test_vctk_modern_leaves_out_two_speakers_and_tests_on_eight():
    whole = speakers_by_split(splits.assign(corpus(VCTK_092), "vctk_modern", 0, (0, 0)))
    assert whole["test"] == set(TEST_MODERN)
    assert len(whole["train"]) == 100
    assert not {"p280", "p315"} & set.union(*whole.values())
    # AERO's definition: the last eight of the 108 sorted speakers.
    left = sorted(set(VCTK_092) - {"p280", "p315"})
    assert whole == {"train": set(left[:100]), "test": set(left[100:])}


def test_vctk_thesis_has_40_training_4_validation_and_9_test_speakers():
    speakers = speakers_by_split(splits.assign(corpus(VCTK_092), "vctk_thesis", 0))
    assert {split: len(names) for split, names in speakers.items()} == {
        "train": 40,
        "valid": 4,
        "test": 9,
    }
    assert set.union(*speakers.values()) < set(VCTK_080)
    assert speakers["valid"] == {"p257", "p274", "p335", "p345"}
    # The single-speaker recipe fine-tunes these models and tests on p225.
    assert "p225" not in speakers["train"]


def test_vctk_single_trains_on_223_files_and_tests_on_the_eight_published_ones():
    files = [recording("p225", number) for number in P225] + corpus(["p226", "p227"])
    whole = splits.assign(files, "vctk_single", 0, (0, 0))
    assert {one.speaker for one in whole} == {"p225"}
    assert sum(one.split == "train" for one in whole) == 223
    assert [one.name[10:13] for one in whole if one.split == "test"] == [
        "355", "356", "357", "358", "359", "363", "365", "366"
    ]  # fmt: skip
    held_out = splits.assign(files, "vctk_single", 0, (0.05, 0))
    assert sum(one.split == "valid" for one in held_out) == 11
    assert sum(one.split == "train" for one in held_out) == 212
    assert [one for one in held_out if one.split == "test"] == [
        one for one in whole if one.split == "test"
    ]


def test_vctk_single_accepts_the_names_of_the_old_release():
    files = [Recording(Path(name), name, "p225") for name in ("p225/p225_354.wav", "p225_355.wav")]
    assert [one.split for one in splits.assign(files, "vctk_single", 0)] == ["train", "test"]


@pytest.mark.parametrize("rule", ["vctk_single", "vctk_multi", "vctk_thesis", "vctk_modern"])
def test_a_published_rule_refuses_another_corpus(rule):
    with pytest.raises(
        UserError, match=rf"{rule} leaves the \w+ split empty; .* use the rule speaker"
    ):
        splits.assign(corpus(["anna", "beth", "p225"]), rule, 0)


@pytest.mark.parametrize("rule", ["speaker", "vctk_multi", "vctk_modern"])
def test_a_draw_depends_on_the_seed_and_not_on_the_order_of_the_files(rule):
    files = corpus(VCTK_092)
    shuffled = files.copy()
    random.Random(3).shuffle(shuffled)
    first = splits.assign(files, rule, seed=5)
    assert splits.assign(shuffled, rule, seed=5) == first
    assert [one.name for one in first] == sorted(one.name for one in first)
    assert splits.assign(files, rule, seed=6) != first


def test_a_draw_is_the_start_of_a_permutation_of_the_sorted_speakers():
    # The order of a set differs between processes; the result must not.
    order = np.random.default_rng(7).permutation(100)
    speakers = speakers_by_split(splits.assign(corpus(VCTK_080), "vctk_multi", 7))
    assert speakers["valid"] == {VCTK_080[index] for index in order[:5]}


def test_the_recording_rule_depends_on_the_seed_and_not_on_the_order_of_the_files():
    files = corpus(["lj"], each=200)
    first = splits.assign(files, "recording", seed=5, fractions=(0.05, 0.1))
    assert splits.assign(files[::-1], "recording", seed=5, fractions=(0.05, 0.1)) == first
    assert splits.assign(files, "recording", seed=6, fractions=(0.05, 0.1)) != first
    counts = [sum(one.split == split for one in first) for split in ("train", "valid", "test")]
    assert counts == [170, 10, 20]


def test_the_speaker_rule_draws_fractions_of_the_speakers():
    speakers = speakers_by_split(splits.assign(corpus(VCTK_092), "speaker", 0, (0.1, 0.2)))
    assert {split: len(names) for split, names in speakers.items()} == {
        "train": 77,
        "valid": 11,
        "test": 22,
    }


@pytest.mark.parametrize("fractions", [(0.01, 0.01), (0.05, 0.1), (0.45, 0.45), (0.9, 0.05)])
@pytest.mark.parametrize("count", [3, 4, 5, 10])
def test_every_split_gets_a_speaker_even_if_there_are_few(count, fractions):
    speakers = speakers_by_split(splits.assign(corpus(VCTK_080[:count]), "speaker", 0, fractions))
    assert set(speakers) == {"train", "valid", "test"}
    assert set.union(*speakers.values()) == set(VCTK_080[:count])


def test_a_fraction_of_zero_leaves_its_split_empty():
    speakers = speakers_by_split(splits.assign(corpus(["a", "b"]), "speaker", 0, (0, 0.5)))
    assert {split: len(names) for split, names in speakers.items()} == {"train": 1, "test": 1}


def test_too_few_speakers_are_refused_with_a_hint_at_the_recording_rule():
    with pytest.raises(UserError, match="needs 3 speakers and there are 2; use the rule recording"):
        splits.assign(corpus(["a", "b"]), "speaker", 0)
    assert len(splits.assign(corpus(["a", "b"]), "recording", 0)) == 6


def test_the_recording_rule_refuses_to_divide_many_speakers():
    with pytest.raises(UserError, match=r"each of the 3 speakers .* use the rule speaker"):
        splits.assign(corpus(["a", "b", "c"]), "recording", 0)


def test_two_recordings_cannot_fill_three_splits():
    with pytest.raises(UserError, match="at least 3 recordings"):
        splits.assign(corpus(["a"], each=2), "recording", 0)


def test_given_keeps_the_splits_of_the_corpus():
    files = [recording("a", 1, "train"), recording("b", 1, "valid"), recording("c", 1, "test")]
    assert splits.assign(files[::-1], "given", 0) == files


def test_given_reports_the_recording_without_a_split():
    files = [recording("a", 1, "train"), recording("b")]
    with pytest.raises(UserError, match=r"'b/b_001_mic1\.flac' has no split"):
        splits.assign(files, "given", 0)


def test_given_reports_a_speaker_in_two_splits():
    files = [recording("a", 1, "train"), recording("a", 2, "test"), recording("b", 1, "train")]
    with pytest.raises(UserError, match="speaker 'a' is in test and train"):
        splits.assign(files, "given", 0)


def test_given_allows_a_single_speaker_in_all_splits():
    files = [recording("a", 1, "train"), recording("a", 2, "valid"), recording("a", 3, "test")]
    assert splits.assign(files, "given", 0) == files


@pytest.mark.parametrize("fractions", [(-0.1, 0.2), (0.5, 0.5), (0, 1)])
def test_fractions_must_leave_something_to_train_on(fractions):
    with pytest.raises(UserError, match="fractions"):
        splits.assign(corpus(VCTK_080), "speaker", 0, fractions)


def test_an_unknown_rule_is_refused_with_the_known_ones():
    with pytest.raises(
        UserError, match="unknown split rule 'random'; choose one of given, speaker"
    ):
        splits.assign(corpus(VCTK_080), "random", 0)


def test_every_corpus_has_a_default_rule():
    assert set(splits.DEFAULT_RULES) == set(corpora.NAMES)
    assert set(splits.DEFAULT_RULES.values()) <= set(splits.RULES)
