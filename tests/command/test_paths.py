"""Names that users and data give to files."""

import pytest
from wideband.command import UserError
from wideband.command.paths import check_relative, check_suffix


@pytest.mark.parametrize("name", ["a.wav", "speaker/a b.wav", "é/caf\udce9.wav", "..a", "a\\b"])
def test_a_name_inside_its_folder_is_accepted(name):
    check_relative(name, "manifest.csv")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "/a", "a/../../b", "a/..", "a//b", "a/", "./a", "a/./b", "a\0b"),
        *("C:/a", "C:a", "\\\\host\\share\\a", "\\a", "a\\..\\..\\b"),
    ],
)
def test_a_name_that_may_leave_its_folder_is_refused(name):
    with pytest.raises(UserError, match=r"^manifest.csv: the name .* is not a relative path"):
        check_relative(name, "manifest.csv")


def test_a_wrong_suffix_is_refused(tmp_path):
    check_suffix("output", tmp_path / "a.CSV", ".csv")
    with pytest.raises(UserError, match=r"--output=.*a.txt: must end in .csv"):
        check_suffix("output", tmp_path / "a.txt", ".csv")
