"""Names for the runs, folders and files that a command puts side by side."""

from collections.abc import Iterable
from pathlib import Path

from ..data_gen.command import UserError


def named(arguments: Iterable[str]) -> dict[str, Path]:
    """Reads `NAME=PATH` or `PATH`, whose name is then the last part of the path, without suffix.

    Returns:
        name -> path, in the order given.

    Raises:
        UserError: two have one name.
    """
    paths: dict[str, Path] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        # A path may hold an equals sign too.
        if not (equals and name and text) or "/" in name or Path(argument).exists():
            text = argument
            name = Path(text).resolve().stem if Path(text).is_file() else Path(text).resolve().name
        if name in paths:
            raise UserError(f"{argument}: {paths[name]} is named {name!r} too; write NAME=PATH")
        paths[name] = Path(text)
    return paths
