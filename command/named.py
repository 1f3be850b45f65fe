"""Named paths: the runs, folders and files that a command compares."""

from collections.abc import Iterable
from pathlib import Path

from .errors import UserError


def parse_named_paths(arguments: Iterable[str]) -> dict[str, Path]:
    """Parses `NAME=PATH` or `PATH`, which is named after its folder or its file without suffix.

    Returns:
        name -> path, in the order given.

    Raises:
        UserError: two have the same name, or NAME= has no path.
    """
    paths: dict[str, Path] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if equals and not text and not Path(argument).exists():
            raise UserError(f"{argument}: the path is missing; write NAME=PATH")
        # A path may itself contain an equals sign.
        if not (equals and name and text) or "/" in name or Path(argument).exists():
            text = argument
            name = Path(text).resolve().stem if Path(text).is_file() else Path(text).resolve().name
        if name in paths:
            raise UserError(f"{argument}: {paths[name]} is named {name!r} too; write NAME=PATH")
        paths[name] = Path(text)
    return paths
