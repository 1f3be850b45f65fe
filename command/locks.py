"""Locks that the system releases when their process ends, whatever ends it.

The locks are those of flock: they hold between containers and, on network file systems that support
them, between machines. Process numbers would not: in two containers they are the same.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

try:
    import fcntl
except ImportError:  # Windows has no flock.
    fcntl = None


def acquire(descriptor: int) -> bool | None:
    """Locks an open file or folder until it is closed, without waiting.

    Returns:
        whether the lock is held now: False if another process holds it, None if the system or the
        file system has no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@contextmanager
def locked(folder: Path, message: str) -> Iterator[None]:
    """Holds the lock of a folder, so that one process at a time works in it.

    Where there are no locks, this does nothing.

    Args:
        folder: an existing folder.
        message: what the error says if another process holds the lock.

    Raises:
        UserError: another living process holds the lock.
    """
    # Windows cannot open a folder either.
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if acquire(descriptor) is False:
            raise UserError(message)
        yield
    finally:
        os.close(descriptor)
