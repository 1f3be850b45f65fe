"""Runs commands as a user does, and measures their time and memory."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from wideband.command import UserError

# Seconds from one look at the memory of the processes to the next.
INTERVAL = 0.1


class Finished(NamedTuple):
    """What a command took."""

    seconds: float  # wall time, from its start to its end
    mebibytes: float  # peak resident memory of all its processes together


def run(command: Sequence[str | Path], name: str) -> Finished:
    """Runs a command without its output.

    On Linux, memory that processes share counts once, and their sum is looked at ten times per
    second. Elsewhere, the memory is that of the largest process. It is at least the peak of this
    process, which should therefore be small.

    Args:
        command: the command line.
        name: how the error line names it.

    Raises:
        UserError: the command failed.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([*map(str, command)], stdout=output, stderr=output)
        ended, sums = threading.Event(), [0.0]
        watch = threading.Thread(target=_watch, args=(process.pid, ended, sums))
        watch.start()
        # wait4 measures this child alone; resource.getrusage returns the largest of all.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        ended.set()
        watch.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            lines = output.read().decode(errors="replace").strip().splitlines()
            raise UserError(f"{name}: {lines[-1] if lines else 'failed without a message'}")
    # KiB on Linux, bytes on macOS.
    largest = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return Finished(seconds, max(largest, *sums))


def _watch(pid: int, ended: threading.Event, sums: list[float]) -> None:
    """Appends the memory of a process and its descendants in MiB, again and again."""
    while not ended.wait(INTERVAL):
        sums.append(_memory(pid) / 2**10)


def _memory(pid: int) -> int:
    """Returns the memory of a process and its descendants in KiB; 0 if the system does not say."""
    folder = Path("/proc") / str(pid)
    try:
        text = (folder / "smaps_rollup").read_text()
        # Each thread lists its own children.
        lists = [path.read_text() for path in folder.glob("task/*/children")]
    except OSError:
        # It has ended.
        return 0
    own = int(text.partition("\nPss:")[2].split()[0])
    return own + sum(_memory(int(child)) for each in lists for child in each.split())
