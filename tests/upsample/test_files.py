"""How recordings are paired with output files."""

import os
import re
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
    pairs, _ = files.pair_inputs([source], files.default_output([source], suffix), suffix)
    assert (here / expected).resolve() in [target.resolve() for _, target in pairs]


@pytest.mark.parametrize("inputs", [["a.wav", "b.wav"], ["?.wav"]])
def test_several_recordings_need_a_named_folder(inputs, tmp_path, monkeypatch):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="name it with --output"):
        files.default_output(inputs)


@pytest.mark.parametrize("source", ["/dev/stdin", "/dev/fd/63", "pipe"])
def test_an_input_without_a_name_needs_a_named_output(source, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not a file with a name; name the output with --output"):
        files.default_output([source])


@pytest.fixture
def tree(tmp_path):
    """Returns a function that makes empty files, below folders, in a new folder."""

    def tree(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return tree


def targets(work, folder):
    """Returns the names of the output files relative to a folder."""
    return {target.relative_to(folder).as_posix() for _, target in work.pairs}


def test_subfolders_are_kept(tree):
    folder = tree("in/a/one.wav", "in/b/two.flac", "in/three.mp3", "in/four.OPUS", "in/FIVE.WAV")
    work = files.pair_inputs([str(folder / "in")], folder / "out")
    expected = {"a/one.wav", "b/two.flac", "three.wav", "four.wav", "FIVE.WAV"}
    assert targets(work, folder / "out") == expected
    assert not work.left_out


def test_what_cannot_be_read_is_left_out_by_name(tree):
    folder = tree("in/a.wav", "in/b.m4a", "in/notes.txt", "c.wav")
    (folder / "in" / "gone.wav").symlink_to("nowhere")
    (folder / "empty").mkdir()
    os.mkfifo(folder / "in" / "pipe.wav")
    inputs = ["in", "c.wav", "none.wav", "none*.wav", "empty", "c.wav/d.wav"]
    work = files.pair_inputs([str(folder / each) for each in inputs], folder / "out")
    assert targets(work, folder / "out") == {"a.wav", "c.wav"}
    reasons = {path.relative_to(folder).as_posix(): why for path, why in work.left_out.items()}
    assert re.fullmatch(r"cannot be read; convert it: ffmpeg -i .*", reasons.pop("in/b.m4a"))
    assert re.fullmatch(r"no recordings \(\.wav, .*\) in this folder", reasons.pop("empty"))
    assert reasons == {
        "in/gone.wav": "a link to nothing; remove or correct it",
        "in/pipe.wav": "not a file; remove or rename it",
        "none.wav": "no such file or folder",
        "none*.wav": "no file or folder matches this pattern",
        "c.wav/d.wav": "cannot be read: Not a directory; choose another path",
    }


def test_a_link_to_itself_is_left_out_or_replaced(tree):
    folder = tree("in/a.wav")
    (folder / "in" / "loop.wav").symlink_to("loop.wav")
    work = files.pair_inputs([str(folder / "in")], folder / "out")
    assert targets(work, folder / "out") == {"a.wav"}
    assert list(work.left_out) == [folder / "in" / "loop.wav"]
    output = folder / "in" / "loop.wav"
    assert files.pair_inputs([str(folder / "in/a.wav")], output).pairs[0][1] == output


def test_a_pipe_named_as_an_input_is_a_recording(tmp_path):
    os.mkfifo(tmp_path / "63")
    work = files.pair_inputs([str(tmp_path / "63")], tmp_path / "out.wav")
    assert work.pairs == [(tmp_path / "63", tmp_path / "out.wav")]


@pytest.mark.parametrize("output", ["in/out", "in/a/out", "in/link"])
def test_the_outputs_of_an_earlier_call_are_not_taken_as_recordings(output, tree):
    folder = tree("in/a/one.wav", "in/two.wav", "elsewhere/old.wav", f"{output}/three.wav")
    if output == "in/link":
        (folder / "in/link/three.wav").unlink()
        (folder / "in/link").rmdir()
        (folder / "in/link").symlink_to(folder / "elsewhere")
    work = files.pair_inputs([str(folder / "in")], folder / output)
    assert targets(work, folder / output) == {"a/one.wav", "two.wav"}


def test_the_output_may_be_a_folder_above_the_input(tree):
    folder = tree("in/a/one.wav")
    work = files.pair_inputs([str(folder / "in" / "a")], folder / "in")
    assert targets(work, folder / "in") == {"one.wav"}


@pytest.mark.parametrize("output", ["in", "in/../in", "link"])
def test_a_folder_is_not_restored_into_itself(output, tree):
    folder = tree("in/one.mp3")
    (folder / "link").symlink_to("in")
    with pytest.raises(
        UserError, match=r"--output=.*: the folder of the recordings; choose another"
    ):
        files.pair_inputs([str(folder / "in")], folder / output)


@pytest.mark.parametrize("output", ["in/a.wav", "in/a.xyz/..", "link.wav"])
def test_an_input_is_never_overwritten(output, tree):
    folder = tree("in/a.xyz/none", "in/a.wav")
    (folder / "link.wav").symlink_to("in/a.wav")
    with pytest.raises(UserError, match=r"in/a\.wav would be overwritten"):
        files.pair_inputs([str(folder / "in" / "a.wav")], folder / output)


def test_an_input_is_not_overwritten_by_the_output_of_another(tree):
    folder = tree("in/a.mp3", "out/a.wav")
    with pytest.raises(UserError, match=r"out/a\.wav would be overwritten"):
        files.pair_inputs(
            [str(folder / "in/a.mp3"), str(folder / "out/a.wav")], folder / "out", ".wav"
        )


def test_an_input_that_is_named_twice_is_restored_once(tree):
    folder = tree("in/a.wav")
    inputs = [str(folder / "in"), str(folder / "in" / "a.wav"), str(folder / "in" / "*.wav")]
    assert len(files.pair_inputs(inputs, folder / "out").pairs) == 1


def test_two_inputs_never_become_one_file(tree):
    folder = tree("a.wav", "a.mp3")
    with pytest.raises(UserError, match=r"a\.mp3 and .*a\.wav would both become"):
        files.pair_inputs([str(folder)], folder / "out")


def test_the_end_of_a_name_is_not_taken_for_a_suffix(tree):
    folder = tree("talk.2023", "talk.2024", "plain")
    inputs = [str(folder / name) for name in ("talk.2023", "talk.2024", "plain")]
    work = files.pair_inputs(inputs, folder / "out")
    assert targets(work, folder / "out") == {"talk.2023.wav", "talk.2024.wav", "plain.wav"}


@pytest.mark.parametrize(
    "name",
    [
        "-a.wav",
        "a\nb.wav",
        "100%.wav",
        "\U0001f600.wav",
        "caf\udce9.wav",
        "[a]*?.wav",
        251 * "a" + ".wav",
    ],
)
def test_a_name_may_have_any_characters(name, tree):
    folder = tree(f"in/{name}")
    for source in (folder / "in", folder / "in" / name):
        work = files.pair_inputs([str(source)], folder / "out")
        assert targets(work, folder / "out") == {name}


@pytest.mark.parametrize(
    ("inputs", "output", "suffix", "message"),
    [
        (["a.wav"], "out.m4a", None, r"out\.m4a: cannot write this format; writable are \.wav"),
        (["a.wav"], "out.wav", ".flac", r"out\.wav: not a \.flac file"),
        (["none.wav"], "out", None, r"none\.wav: no such file or folder$"),
        (["none*.wav"], "out", None, r"none\*\.wav: no file or folder matches"),
        (["empty"], "out", None, "empty: no recordings"),
        (["empty", "none.wav"], "out", None, "empty: no recordings.*; 1 more are left out$"),
        (["/dev/null"], "out", None, "/dev/null: not a file; name a recording or a folder"),
        (["a.wav"], "file", None, "file: a file, not a folder; choose another --output"),
        (["a.wav", "b.wav"], "b.wav", None, r"b\.wav: a file, not a folder"),
        (["a.wav"], "pipe.wav", None, r"pipe\.wav: not a regular file; choose another --output"),
        (["a.wav"], "pipe", None, "pipe: neither a file nor a folder; choose another --output"),
        (["a.wav"], "/dev/null", None, "/dev/null: neither a file nor a folder"),
    ],
)
def test_impossible_inputs_and_outputs_are_refused(
    inputs, output, suffix, message, tree, monkeypatch
):
    folder = tree("a.wav", "b.wav", "file")
    (folder / "empty").mkdir()
    os.mkfifo(folder / "pipe")
    os.mkfifo(folder / "pipe.wav")
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=message):
        files.pair_inputs(inputs, Path(output), suffix)
