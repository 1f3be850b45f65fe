"""Files appear complete or not at all; CSV files are read as people write them."""

import json

import pytest
from wideband.command import UserError
from wideband.command.errors import lookup
from wideband.command.files import check_suffix, read_csv, replacing, write_csv, write_json
from wideband.command.named import parse_named_paths
from wideband.command.tables import MARK, between_marks, markdown_table, text_table


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


def test_a_path_that_cannot_be_written_is_an_error_of_the_user(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_json(tmp_path / "file" / "a.json", {})


def test_json_and_csv_are_written_and_read_back(tmp_path, rows):
    write_json(tmp_path / "a.json", {"ü": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"ü": [1, None]}
    write_csv(tmp_path / "a.csv", [{"name": "é, or 'so'", "n": 1}, {"name": "b", "n": 2.5}])
    assert rows(tmp_path / "a.csv") == [{"name": "é, or 'so'", "n": "1"}, {"name": "b", "n": "2.5"}]


def test_a_csv_file_of_a_spreadsheet_program_is_read(tmp_path):
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
def test_what_is_no_such_csv_file_is_refused(tmp_path, content, words):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_csv(tmp_path / "a.csv", {"path", "text"})


def test_a_wrong_suffix_is_refused(tmp_path):
    check_suffix("output", tmp_path / "a.CSV", ".csv")
    with pytest.raises(UserError, match=r"--output=.*a.txt: must end in .csv"):
        check_suffix("output", tmp_path / "a.txt", ".csv")


def test_a_name_that_is_not_in_a_table_is_refused_with_the_choices():
    assert lookup({"a": 1, "b": 2}, "b", "letter") == 2
    with pytest.raises(UserError, match="unknown letter 'c'; choose one of a, b"):
        lookup({"a": 1, "b": 2}, "c", "letter")


def test_paths_are_named_by_the_user_or_by_their_last_part(tmp_path):
    (tmp_path / "x=y").mkdir()
    (tmp_path / "a.tflite").write_text("")
    arguments = ["net=runs/a", "runs/b/", f"{tmp_path}/x=y", str(tmp_path / "a.tflite")]
    named = parse_named_paths(arguments)
    assert list(named) == ["net", "b", "x=y", "a"]
    assert str(named["net"]) == "runs/a"
    with pytest.raises(UserError, match="write NAME=PATH"):
        parse_named_paths(["a/net", "b/net"])


def test_tables_align_numbers_to_the_right():
    assert text_table(["system", "snr"], [["a", "1.5"], ["longer", "10.25"]]).splitlines() == [
        "system    snr",
        "------  -----",
        "a         1.5",
        "longer  10.25",
    ]
    assert markdown_table(["a|b", "c"], [["d", "1"]]).splitlines() == [
        r"| a\|b | c |",
        "| --- | ---: |",
        "| d | 1 |",
    ]


def test_a_table_replaces_the_one_between_the_marks(tmp_path):
    page = tmp_path / "a.md"
    assert between_marks(page, "new\n") == f"{MARK}new\n{MARK}"
    page.write_text(f"above\n{MARK}old\n{MARK}below\n")
    assert between_marks(page, "new\n") == f"above\n{MARK}new\n{MARK}below\n"
    page.write_text("no marks")
    with pytest.raises(UserError, match="two lines <!-- table -->"):
        between_marks(page, "new\n")
