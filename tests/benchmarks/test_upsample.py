"""The benchmark of wideband-upsample: its files, and its message if a model fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_every_model_is_measured_at_every_duration(tmp_path):
    """In a process of its own, since a child's peak memory begins at that of its parent."""
    table = tmp_path / "speed.md"
    flags = ["--minutes=0.05,0.1", "--model=spline", "--model=straight=linear"]
    command = [sys.executable, FOLDER / "upsample.py", *flags, f"--output={table}"]
    done = subprocess.run(command, capture_output=True, text=True)
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
    assert done.stdout.splitlines()[2].startswith("spline ")


def test_an_unknown_model_is_refused_before_anything_is_measured(
    script, tmp_path, call, error_line
):
    flags = ["--model=spline", "--model=nothing", f"--output={tmp_path / 'speed.md'}"]
    code, _, err = call(script("upsample").command, *flags)
    assert code == 1
    assert "nothing: no such run folder" in error_line(err)
    assert not (tmp_path / "speed.md").exists()


def test_a_model_that_fails_is_named_with_the_reason(script, tmp_path):
    benchmark = script("upsample")
    benchmark.write_noise(tmp_path / "noise.wav", 0.01, 16000)
    with pytest.raises(ValueError, match=r"speech-4x: error: .*noise.wav"):
        benchmark.measure("speech-4x", tmp_path / "noise.wav")


@pytest.mark.parametrize("minutes", ["x", "1,y", "0", "-1", "nan", "1e9"])
def test_durations_that_cannot_be_measured_are_refused(script, call, error_line, minutes):
    code, _, err = call(script("upsample").command, "--model=spline", f"--minutes={minutes}")
    assert code == 1
    assert "must be numbers from 0 to 1440" in error_line(err)
