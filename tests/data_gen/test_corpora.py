"""The corpus readers on small trees of the published layouts."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.data_gen import corpora, synthesize


def tree(folder, **texts):
    """Writes files: path -> text."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def recordings(*arguments, **options):
    return corpora.search(*arguments, **options).recordings


def summary(found):
    return [(one.name, one.speaker, one.text, one.split) for one in found]


def manifest(folder, *rows, header="split,path,speaker,text"):
    tree(folder, **{"a/1.wav": "", "a/2.wav": "", "b/1.flac": ""})
    return tree(folder, **{"manifest.csv": "\n".join((header, *rows)) + "\n"})


# folder


def test_the_speaker_is_the_first_folder_below_the_source(tmp_path):
    tree(tmp_path, **{"anna/day/2.WAV": "", "anna/1.flac": "", "beth/1.mp3": "", "beth/x.txt": ""})
    assert summary(recordings("folder", tmp_path)) == [
        ("anna/1.flac", "anna", "", ""),
        ("anna/day/2.WAV", "anna", "", ""),
        ("beth/1.mp3", "beth", "", ""),
    ]


def test_recordings_point_at_their_files(tmp_path):
    tree(tmp_path, **{"anna/1.ogg": "", "anna/2.aiff": ""})
    paths = [one.path for one in recordings("folder", tmp_path)]
    assert paths == [tmp_path / "anna/1.ogg", tmp_path / "anna/2.aiff"]


def test_files_directly_in_the_source_belong_to_one_speaker_named_after_it(tmp_path):
    source = tree(tmp_path / "memoirs", **{"1.wav": "", "2.wav": ""})
    assert [one.speaker for one in recordings("folder", source)] == ["memoirs"] * 2


def test_hidden_files_and_folders_are_skipped(tmp_path):
    tree(tmp_path, **{"a/1.wav": "", "a/._1.wav": "", ".trash/2.wav": "", "a/.old/3.wav": ""})
    assert [one.name for one in recordings("folder", tmp_path)] == ["a/1.wav"]


@pytest.mark.parametrize("pattern", [r"(\w+)-\d", r"[a-z]+(?=-)"])
def test_the_group_or_the_whole_match_of_a_pattern_is_the_speaker(tmp_path, pattern):
    tree(tmp_path, **{"x/anna-1.wav": "", "y/anna-2.wav": "", "y/beth-1.wav": ""})
    found = recordings("folder", tmp_path, speaker_pattern=pattern)
    assert [one.speaker for one in found] == ["anna", "anna", "beth"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r"(\w+)-\d", r"does not match 'anna\.wav'"),
        (r"(x?)anna", r"finds no speaker in 'anna\.wav'"),
        (r"(x)?anna", r"finds no speaker in 'anna\.wav'"),
        (r"(\w+", "is not a regular expression"),
    ],
)
def test_a_pattern_that_fails_is_reported_with_the_file(tmp_path, pattern, message):
    tree(tmp_path, **{"anna.wav": ""})
    with pytest.raises(UserError, match=message):
        recordings("folder", tmp_path, speaker_pattern=pattern)


def test_a_pattern_is_refused_for_a_corpus_that_names_its_speakers(tmp_path):
    with pytest.raises(UserError, match="speaker_pattern is for the corpus 'folder'"):
        recordings("manifest", manifest(tmp_path), speaker_pattern="x")


def test_a_source_without_audio_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no recordings found"):
        recordings("folder", tree(tmp_path, **{"a/readme.txt": ""}))
    with pytest.raises(UserError, match="no such folder"):
        recordings("folder", tmp_path / "missing")


def test_an_unknown_corpus_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(UserError, match="unknown corpus 'timit'; choose one of folder, manifest"):
        recordings("timit", tmp_path)


# manifest


@pytest.mark.parametrize("named", ["its folder", "the file"])
def test_a_manifest_has_split_path_speaker_and_text(tmp_path, named):
    manifest(
        tmp_path,
        'valid,b/1.flac,beth,0.5,"one, two",x',
        "train,a/1.wav,anna,0.5,,x",
        header="split,path,speaker,seconds,text,licence",
    )
    source = tmp_path if named == "its folder" else tmp_path / "manifest.csv"
    found = recordings("manifest", source)
    assert summary(found) == [
        ("a/1.wav", "anna", "", "train"),
        ("b/1.flac", "beth", "one, two", "valid"),
    ]
    assert found[0].path == tmp_path / "a/1.wav"


