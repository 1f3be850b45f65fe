"""Files are read as people write them, and what cannot be read is named with what to do."""

from pathlib import Path

import pytest
from wideband.command import UserError
from wideband.command.files import write_csv
from wideband.command.reading import read_bytes, read_csv


def test_a_file_that_is_missing_or_that_the_user_must_not_read_is_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"/a: cannot be read \(No such file.*\); restore it$"):
        read_bytes(tmp_path / "a", "restore it")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    # The tests may run as root, who may read anything.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    message = r"/a: cannot be read \(Permission denied\); allow this user to read it$"
    with pytest.raises(UserError, match=message):
        read_bytes(tmp_path / "a", "restore it")


def test_a_csv_file_from_a_spreadsheet_program_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes('path,text\r\na.wav,"two\r\nlines"\r\nb.wav\r\n'.encode("utf-8-sig"))
    assert read_csv(path, {"path", "text"}) == [
        (3, {"path": "a.wav", "text": "two\r\nlines"}),
        (4, {"path": "b.wav", "text": ""}),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"path\na\n", "missing column.*text"), (b"\xff\xfe\x00", "UTF-8"), (b"", "path, text")],
)
def test_a_file_that_is_not_csv_or_lacks_a_column_is_refused(tmp_path, content, words):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_csv(tmp_path / "a.csv", {"path", "text"})


@pytest.mark.parametrize("name", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", " a ", "", "\x85\u2028"])
def test_a_csv_file_is_read_back_whatever_its_cells_contain(tmp_path, name):
    write_csv(tmp_path / "a.csv", [{"name": name, "n": 1}, {"name": "x", "n": None}])
    rows = [row for _, row in read_csv(tmp_path / "a.csv", {"name", "n"})]
    assert rows == [{"name": name, "n": "1"}, {"name": "x", "n": ""}]
