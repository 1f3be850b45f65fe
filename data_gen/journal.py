"""The journal of a preparation: the measurements so far, as JSON lines."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..audio.measure import Facts
from ..command.files import writing


class Journal:
    """Facts of recordings by name; a string is the reason why one is unreadable.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Facts | str]:
        """Reads the facts. Lines that a killed run or a full disk cut short are skipped."""
        known: dict[str, Facts | str] = {}
        if self.path.exists():
            for line in self.path.read_bytes().split(b"\n"):
                try:
                    name, facts = json.loads(line)
                    known[name] = facts if isinstance(facts, str) else Facts(*facts)
                except (ValueError, TypeError):
                    continue
        return known

    @contextmanager
    def open(self) -> Iterator[Callable[[str, Facts | str], None]]:
        """Yields a function that adds a name and its facts.

        Raises:
            UserError: it cannot be written, such as on a full disk.
        """
        # Unbuffered: after an error, closing the file would write the buffer and fail again.
        with writing(self.path):
            file = self.path.open("ab", buffering=0)

        def write(line: str) -> None:
            rest = line.encode("ascii")
            with writing(self.path):
                while rest:
                    rest = rest[file.write(rest) :]

        with file:
            # Ends the line that an earlier run may have been killed in.
            write("\n")
            yield lambda name, facts: write(json.dumps([name, facts]) + "\n")

    def remove(self) -> None:
        """Removes the file, if there is one."""
        self.path.unlink(missing_ok=True)
