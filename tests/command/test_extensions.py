"""Tables that other installed packages extend."""

import sys

import pytest
from wideband.command import UserError
from wideband.command.errors import lookup
from wideband.command.extensions import Extensible


def adopt(name, value):
    if not isinstance(value, int):
        raise UserError(f"{value!r} is not a number")
    return value


@pytest.fixture
def table():
    return Extensible("number", {"one": 1, "two": 2}, adopt)


def test_a_table_has_the_rows_of_other_packages_after_ours(table, package):
    package("numbers_a", "b = 3\na = 4", numbers="three = numbers_a:b\nfour = numbers_a:a")
    assert list(table) == ["one", "two", "four", "three"]
    assert len(table) == 4
    assert dict(table) == {"one": 1, "two": 2, "four": 4, "three": 3}
    assert "three" in table and "five" not in table
    assert list(table.own) == ["one", "two"]


def test_rows_of_other_groups_are_not_in_the_table(table, package):
    package("numbers_a", "a = 4", letters="four = numbers_a:a")
    assert list(table) == ["one", "two"]


def test_a_package_that_is_installed_later_is_found(table, package):
    assert "three" not in table
    package("numbers_a", "a = 3", numbers="three = numbers_a:a")
    assert table["three"] == 3


def test_names_are_listed_without_importing_the_package(table, package):
    package("numbers_a", "raise RuntimeError", numbers="three = numbers_a:a")
    assert "three" in table and list(table) == ["one", "two", "three"]
    assert "numbers_a" not in sys.modules


def test_an_unknown_name_is_refused_with_all_choices(table, package):
    package("numbers_a", "a = 3", numbers="three = numbers_a:a")
    with pytest.raises(UserError, match=r"^unknown number 'x'; choose one of one, two, three$"):
        lookup(table, "x", "number")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("a = 'x'", "'x' is not a number"),
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        ("raise RuntimeError", "RuntimeError"),
        ("b = 1", "module 'numbers_a' has no attribute 'a'"),
        ("a = (", "'(' was never closed"),
    ],
)
def test_a_row_that_cannot_be_used_is_reported_in_one_line(table, package, code, reason):
    package("numbers_a", code, numbers="three = numbers_a:a")
    with pytest.raises(UserError) as raised:
        table["three"]
    line = str(raised.value)
    start = "the number 'three' of numbers_a 0.1, numbers_a:a, cannot be used: "
    assert line.startswith(start + reason) and "\n" not in line
    assert line.endswith("; correct it and install the package again, or pip uninstall numbers_a")
    # The others can.
    assert table["one"] == 1


def test_a_name_that_is_taken_is_refused(table, package):
    package("numbers_a", "a = 3", numbers="two = numbers_a:a\nthree = numbers_a:a")
    package("numbers_b", "a = 3", numbers="three = numbers_b:a")
    with pytest.raises(UserError) as raised:
        table["two"]
    assert str(raised.value) == (
        "the number 'two' is added by wideband and by numbers_a 0.1; rename one, or "
        "pip uninstall numbers_a"
    )
    with pytest.raises(UserError, match=r"by numbers_\w 0\.1 and by numbers_\w 0\.1; rename one"):
        table["three"]
    assert list(table) == ["one", "two", "three"]
    assert table["one"] == 1
