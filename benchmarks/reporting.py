"""Where the parts of `make bench` put their measurements: a JSON file, and tables of a page."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from timing import REPEATS
from wideband.command import UserError
from wideband.command.files import write_json, write_text
from wideband.command.run import Flags
from wideband.command.tables import between_marks, markdown_table, text_table

# A header and rows.
Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def define_flags(flags: Flags) -> None:
    """Defines the flags that all parts have."""
    flags.string("output", "build/bench", "Folder for the numbers, one JSON file for each part.")
    flags.string("page", None, "Markdown page whose tables between two marks are replaced.")
    flags.integer("repeats", REPEATS, "Repeats of every measurement.", lower_bound=1)


def check(flags: Flags, names: Iterable[str]) -> None:
    """Raises a UserError if the page lacks the marks of a table, before anything is measured."""
    if flags.page is None:
        return
    page = Path(flags.page)
    if not page.is_file():
        raise UserError(f"--page={page}: no such file; name a page with the marks of the tables")
    for name in names:
        between_marks(page, "", name)


def publish(flags: Flags, part: str, numbers: Mapping[str, Any], tables: Mapping[str, Table]):
    """Writes the numbers of a part and its tables, and prints the tables.

    Args:
        flags: of the part.
        part: the name of the JSON file.
        numbers: what was measured, as JSON.
        tables: name of the marks -> table.
    """
    facts = machine_facts()
    folder = Path(flags.output)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{part}.json", {**facts, "repeats": flags.repeats, **numbers})
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    note = (
        f"\nMeasured on {facts['date']} on {facts['machine']} ({facts['processor']}), commit "
        f"{facts['commit']}, {versions}. Repeats: {flags.repeats}, by turns; medians, with the "
        "lowest and the highest in brackets.\n"
    )
    for name, (header, rows) in tables.items():
        print(text_table(header, rows), end="\n\n")
        if flags.page is not None:
            page = Path(flags.page)
            write_text(page, between_marks(page, f"{markdown_table(header, rows)}\n{note}", name))


def machine_facts() -> dict[str, Any]:
    """Returns the date, the machine, its load, the versions and the commit."""
    from wideband.train.identity import new_record

    record = new_record({})
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": record.machine,
        "processor": processor(),
        # Those of the last minute, which include this measurement.
        "load": os.getloadavg()[0],
        "commit": (record.commit or "unknown")[:10],
        "versions": record.versions,
    }


def processor() -> str:
    """Returns the name of the processor, which only Linux tells."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(errors="replace") if path.is_file() else ""
    return text.partition("model name")[2].partition("\n")[0].strip(" \t:") or "unknown processor"
