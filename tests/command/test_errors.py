"""Errors that the user can fix."""

import pytest
from wideband.command import UserError
from wideband.command.errors import lookup


def test_a_name_that_is_not_in_a_table_is_refused_with_the_choices():
    assert lookup({"a": 1, "b": 2}, "b", "letter") == 2
    with pytest.raises(UserError, match="unknown letter 'c'; choose one of a, b"):
        lookup({"a": 1, "b": 2}, "c", "letter")
