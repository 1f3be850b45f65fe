"""Every benchmark runs as a script, with a fast --help."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
# Modules of scripts, and a script that has no flags.
MODULES = {"unseen_filters", "packed", "jax_steps", "timing", "processes", "noise", "reporting"}
MODULES |= {"operations", "profiling", "python_loop"}
SCRIPTS = sorted({path.stem for path in FOLDER.glob("*.py")} - MODULES)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_runs_as_a_script(name, tmp_path):
    command = [sys.executable, "-X", "importtime", FOLDER / f"{name}.py", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"usage: python benchmarks/{name}.py" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "absl.flags" in imported
    assert not {"tensorflow", "keras", "matplotlib", "scipy", "soundfile"} & imported


def test_there_are_benchmarks():
    assert {"card", "mobile", "robustness", "seams", "speed", "table", "upsample"} <= set(SCRIPTS)
    assert {"bench", "preparing", "training", "restoring"} <= set(SCRIPTS)
