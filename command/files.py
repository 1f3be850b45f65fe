"""Writes files under a temporary name and renames them when complete; reads CSV files."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path next to `path`, which becomes `path` if the block succeeds.

    The temporary name keeps the suffix, since some writers choose the format from it.

    Args:
        path: the final name; missing folders are created.

    Yields:
        the temporary path; it is removed if the block fails.

    Raises:
        UserError: nothing can be written there.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}); choose another path"
        ) from error
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a binary file."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file, indented."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a CSV file. All rows have the columns of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


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
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            if missing := columns - set(rows.fieldnames or ()):
                raise UserError(f"{path}: add the missing column(s) {', '.join(sorted(missing))}")
            return [
                (rows.line_num, {key: value or "" for key, value in row.items() if key})
                for row in rows
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file in UTF-8 ({error}); save it as one") from error


def check_suffix(flag: str, path: Path, suffix: str) -> None:
    """Raises a UserError if the file that a flag names does not have the suffix."""
    if path.suffix.lower() != suffix:
        raise UserError(f"--{flag}={path}: must end in {suffix}")
