"""Tables for terminals and Markdown pages."""

from collections.abc import Sequence
from pathlib import Path

from .errors import UserError

# The line above and below a table that a command writes into a page.
MARK = "<!-- table -->\n"
# The same for one of several tables of a page.
NAMED_MARK = "<!-- table: {} -->\n"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Formats a table for a terminal: first column left-aligned, the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, rule, *rows]
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Formats a table in GitHub's Markdown: all columns but the first right-aligned."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in [header, rule, *rows]]
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def between_marks(path: Path, table: str, name: str = "") -> str:
    """Replaces the table between the two marks of a Markdown page.

    Args:
        path: the page; a missing one consists of the table alone.
        table: the new table, which ends with a line break.
        name: of the table, which its marks have, if the page has several.

    Returns:
        the whole page.

    Raises:
        UserError: the page does not have exactly two marks.
    """
    mark = NAMED_MARK.format(name) if name else MARK
    page = path.read_text(encoding="utf-8") if path.is_file() else mark * 2
    before, *rest = page.split(mark)
    if len(rest) != 2:
        raise UserError(
            f"{path}: {len(rest)} marks of a table; mark its place with two lines {mark.strip()}"
        )
    return f"{before}{mark}{table}{mark}{rest[1]}"
