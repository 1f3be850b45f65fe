"""Which recordings a folder has, and what of it is left out."""

import os
from pathlib import Path

import pytest
from wideband import audio
from wideband.audio.search import conversion


@pytest.fixture
def tree(tmp_path):
    """Returns a function that makes files in a folder, and the folder."""

    def tree(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return tree


def search(folder):
    """The recordings and what is left out, by their names within the folder."""
    found = audio.search(folder)
    return (
        [path.relative_to(folder).as_posix() for path in found.recordings],
        {path.relative_to(folder).as_posix(): reason for path, reason in found.left_out.items()},
    )


def test_recordings_are_found_in_subfolders_and_sorted_without_hidden_ones(tree):
    names = ("b/2.WAV", "a.mp3", "b/.hidden.wav", ".old/1.wav", "notes.txt", "b/c/1.flac")
    folder = tree(*names, "folder.wav/1.wav")
    assert search(folder) == (["a.mp3", "b/2.WAV", "b/c/1.flac", "folder.wav/1.wav"], {})


@pytest.mark.parametrize("suffix", [".opus", ".oga", ".au", ".caf", ".w64", ".aifc", ".AIFF"])
def test_every_suffix_that_can_be_read_is_found(tree, suffix):
    assert search(tree(f"a{suffix}")) == ([f"a{suffix}"], {})


def test_a_recording_in_an_unreadable_format_is_left_out_with_its_conversion(tree):
    folder = tree("my talk.m4a", "b.WMA", "c.txt")
    recordings, left_out = search(folder)
    assert recordings == []
    assert left_out == {
        "my talk.m4a": "cannot be read; convert it: "
        f"ffmpeg -i '{folder}/my talk.m4a' '{folder}/my talk.wav'",
        "b.WMA": f"cannot be read; convert it: ffmpeg -i {folder}/b.WMA {folder}/b.wav",
    }


def test_a_conversion_has_names_that_ffmpeg_accepts():
    assert conversion(Path("-a.m4a")) == "ffmpeg -i ./-a.m4a ./-a.wav"
    assert conversion(Path("a b.wav")) == "ffmpeg -i 'a b.wav' 'a b_converted.wav'"


def test_links_to_files_and_folders_are_followed(tree, tmp_path_factory):
    folder = tree("a.wav")
    other = tmp_path_factory.mktemp("other")
    (other / "1.wav").touch()
    (folder / "speaker").symlink_to(other)
    (folder / "b.wav").symlink_to(other / "1.wav")
    assert search(folder) == (["a.wav", "b.wav", "speaker/1.wav"], {})


def test_a_folder_is_searched_once_under_its_own_name(tree):
    folder = tree("speaker/1.wav")
    # The system lists a folder in any order.
    links = [folder / f"link{number}" for number in range(9)]
    for link in links:
        link.symlink_to(folder / "speaker")
    (folder / "speaker" / "circle").symlink_to(folder)
    already = ", which is searched already"
    left_out = {link.name: f"a link to {folder}/speaker{already}" for link in links}
    left_out["speaker/circle"] = f"a link to {folder}{already}"
    assert search(folder) == (["speaker/1.wav"], left_out)


def test_links_to_nothing_and_pipes_are_left_out(tree):
    folder = tree("a.wav")
    (folder / "gone").symlink_to(folder / "nowhere")
    (folder / "itself.wav").symlink_to(folder / "itself.wav")
    os.mkfifo(folder / "pipe.wav")
    assert search(folder) == (
        ["a.wav"],
        {
            "gone": "a link to nothing; remove or correct it",
            "itself.wav": "a link to nothing; remove or correct it",
            "pipe.wav": "not a file; remove or rename it",
        },
    )


def test_a_folder_that_cannot_be_entered_is_left_out(tree, monkeypatch):
    folder = tree("a/1.wav", "locked/2.wav")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert search(folder) == (
        ["a/1.wav"],
        {"locked": "cannot be searched: Permission denied; allow it to be read"},
    )


def test_a_name_that_is_not_utf8_is_found(tree):
    name = os.fsdecode(b"caf\xe9.wav")
    assert search(tree(name)) == ([name], {})
