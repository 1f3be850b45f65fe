"""A command as a process of its own: its streams, its signals, where it looks for modules."""

import os
import sys

from . import signals, streams


def prepare() -> None:
    """Prepares this process for a command. To be called by the main thread, once."""
    if os.name == "posix":
        streams.prepare()
        signals.end_on_signals()
    main = sys.modules["__main__"]
    # `python -m` looks in the working folder first: a user's random.py there would be run.
    if main.__spec__ is not None and sys.path[:1] == [os.path.realpath(os.curdir)]:
        del sys.path[0]


def finish(code: int) -> int:
    """Writes what is left of the output; returns the exit code, or ends by the signal it means."""
    try:
        sys.stdout.flush()
    except OSError:
        # The command has already reported this error, or an earlier one.
        streams.discard_output()
        code = code or 1
    if code > 128:
        signals.end(code - 128)
    if "tensorflow_io" in sys.modules:
        # Its clients of object stores abort the process at its end.
        sys.stderr.flush()
        os._exit(code)
    return code
