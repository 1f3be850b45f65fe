"""Reads files that people or programs have written, and may have damaged."""

import csv
import io
from pathlib import Path
from typing import BinaryIO

from .errors import UserError


def read_bytes(path: Path, advice: str) -> bytes:
    """Reads a binary file.

    Args:
        path: the file.
        advice: what to do if it is missing or cannot be read, for the message.

    Raises:
        UserError: it is missing, or this user must not read it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        if isinstance(error, PermissionError):
            advice = "allow this user to read it"
        raise UserError(f"{path}: cannot be read ({error.strerror}); {advice}") from error


def read_csv(path: Path, columns: set[str]) -> list[tuple[int, dict[str, str]]]:
    """Reads a CSV file with a header, which may have been written by hand.

    Args:
        path: the file, in UTF-8; the BOM that spreadsheet programs write is accepted.
        columns: the required columns.

    Returns:
        the rows, each with its line number; missing cells are "".

    Raises:
        UserError: the file is not CSV in UTF-8, or a column is missing.
    """
    with path.open("rb") as file:
        return parse_csv(file, columns, path)


def parse_csv(
    file: BinaryIO, columns: set[str], path: Path | str
) -> list[tuple[int, dict[str, str]]]:
    """Reads CSV as `read_csv` does, from an open file; `path` names it in messages."""
    try:
        # The lines of a quoted cell keep their ends.
        with io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            if missing := columns - set(rows.fieldnames or ()):
                raise UserError(f"{path}: add the missing column(s) {', '.join(sorted(missing))}")
            return [
                (rows.line_num, {key: value or "" for key, value in row.items() if key})
                for row in rows
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file in UTF-8 ({error}); save it as one") from error
