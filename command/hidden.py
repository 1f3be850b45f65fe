"""Hidden folders for unfinished files. Those of killed processes are removed by the next one.

The folder `.wideband-0123456789abcdef` holds a lock file of the same name. The process that makes
the folder locks that file for as long as it lives. Folders whose lock is free belong to processes
that were killed; the next process that writes next to them removes them.
"""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from . import locks, signals

_NAME = re.compile(r"\.wideband-[0-9a-f]{16}")

# The folders in which this process has looked for abandoned ones.
_cleared: set[Path] = set()


@contextmanager
def hidden_folder(parent: Path) -> Iterator[Path]:
    """Makes a hidden folder and removes it, with all it contains, at the end.

    Args:
        parent: an existing folder. What killed processes left in it is removed, once per process.

    Yields:
        the hidden folder. A file can be renamed from there to a place next to it.

    Raises:
        OSError: nothing can be written there.
    """
    # Absolute, in case the working folder changes.
    parent = parent.absolute()
    if parent not in _cleared:
        _cleared.add(parent)
        _remove_abandoned(parent)
    while True:
        folder = parent / hidden_name()
        with signals.at_end(partial(shutil.rmtree, folder, ignore_errors=True)):
            folder.mkdir(0o700)
            lock = _lock(folder)
            if lock is None:
                continue
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
            return


def hidden_name() -> str:
    """Returns a new name for a hidden folder or file."""
    return f".wideband-{secrets.token_hex(8)}"


def is_hidden(name: str) -> bool:
    """Returns whether a folder has the name of a hidden folder."""
    return _NAME.fullmatch(name) is not None


def _lock(folder: Path) -> int | None:
    """Locks a new folder; returns None if another process found it unlocked and removes it."""
    path = _lock_file(folder)
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileNotFoundError:
        return None
    if locks.acquire(lock) is not False and path.exists():
        return lock
    os.close(lock)
    return None


def _remove_abandoned(parent: Path) -> None:
    """Removes the hidden folders whose process has ended.

    Nothing else is touched: not a file or a folder with a similar name, nor a folder without the
    lock file unless it is empty.
    """
    try:
        folders = [path for path in parent.iterdir() if is_hidden(path.name)]
    except PermissionError:
        return
    for folder in folders:
        # What belongs to another user, or is removed by another process now, stays as it is.
        with contextlib.suppress(OSError):
            _remove_if_abandoned(folder)


def _remove_if_abandoned(folder: Path) -> None:
    try:
        lock = os.open(_lock_file(folder), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        # Its process was killed before it could lock the folder.
        folder.rmdir()
        return
    try:
        if locks.acquire(lock):
            shutil.rmtree(folder)
    finally:
        os.close(lock)


def _lock_file(folder: Path) -> Path:
    return folder / folder.name
