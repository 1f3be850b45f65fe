"""The benchmark of wideband-upsample: what it writes, and what it says when a model fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "upsample.py"


def benchmark(*flags):
    command = [sys.executable, str(SCRIPT), "--minutes=0.05,0.1", *flags]
    return subprocess.run(command, capture_output=True, text=True)


def test_every_model_is_measured_at_every_length(tmp_path):
    table = tmp_path / "speed.md"
    done = benchmark("--model=spline", "--model=straight=linear", f"--output={table}")
    assert done.returncode == 0, done.stderr
    results = json.loads(table.with_suffix(".json").read_text())["results"]
    measured = {(each["model"], each["minutes"]) for each in results}
    assert measured == {(name, m) for name in ("spline", "straight") for m in (0.05, 0.1)}
    # A Python with NumPy has more than 20 MiB, and one without TensorFlow less than 400.
    assert all(20 < each["mebibytes"] < 400 for each in results)
    lines = table.read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["spline", "straight"]
    factor = next(each for each in results if each["model"] == "spline")["seconds"] / 3
    assert float(lines[2].split("|")[2]) == pytest.approx(factor, abs=6e-4)


def test_a_model_that_fails_is_named_with_its_reason(tmp_path):
    done = benchmark("--model=nothing", f"--output={tmp_path / 'speed.md'}")
    assert done.returncode == 1
    assert "nothing: error: nothing: no such run folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "speed.md").exists()
