"""The readers of folders, manifests and the demo corpus on small trees."""

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.data_gen import synthesize


@pytest.fixture
def manifest(tree):
    def manifest(folder, *rows, header="split,path,speaker,text"):
        tree(folder, **{"a/1.wav": "", "a/2.wav": "", "b/1.flac": ""})
        return tree(folder, **{"manifest.csv": "\n".join((header, *rows)) + "\n"})

    return manifest


# folder


def test_the_speaker_is_the_first_folder_below_the_source(tmp_path, recordings, summary, tree):
    tree(tmp_path, **{"anna/day/2.WAV": "", "anna/1.flac": "", "beth/1.mp3": "", "beth/x.txt": ""})
    assert summary(recordings("folder", tmp_path)) == [
        ("anna/1.flac", "anna", "", ""),
        ("anna/day/2.WAV", "anna", "", ""),
        ("beth/1.mp3", "beth", "", ""),
    ]


def test_recordings_point_at_their_files(tmp_path, recordings, tree):
    tree(tmp_path, **{"anna/1.ogg": "", "anna/2.aiff": ""})
    paths = [one.path for one in recordings("folder", tmp_path)]
    assert paths == [tmp_path / "anna/1.ogg", tmp_path / "anna/2.aiff"]


def test_files_directly_in_the_source_belong_to_one_speaker_named_after_it(
    tmp_path, recordings, tree
):
    source = tree(tmp_path / "memoirs", **{"1.wav": "", "2.wav": ""})
    assert [one.speaker for one in recordings("folder", source)] == ["memoirs"] * 2


def test_hidden_files_and_folders_are_skipped(tmp_path, recordings, tree):
    tree(tmp_path, **{"a/1.wav": "", "a/._1.wav": "", ".trash/2.wav": "", "a/.old/3.wav": ""})
    assert [one.name for one in recordings("folder", tmp_path)] == ["a/1.wav"]


@pytest.mark.parametrize("pattern", [r"(\w+)-\d", r"[a-z]+(?=-)"])
def test_the_group_or_the_whole_match_of_a_pattern_is_the_speaker(
    tmp_path, pattern, recordings, tree
):
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
def test_a_pattern_that_fails_is_reported_with_the_file(
    tmp_path, pattern, message, recordings, tree
):
    tree(tmp_path, **{"anna.wav": ""})
    with pytest.raises(UserError, match=message):
        recordings("folder", tmp_path, speaker_pattern=pattern)


def test_a_pattern_is_refused_for_a_corpus_that_names_its_speakers(tmp_path, manifest, recordings):
    with pytest.raises(UserError, match="speaker_pattern is for the corpus 'folder'"):
        recordings("manifest", manifest(tmp_path), speaker_pattern="x")


def test_a_source_without_audio_is_an_error(tmp_path, recordings, tree):
    with pytest.raises(UserError, match="no recordings found"):
        recordings("folder", tree(tmp_path, **{"a/readme.txt": ""}))
    with pytest.raises(UserError, match="no such folder"):
        recordings("folder", tmp_path / "missing")


def test_an_unknown_corpus_is_refused_with_the_known_ones(tmp_path, recordings):
    with pytest.raises(UserError, match="unknown corpus 'timit'; choose one of folder, manifest"):
        recordings("timit", tmp_path)


# manifest


@pytest.mark.parametrize("named", ["its folder", "the file"])
def test_a_manifest_has_split_path_speaker_and_text(tmp_path, named, manifest, recordings, summary):
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


def test_a_manifest_may_lack_the_text_column_and_begin_with_a_byte_order_mark(
    tmp_path, manifest, recordings, summary
):
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
        ("train,.,anna,", r"name '\.' is not a relative path"),
        ("train,a,anna,", r"'a' does not exist"),
        ("train,a/" + "n" * 300 + ",anna,", r"nnn' does not exist"),
        ("train,a/1.wav\0,anna,", r"(is not a relative path|not a CSV)"),
        ("train,../other.wav,anna,", r"name '\.\./other\.wav' is not a relative path"),
        ("train,a/../../other.wav,anna,", r"name 'a/\.\./\.\./other\.wav' is not a relative"),
        ("train,..\\other.wav,anna,", r"is not a relative path"),
        ("train,C:other.wav,anna,", r"is not a relative path"),
    ],
)
def test_a_wrong_row_is_reported_with_its_line(tmp_path, row, message, manifest, recordings, tree):
    tree(tmp_path, **{"other.wav": ""})
    folder = manifest(tmp_path / "corpus", "train,a/1.wav,anna,", row)
    with pytest.raises(UserError, match=rf"manifest\.csv, line 3: .*{message}") as caught:
        recordings("manifest", folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_manifest_of_a_spreadsheet_program_is_read(tmp_path, end, manifest, recordings, summary):
    rows = [
        "\ufeffpath,speaker,split,text",
        '"a/1.wav","anna","train","say ""one"", then\r\n two"',
        "",
        "b/1.flac,beth,test,,,,",
    ]
    manifest(tmp_path)
    (tmp_path / "manifest.csv").write_bytes(end.join(rows).encode())
    assert summary(recordings("manifest", tmp_path)) == [
        ("a/1.wav", "anna", 'say "one", then\r\n two', "train"),
        ("b/1.flac", "beth", "", "test"),
    ]


def test_an_absolute_path_in_a_manifest_is_refused(tmp_path, manifest, recordings):
    manifest(tmp_path, f"train,{tmp_path.as_posix()}/a/1.wav,anna,")
    with pytest.raises(UserError, match=r"line 2: .* is not a relative path"):
        recordings("manifest", tmp_path)


def test_missing_columns_are_listed(tmp_path, manifest, recordings):
    manifest(tmp_path, "a/1.wav,anna", header="path,voice")
    with pytest.raises(UserError, match=r"add the missing column\(s\) speaker, split"):
        recordings("manifest", tmp_path)


def test_an_empty_manifest_has_no_recordings(tmp_path, manifest, recordings):
    with pytest.raises(UserError, match="no recordings found"):
        recordings("manifest", manifest(tmp_path))


def test_a_file_that_is_not_a_csv_is_refused(tmp_path, recordings):
    soundfile.write(tmp_path / "a.wav", np.linspace(-1, 1, 999), 16000)
    with pytest.raises(UserError, match="not a CSV file in UTF-8"):
        recordings("manifest", tmp_path / "a.wav")
    with pytest.raises(UserError, match="no such manifest"):
        recordings("manifest", tmp_path)


# demo


def test_the_demo_is_built_where_it_is_missing(
    tmp_path, monkeypatch, manifest, recordings, summary
):
    def build(folder):
        manifest(folder, "train,a/1.wav,anna,one", "test,b/1.flac,beth,two")

    monkeypatch.setattr(synthesize, "build", build)
    assert summary(recordings("demo", tmp_path / "demo")) == [
        ("a/1.wav", "anna", "one", "train"),
        ("b/1.flac", "beth", "two", "test"),
    ]


def test_a_demo_that_was_built_is_used_again(demo, monkeypatch, recordings):
    monkeypatch.setattr(synthesize, "build", None)
    found = recordings("demo", demo)
    assert all(one.path.is_file() and one.text for one in found)
    assert {one.split for one in found} == {"train", "valid", "test"}
