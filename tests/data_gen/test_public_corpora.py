"""The readers of the public corpora on small trees of the published layouts."""

from pathlib import Path

import pytest
from wideband.command import UserError
from wideband.data_gen import corpora

# vctk


@pytest.fixture
def vctk_092(tree):
    def vctk_092(root):
        return tree(
            root,
            **{
                "wav48_silence_trimmed/p225/p225_001_mic1.flac": "",
                "wav48_silence_trimmed/p225/p225_001_mic2.flac": "",
                "wav48_silence_trimmed/p315/p315_001_mic1.flac": "",
                "wav48_silence_trimmed/s5/s5_001_mic1.flac": "",
                "wav48_silence_trimmed/s5/s5_001_mic2.flac": "",
                "wav48_silence_trimmed/log.txt": "",
                "txt/p225/p225_001.txt": "Please call Stella.\n",
                "txt/s5/s5_001.txt": "Please call Stella. \n",
            },
        )

    return vctk_092


@pytest.mark.parametrize("below", [".", "VCTK-Corpus-0.92"])
def test_vctk_is_read_by_microphone_with_its_texts(tmp_path, below, recordings, summary, vctk_092):
    vctk_092(tmp_path / below)
    prefix = "" if below == "." else f"{below}/"
    folder = f"{prefix}wav48_silence_trimmed"
    assert summary(recordings("vctk", tmp_path)) == [
        (f"{folder}/p225/p225_001_mic1.flac", "p225", "Please call Stella.", ""),
        (f"{folder}/p315/p315_001_mic1.flac", "p315", "", ""),
        (f"{folder}/s5/s5_001_mic1.flac", "s5", "Please call Stella.", ""),
    ]
    assert summary(recordings("vctk", tmp_path, mic=2)) == [
        (f"{folder}/p225/p225_001_mic2.flac", "p225", "Please call Stella.", ""),
        (f"{folder}/s5/s5_001_mic2.flac", "s5", "Please call Stella.", ""),
    ]


def test_the_older_vctk_is_read_too_and_has_one_microphone(tmp_path, recordings, summary, tree):
    tree(
        tmp_path / "VCTK-Corpus",
        **{"wav48/p225/p225_001.wav": "", "txt/p225/p225_001.txt": "Please call Stella."},
    )
    assert summary(recordings("vctk", tmp_path)) == [
        ("VCTK-Corpus/wav48/p225/p225_001.wav", "p225", "Please call Stella.", "")
    ]
    with pytest.raises(UserError, match=r"VCTK 0\.80 has no microphone 2"):
        recordings("vctk", tmp_path, mic=2)


def test_a_third_microphone_does_not_exist(tmp_path, recordings, vctk_092):
    with pytest.raises(UserError, match="mic 3 does not exist"):
        recordings("vctk", vctk_092(tmp_path), mic=3)


def test_linked_speakers_are_read_and_what_cannot_be_is_left_out(tmp_path, vctk_092):
    vctk_092(tmp_path / "real")
    folder = tmp_path / "here" / "wav48_silence_trimmed"
    folder.mkdir(parents=True)
    (folder / "p225").symlink_to(tmp_path / "real" / "wav48_silence_trimmed" / "p225")
    (folder / "p226").symlink_to(tmp_path / "nowhere")
    found = corpora.search("vctk", tmp_path / "here")
    assert [one.name for one in found.recordings] == [
        "wav48_silence_trimmed/p225/p225_001_mic1.flac"
    ]
    ((name, reason),) = found.left_out.items()
    assert name == "wav48_silence_trimmed/p226"
    assert reason.startswith("not read: a link to nothing")


# ljspeech


@pytest.mark.parametrize("below", [".", "LJSpeech-1.1"])
def test_ljspeech_has_the_spelled_out_text_with_quotes_unchanged(tmp_path, below, recordings, tree):
    tree(
        tmp_path / below,
        **{
            "metadata.csv": 'LJ001-0001|"It cost 2,\nLJ001-0002|In 1455|In fourteen fifty-five\n',
            "wavs/LJ001-0001.wav": "",
            "wavs/LJ001-0002.wav": "",
        },
    )
    found = recordings("ljspeech", tmp_path)
    assert [(Path(one.name).name, one.speaker, one.text, one.split) for one in found] == [
        ("LJ001-0001.wav", "lj", '"It cost 2,', ""),
        ("LJ001-0002.wav", "lj", "In fourteen fifty-five", ""),
    ]


# librispeech


@pytest.fixture
def librispeech(tree):
    def librispeech(root):
        files = {}
        for subset, speaker in (("train-clean-100", 19), ("dev-clean", 84), ("test-clean", 61)):
            stem = f"{subset}/{speaker}/7/{speaker}-7"
            files[f"{stem}-0000.flac"] = files[f"{stem}-0001.flac"] = ""
            files[f"{stem}.trans.txt"] = (
                f"{speaker}-7-0000 CHAPTER ONE\n{speaker}-7-0001 IT RAINED\n"
            )
        return tree(root, **files)

    return librispeech


@pytest.mark.parametrize("below", [".", "LibriSpeech"])
def test_librispeech_is_split_by_its_subsets(tmp_path, below, librispeech, recordings, summary):
    librispeech(tmp_path / below)
    found = recordings("librispeech", tmp_path)
    prefix = "" if below == "." else f"{below}/"
    assert summary(found) == [
        (f"{prefix}dev-clean/84/7/84-7-0000.flac", "84", "CHAPTER ONE", "valid"),
        (f"{prefix}dev-clean/84/7/84-7-0001.flac", "84", "IT RAINED", "valid"),
        (f"{prefix}test-clean/61/7/61-7-0000.flac", "61", "CHAPTER ONE", "test"),
        (f"{prefix}test-clean/61/7/61-7-0001.flac", "61", "IT RAINED", "test"),
        (f"{prefix}train-clean-100/19/7/19-7-0000.flac", "19", "CHAPTER ONE", "train"),
        (f"{prefix}train-clean-100/19/7/19-7-0001.flac", "19", "IT RAINED", "train"),
    ]


def test_only_the_chosen_subsets_are_read_each_once(tmp_path, librispeech, recordings):
    found = recordings("librispeech", librispeech(tmp_path), subsets=("dev-clean", "dev-clean"))
    assert [one.split for one in found] == ["valid", "valid"]


def test_an_unknown_subset_is_refused_with_the_known_ones(tmp_path, librispeech, recordings):
    with pytest.raises(
        UserError, match="unknown LibriSpeech subset 'dev'; choose one of train-clean-100"
    ):
        recordings("librispeech", librispeech(tmp_path), subsets=("dev",))


# all


def test_a_text_that_is_not_utf_8_is_named(tmp_path, librispeech, recordings, tree, vctk_092):
    files = {
        "vctk": vctk_092(tmp_path / "vctk") / "txt/p225/p225_001.txt",
        "ljspeech": tree(tmp_path / "lj", **{"wavs/a.wav": "", "metadata.csv": ""})
        / "metadata.csv",
        "librispeech": librispeech(tmp_path / "libri") / "dev-clean/84/7/84-7.trans.txt",
    }
    for corpus, path in files.items():
        path.write_bytes(b"84-7-0000 caf\xe9")
        source = next(each for each in path.parents if each.parent == tmp_path)
        with pytest.raises(UserError) as caught:
            recordings(corpus, source)
        assert str(caught.value).startswith(f"{path}: not in UTF-8 (")
        assert str(caught.value).endswith("save it as UTF-8")
