"""Errors that the user can fix."""

import errno
import os
import re
import unicodedata
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

# What to do about an error of the system; otherwise another path may help.
ADVICE = {
    errno.ENOSPC: "free some space and run the command again",
    errno.EDQUOT: "free some space or ask for a larger quota, and run the command again",
    errno.EFBIG: "choose a folder that allows larger files, or raise the limit with ulimit -f",
    errno.EIO: "check the disk, or choose another one",
    errno.EMFILE: "raise the limit of open files with ulimit -n",
    errno.ENFILE: "close other programs and run the command again",
    errno.ENOMEM: "close other programs, or use a machine with more memory",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EBADF: "redirect it, or leave it open",
}


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


def explain(error: BaseException, otherwise: str = "choose another path") -> str:
    """Explains an error of the system, also one that a library has wrapped in its own.

    Args:
        error: such as an OSError, or an error of h5py or TensorFlow that quotes one.
        otherwise: what to do if the cause does not say it.

    Returns:
        the cause and what to do: "No space left on device; free some space and ...".
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None:
        number = _quoted(str(error))
    if number is None:
        return f"{' '.join(str(error).split()) or type(error).__name__}; {otherwise}"
    return f"{os.strerror(number)}; {ADVICE.get(number, otherwise)}"


def _quoted(message: str) -> int | None:
    """Returns the number of the system's error that a message quotes, in digits or words."""
    if digits := re.search(r"errno = ([1-9]\d*)", message):
        return int(digits[1])
    return next((number for number in ADVICE if os.strerror(number) in message), None)


def printable(text: str) -> str:
    """Escapes what does not belong in a line of text: control characters, bytes that are no text.

    Names of files may contain line breaks, the codes that move a terminal's cursor, and bytes that
    are not in UTF-8.
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        else character
        for character in text
    )
