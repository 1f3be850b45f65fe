"""Files appear complete or not at all; CSV files are read as people write them."""

import json

import pytest
from wideband.command import UserError
from wideband.command.files import check_suffix, read_csv, replacing, write_csv, write_json


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "a.csv"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.name.endswith(path.suffix)
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


def test_a_path_that_cannot_be_written_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_json(tmp_path / "file" / "a.json", {})


def test_json_and_csv_are_written_and_read_back(tmp_path, rows):
    write_json(tmp_path / "a.json", {"ü": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"ü": [1, None]}
    write_csv(tmp_path / "a.csv", [{"name": "é, or 'so'", "n": 1}, {"name": "b", "n": 2.5}])
    assert rows(tmp_path / "a.csv") == [{"name": "é, or 'so'", "n": "1"}, {"name": "b", "n": "2.5"}]


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


def test_a_wrong_suffix_is_refused(tmp_path):
    check_suffix("output", tmp_path / "a.CSV", ".csv")
    with pytest.raises(UserError, match=r"--output=.*a.txt: must end in .csv"):
        check_suffix("output", tmp_path / "a.txt", ".csv")