def test_a_manifest_may_lack_the_text_column_and_begin_with_a_byte_order_mark(tmp_path):
    manifest(tmp_path, "test,a/1.wav,anna", header="\ufeffsplit,path,speaker")
    assert summary(recordings("manifest", tmp_path)) == [("a/1.wav", "anna", "", "test")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("dev,a/2.wav,anna,", r"split 'dev' should be one of train, valid, test"),
        (",a/2.wav,anna,", r"fill in the split"),
        ("train,a/2.wav,,", r"fill in the speaker"),
        ("train", r"fill in the path"),
        ("train,a/3.wav,anna,", r"'a/3\.wav' does not exist"),
        ("train,a/1.wav,anna,", r"'a/1\.wav' is listed twice"),
        ("train,./a//1.wav,anna,", r"'a/1\.wav' is listed twice"),
        ("train,../other.wav,anna,", r"name '\.\./other\.wav' is not a relative path"),
        ("train,a/../../other.wav,anna,", r"name 'a/\.\./\.\./other\.wav' is not a relative"),
        ("train,..\\other.wav,anna,", r"is not a relative path"),
        ("train,C:other.wav,anna,", r"is not a relative path"),
    ],
)
def test_a_wrong_row_is_reported_with_its_line(tmp_path, row, message):
    tree(tmp_path, **{"other.wav": ""})
    folder = manifest(tmp_path / "corpus", "train,a/1.wav,anna,", row)
    with pytest.raises(UserError, match=rf"manifest\.csv, line 3: .*{message}") as caught:
        recordings("manifest", folder)
    assert "\n" not in str(caught.value)


def test_an_absolute_path_in_a_manifest_is_refused(tmp_path):
    manifest(tmp_path, f"train,{tmp_path.as_posix()}/a/1.wav,anna,")
    with pytest.raises(UserError, match=r"line 2: .* is not a relative path"):
        recordings("manifest", tmp_path)


def test_missing_columns_are_listed(tmp_path):
    manifest(tmp_path, "a/1.wav,anna", header="path,voice")
    with pytest.raises(UserError, match=r"add the missing column\(s\) speaker, split"):
        recordings("manifest", tmp_path)


def test_an_empty_manifest_has_no_recordings(tmp_path):
    with pytest.raises(UserError, match="no recordings found"):
        recordings("manifest", manifest(tmp_path))


def test_a_file_that_is_not_a_csv_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.linspace(-1, 1, 999), 16000)
    with pytest.raises(UserError, match="not a CSV file in UTF-8"):
        recordings("manifest", tmp_path / "a.wav")
    with pytest.raises(UserError, match="no such manifest"):
        recordings("manifest", tmp_path)


# demo


def test_the_demo_is_built_where_it_is_missing(tmp_path, monkeypatch):
    def build(folder):
        manifest(folder, "train,a/1.wav,anna,one", "test,b/1.flac,beth,two")

    monkeypatch.setattr(synthesize, "build", build)
    assert summary(recordings("demo", tmp_path / "demo")) == [
        ("a/1.wav", "anna", "one", "train"),
        ("b/1.flac", "beth", "two", "test"),
    ]


def test_a_demo_that_was_built_is_used_again(demo, monkeypatch):
    monkeypatch.setattr(synthesize, "build", None)
    found = recordings("demo", demo)
    assert all(one.path.is_file() and one.text for one in found)
    assert {one.split for one in found} == {"train", "valid", "test"}


# vctk


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


@pytest.mark.parametrize("below", [".", "VCTK-Corpus-0.92"])
def test_vctk_is_read_by_microphone_with_its_texts(tmp_path, below):
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


def test_the_older_vctk_is_read_too_and_has_one_microphone(tmp_path):
    tree(
        tmp_path / "VCTK-Corpus",
        **{"wav48/p225/p225_001.wav": "", "txt/p225/p225_001.txt": "Please call Stella."},
    )
    assert summary(recordings("vctk", tmp_path)) == [
        ("VCTK-Corpus/wav48/p225/p225_001.wav", "p225", "Please call Stella.", "")
    ]
    with pytest.raises(UserError, match=r"VCTK 0\.80 has no microphone 2"):
        recordings("vctk", tmp_path, mic=2)


def test_a_third_microphone_does_not_exist(tmp_path):
    with pytest.raises(UserError, match="mic 3 does not exist"):
        recordings("vctk", vctk_092(tmp_path), mic=3)


# ljspeech


@pytest.mark.parametrize("below", [".", "LJSpeech-1.1"])
def test_ljspeech_has_the_spelled_out_text_with_quotes_unchanged(tmp_path, below):
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


def librispeech(root):
    files = {}
    for subset, speaker in (("train-clean-100", 19), ("dev-clean", 84), ("test-clean", 61)):
        stem = f"{subset}/{speaker}/7/{speaker}-7"
        files[f"{stem}-0000.flac"] = files[f"{stem}-0001.flac"] = ""
        files[f"{stem}.trans.txt"] = f"{speaker}-7-0000 CHAPTER ONE\n{speaker}-7-0001 IT RAINED\n"
    return tree(root, **files)


@pytest.mark.parametrize("below", [".", "LibriSpeech"])
def test_librispeech_is_split_by_its_subsets(tmp_path, below):
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


def test_only_the_chosen_subsets_are_read_each_once(tmp_path):
    found = recordings("librispeech", librispeech(tmp_path), subsets=("dev-clean", "dev-clean"))
    assert [one.split for one in found] == ["valid", "valid"]


def test_an_unknown_subset_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(
        UserError, match="unknown LibriSpeech subset 'dev'; choose one of train-clean-100"
    ):
        recordings("librispeech", librispeech(tmp_path), subsets=("dev",))
