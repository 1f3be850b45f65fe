"""Errors that the user can fix."""

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """An error the user can fix. The message is one line: the value, what is allowed, what to do.

    Commands print it without a traceback. Python callers can catch it as a ValueError.
    """


class UsageError(UserError):
    """A wrong command line. The command exits with code 2 and refers to its `--help`."""


def lookup(table: Mapping[str, T], name: str, what: str) -> T:
    """Returns `table[name]`.

    Args:
        table: the choices by name.
        name: the choice.
        what: the kind of choice, for the message, such as "protocol".

    Raises:
        UserError: the table has no such name; the message lists the names it has.
    """
    if name not in table:
        raise UserError(f"unknown {what} {name!r}; choose one of {', '.join(table)}")
    return table[name]
