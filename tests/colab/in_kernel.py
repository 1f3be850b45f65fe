"""The first cell of every notebook that a test executes: prepares the kernel.

A line such as `!wideband-train --recipe=demo` starts a process, whose import of TensorFlow takes
longer than a tiny training. In the kernel of the tests, the line calls the same command in this
process. It is found as a shell finds it: by the entry point of the installed package, or by the
module after `python -m`.
"""

import importlib
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points, metadata
from pathlib import Path

from IPython import get_ipython
from packaging.requirements import Requirement
from wideband.command import keras_start

__spec__ = None  # as in a new kernel; worker processes of the kernel need it
PACKAGES = "packages"  # the folder for what the notebook installs


def find_command(program, arguments):
    """Returns the function of a command line and its arguments; None for other programs."""
    for script in entry_points(group="console_scripts", name=program):
        return script.load(), arguments
    if program != "python" or arguments[:1] != ["-m"]:
        return None
    _, module, *rest = arguments
    if module == "pytest":
        import pytest

        return pytest.main, [*rest, "-p", "no:cacheprovider"]
    found = importlib.import_module(module)
    if hasattr(found, "__path__"):
        found = importlib.import_module(f"{module}.__main__")
    return found.command, rest


def system(line):
    """Runs a line after `!`; a line that fails ends the notebook."""
    line = get_ipython().var_expand(line)
    words = shlex.split(line)
    while re.fullmatch(r"[A-Z_]+=\w+", words[0]):
        name, _, value = words.pop(0).partition("=")
        assert os.environ.setdefault(name, value) == value, line
    found = find_command(words[0], words[1:])
    if found is None:
        subprocess.run(line, shell=True, check=True)
        return
    command, arguments = found
    code = command(arguments)
    assert code == 0, f"{line}: exit code {int(code)}"


def pip(line):
    """Checks the requirements after `%pip install -q`, and installs packages of the notebook."""
    words = shlex.split(line)
    assert words[:2] == ["install", "-q"], line
    for word in words[2:]:
        if word.startswith("./"):
            options = ["--no-deps", "--no-build-isolation", "--no-index", f"--target={PACKAGES}"]
            subprocess.run(
                [sys.executable, "-m", "pip", "install", "-q", *options, word], check=True
            )
            continue
        requirement = Requirement(word)
        known = metadata(requirement.name)
        assert requirement.extras <= set(known.get_all("Provides-Extra") or ()), word
        assert (requirement.url is None) == (requirement.name != "wideband"), word


if "keras" not in sys.modules:
    # As in the process of a command.
    keras_start.quicken()
    import step_by_step
    from wideband.train import steps

    # As in the process of the tests.
    step_by_step.restore_step_by_step()
    steps.compile_step = step_by_step.train_step_by_step
get_ipython().system = system
get_ipython().register_magic_function(pip, "line", "pip")
sys.path.append(str(Path(PACKAGES).absolute()))
