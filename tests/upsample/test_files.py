"""How recordings are paired with output files."""

from pathlib import Path

import pytest
from wideband.command import UserError
from wideband.upsample import files


@pytest.mark.parametrize(
    ("source", "suffix", "expected"),
    [
        ("in/one.flac", None, "in/one_wideband.flac"),
        ("in/two.mp3", None, "in/two_wideband.wav"),
        ("in/two.mp3", ".ogg", "in/two_wideband.ogg"),
        ("in", None, "in_wideband/one.flac"),
        (".", None, "../HERE_wideband/in/one.flac"),
        ("in/o*.flac", None, "in/one_wideband.flac"),
    ],
)
def test_the_default_output_is_next_to_the_recording(
    source, suffix, expected, tmp_path, monkeypatch
):
    here = tmp_path / "HERE"
    (here / "in").mkdir(parents=True)
    for name in ("one.flac", "two.mp3"):
        (here / "in" / name).touch()
    monkeypatch.chdir(here)
    pairs = files.pair_inputs([source], files.default_output([source], suffix), suffix)
    assert (here / expected).resolve() in [target.resolve() for _, target in pairs]


@pytest.mark.parametrize("inputs", [["a.wav", "b.wav"], ["?.wav"]])
def test_several_recordings_need_a_named_folder(inputs, tmp_path, monkeypatch):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="name it with --output"):
        files.default_output(inputs)


def test_subfolders_are_kept(tmp_path):
    for name in ("a/one.wav", "b/two.flac", "three.mp3"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    pairs = files.pair_inputs([str(tmp_path / "in")], tmp_path / "out")
    targets = {str(target.relative_to(tmp_path / "out")) for _, target in pairs}
    assert targets == {"a/one.wav", "b/two.flac", "three.wav"}


@pytest.mark.parametrize("output", ["in/a.wav", "in/a.xyz/.."])
def test_an_input_is_never_overwritten(tmp_path, output):
    (tmp_path / "in" / "a.xyz").mkdir(parents=True)
    (tmp_path / "in" / "a.wav").touch()
    with pytest.raises(UserError, match="would be overwritten"):
        files.pair_inputs([str(tmp_path / "in" / "a.wav")], tmp_path / output)


def test_two_inputs_never_become_one_file(tmp_path):
    for name in ("a.wav", "a.mp3"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"a\.mp3 and .*a\.wav would both become"):
        files.pair_inputs([str(tmp_path)], tmp_path / "out")


@pytest.mark.parametrize(
    ("inputs", "output", "suffix", "message"),
    [
        (["a.wav"], "out.m4a", None, r"out\.m4a: cannot write this format; writable are \.wav"),
        (["a.wav"], "out.wav", ".flac", r"out\.wav: not a \.flac file"),
        (["none.wav"], "out", None, r"none\.wav: no such file or folder"),
        (["none*.wav"], "out", None, r"none\*\.wav: no file or folder matches"),
        (["empty"], "out", None, "empty: no recordings"),
        (["a.wav"], "file", None, "file: a file, not a folder; choose another --output"),
        (["a.wav", "b.wav"], "b.wav", None, r"b\.wav: a file, not a folder"),
    ],
)
def test_impossible_inputs_and_outputs_are_refused(
    inputs, output, suffix, message, tmp_path, monkeypatch
):
    for name in ("a.wav", "b.wav", "file"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        files.pair_inputs(inputs, Path(output), suffix)
