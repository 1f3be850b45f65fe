"""Tables that other installed packages extend.

A package adds a network and a recipe with entry points in its pyproject.toml, and every command
knows them once the package is installed:

    [project.entry-points."wideband.networks"]
    slimnet = "slimnet.network:SlimNet"

    [project.entry-points."wideband.recipes"]
    slimnet_4x = "slimnet.recipe:SLIMNET_4X"
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from .errors import UserError

T = TypeVar("T")


class Extensible(Mapping[str, T]):
    """A table of ours with the rows that other packages add.

    The module of an added row is imported when the row is read, not when its name is looked up.

    Args:
        what: the kind of row, for messages: "network".
        own: our rows by name.
        adopt: makes a row from a name and the object of its entry point; raises a UserError if it
            cannot be a row.

    Raises:
        UserError: on reading a row: its name is taken by another package, its module cannot be
            imported, or its object is refused.
    """

    def __init__(self, what: str, own: Mapping[str, T], adopt: Callable[[str, Any], T]) -> None:
        self._what, self.own, self._adopt = what, own, adopt
        self._group = f"wideband.{what}s"

    def __getitem__(self, name: str) -> T:
        """Returns a row."""
        added = self._added(name)
        owners = [*(["wideband"] if name in self.own else []), *map(_package, added)]
        if len(owners) > 1:
            raise UserError(
                f"the {self._what} {name!r} is added by {' and by '.join(owners)}; rename one, or "
                f"pip uninstall {owners[-1].split()[0]}"
            )
        return self._load(name, added[0]) if added else self.own[name]

    def __contains__(self, name: object) -> bool:
        """Whether there is a row of this name."""
        return name in self.own or bool(self._added(str(name)))

    def __iter__(self) -> Iterator[str]:
        """Yields the names: ours, then those of other packages."""
        added = {entry.name for entry in _installed(self._group)}
        yield from self.own
        yield from sorted(added - set(self.own))

    def __len__(self) -> int:
        """Counts the rows."""
        return sum(1 for _ in self)

    def _added(self, name: str) -> list[EntryPoint]:
        found = self._matches(name)
        if not found and name not in self.own:
            # A notebook can install a package while it runs.
            _installed.cache_clear()
            found = self._matches(name)
        return found

    def _matches(self, name: str) -> list[EntryPoint]:
        return [entry for entry in _installed(self._group) if entry.name == name]

    def _load(self, name: str, entry: EntryPoint) -> T:
        try:
            return self._adopt(name, entry.load())
        # An import runs code of the other package, which can raise anything.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(
                f"the {self._what} {name!r} of {_package(entry)}, {entry.value}, cannot be used: "
                f"{reason}; correct it and install the package again, or pip uninstall "
                f"{_package(entry).split()[0]}"
            ) from error


@functools.cache
def _installed(group: str) -> tuple[EntryPoint, ...]:
    """Lists the entry points of a group in all installed packages, each once.

    A package that is in two folders of the path is found twice.
    """
    return tuple(dict.fromkeys(entry_points(group=group)))


def _package(entry: EntryPoint) -> str:
    """Returns the package of an entry point, as in "slimnet 0.1"."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.module
