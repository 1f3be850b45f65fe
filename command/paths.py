"""Checks of paths: whether they exist, for any name, and what the names from users and data may be.

The methods of `Path` that answer whether a path exists raise an error if the name is too long.
"""

import re
from os.path import exists
from os.path import isdir as is_folder
from os.path import isfile as is_file
from pathlib import Path, PureWindowsPath

from .errors import UserError

__all__ = ["check_relative", "check_suffix", "exists", "is_address", "is_file", "is_folder"]


def is_address(path: str) -> bool:
    """Whether a path is an address in an object store or another file system: s3://bucket/a."""
    return re.match(r"[a-z][a-z0-9+.-]+://", path) is not None


def check_suffix(flag: str, path: Path, suffix: str) -> None:
    """Raises a UserError if the file that a flag names does not have the suffix."""
    if path.suffix.lower() != suffix:
        raise UserError(f"--{flag}={path}: must end in {suffix}")


def check_relative(name: str, where: str) -> None:
    """Checks a name that comes from data, such as that of an example of a dataset.

    Args:
        name: a path with slashes; joined with a folder, it must stay in it on every system.
        where: what holds the name, for the message.

    Raises:
        UserError: the name is absolute, or has a drive, "..", a NUL, or an empty or "." part.
    """
    # Windows's rules know drives, and take both kinds of slashes.
    windows = PureWindowsPath(name)
    if (
        windows.anchor
        or ".." in windows.parts
        or "\0" in name
        or not {"", ".", ".."}.isdisjoint(name.split("/"))
    ):
        raise UserError(
            f"{where}: the name {name!r} is not a relative path such as speaker/a.wav, without "
            "'..', '.' or a drive; correct it"
        )
