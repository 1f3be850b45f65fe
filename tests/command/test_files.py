"""Files appear complete or not at all."""

import errno
import json
import os
import re
import resource
from pathlib import Path

import pytest
from wideband.command import UserError
from wideband.command.files import check_writable, replacing, write_csv, write_json


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "a.csv"
    with replacing(path) as temporary:
        # Writers choose the format from the suffix.
        assert temporary.name == path.name
        assert temporary.parent.parent == path.parent
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_relative_path_is_written_although_the_working_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with replacing(Path("a.csv")) as temporary:
        temporary.write_text("whole")
        monkeypatch.chdir("/")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_that_the_user_wants(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_symbolic_link_is_replaced_and_its_file_stays(tmp_path):
    (tmp_path / "precious.json").write_text("mine")
    (tmp_path / "a.json").symlink_to("precious.json")
    write_json(tmp_path / "a.json", {})
    assert (tmp_path / "precious.json").read_text() == "mine"
    assert not (tmp_path / "a.json").is_symlink()


def test_the_longest_name_can_be_written(tmp_path):
    write_json(tmp_path / f"{'a' * 250}.json", {})
    assert len(next(tmp_path.iterdir()).name) == 255


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("folder", "is a folder; choose another path"),
        ("pipe", "is not a regular file; choose another path"),
        ("/dev/null", "is not a regular file"),
        ("/dev/stdout", "is not a regular file"),
        ("file/new/a.json", "file is not a folder; choose another path"),
        ("a" * 256, "cannot be written: File name too long; choose a shorter name"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_before_the_work(tmp_path, name, words):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    message = f"^{re.escape(str(tmp_path / name))}.*{words}"
    with pytest.raises(UserError, match=message), replacing(tmp_path / name):
        pytest.fail("must not start")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "pipe"]


def test_a_path_is_checked_without_making_anything(tmp_path):
    check_writable(tmp_path / "new" / "a.csv")
    (tmp_path / "a.csv").write_text("")
    check_writable(tmp_path / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    with pytest.raises(UserError, match="is a folder"):
        check_writable(tmp_path)


def test_a_folder_that_must_not_be_written_is_refused_before_the_work(tmp_path, monkeypatch):
    # The tests may run as root, who may write anywhere but on a read-only file system.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(UserError, match=f"{tmp_path} is read-only for this user; choose another"):
        check_writable(tmp_path / "new" / "a.csv")


@pytest.fixture
def small_limit():
    """Limits the size of files of this process to 1000 bytes, which fails like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_becomes_too_large_is_one_line_and_the_old_file_stays(tmp_path, small_limit):
    path = tmp_path / "a.json"
    write_json(path, "old")
    with pytest.raises(UserError, match=r"a.json: cannot be written: File too large; choose"):
        write_json(path, "x" * 2000)
    assert json.loads(path.read_text()) == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left on device; free some space and run the command again"),
        (errno.EDQUOT, "free some space or ask for a larger quota"),
        (errno.EIO, "Input/output error; check the disk"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_an_error_of_the_system_names_the_final_path_and_what_to_do(tmp_path, number, words):
    path = tmp_path / "a.json"
    with pytest.raises(UserError) as raised, replacing(path) as temporary:
        raise OSError(number, os.strerror(number), str(temporary))
    assert str(raised.value).startswith(f"{path}: cannot be written: ")
    assert words in str(raised.value) and ".wideband-" not in str(raised.value)


def test_a_disk_that_reports_late_that_it_is_full_is_an_error(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_json(tmp_path / "a.json", {})
    assert not list(tmp_path.iterdir())


class LibraryError(Exception):
    """An error as h5py and TensorFlow raise it."""


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Can't write data (file write failed: errno = 28, buf = 0x1)", "No space left on device;"),
        ("x.tfrecord; No space left on device [Op:Write]", "No space left on device; free"),
        ("something\nelse", "something else; choose another path"),
        ("", "LibraryError; choose"),
    ],
)
def test_an_error_of_a_library_is_explained_if_the_caller_names_its_class(tmp_path, message, words):
    path = tmp_path / "a.h5"
    words = f"a.h5: cannot be written: {words}"
    with pytest.raises(UserError, match=words), replacing(path, LibraryError):
        raise LibraryError(message)
    with pytest.raises(LibraryError), replacing(path):
        raise LibraryError(message)


def test_an_error_about_another_file_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.wav"):
        (tmp_path / "source.wav").read_bytes()


def test_json_and_csv_are_written_and_read_back(tmp_path, rows):
    write_json(tmp_path / "a.json", {"ü": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"ü": [1, None]}
    write_csv(tmp_path / "a.csv", [{"name": "é, or 'so'", "n": 1}, {"name": "b", "n": 2.5}])
    assert rows(tmp_path / "a.csv") == [{"name": "é, or 'so'", "n": "1"}, {"name": "b", "n": "2.5"}]


def test_a_name_that_is_not_utf_8_is_escaped_in_a_file(tmp_path, rows):
    write_csv(tmp_path / "a.csv", [{"name": "caf\udce9.wav"}])
    assert rows(tmp_path / "a.csv") == [{"name": r"caf\udce9.wav"}]
