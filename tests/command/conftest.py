"""Commands in processes of their own."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

# The whole start of a process; only the body of main differs.
SCRIPT = """
import os, sys, time
from pathlib import Path
from wideband.command import UserError
from wideband.command.hidden import hidden_folder
from wideband.command.run import Command
def main(flags, arguments):
{}
command = Command("c", lambda flags: None, main, help="C", positional="X")
if __name__ == "__main__":
    sys.exit(command())
"""


@pytest.fixture
def script(tmp_path):
    """Returns a function that writes a program whose command runs the lines given."""

    def script(*lines):
        path = tmp_path / "program.py"
        path.write_text(SCRIPT.format("\n".join(f"    {line}" for line in lines)))
        return path

    return script


@pytest.fixture
def start():
    """Returns a function that starts a program in a process group of its own."""
    started = []

    def start(path, *arguments, **options):
        process = subprocess.Popen(
            [sys.executable, path, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        # Its workers, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def shell():
    """Returns a function that runs a line of the shell, where `$program` runs a program."""

    def shell(line, path, **environment):
        environment["program"] = f"{sys.executable} {path}"
        environment["PATH"] = os.defpath
        environment["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
        line = ["bash", "-c", line]
        return subprocess.run(line, capture_output=True, text=True, env=environment)

    return shell
