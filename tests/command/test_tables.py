"""Tables for terminals and Markdown pages."""

import pytest
from wideband.command import UserError
from wideband.command.tables import MARK, between_marks, markdown_table, text_table


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


def test_a_page_has_several_tables_with_names(tmp_path):
    page = tmp_path / "a.md"
    a, b = "<!-- table: a -->\n", "<!-- table: b -->\n"
    page.write_text(f"{a}1\n{a}{MARK}2\n{MARK}{b}3\n{b}")
    assert between_marks(page, "new\n", "b") == f"{a}1\n{a}{MARK}2\n{MARK}{b}new\n{b}"
    with pytest.raises(UserError, match="two lines <!-- table: c -->"):
        between_marks(page, "new\n", "c")
