"""The benchmark that listens for seams: deaf to none that is there."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "seams.py"


def test_a_click_at_every_border_is_heard_and_noise_is_not():
    spec = importlib.util.spec_from_file_location("seams", SCRIPT)
    seams = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seams)
    wave = np.random.default_rng(0).normal(0, 0.01, 64000)
    assert abs(seams.differences(wave, 500, 0).mean()) < 0.5
    clicks = wave.copy()
    clicks[::500] += 0.1
    assert seams.differences(clicks, 500, 0).mean() > 5
    assert abs(seams.differences(clicks, 500, 250).mean()) < 0.5


def test_a_run_has_its_row(run, tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", rng.normal(0, 0.1, 120000), 16000)
    command = [sys.executable, str(SCRIPT), str(tmp_path / "a.wav"), f"--model=small={run}"]
    done = subprocess.run(
        [*command, f"--output={tmp_path / 'seams.md'}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    # Windows of 32768 less twice 768: three borders.
    row = (tmp_path / "seams.md").read_text().splitlines()[-1]
    assert re.fullmatch(r"\| small \| -?\d+\.\d\d \[.*\] \| 3 \|", row)


def test_an_interpolation_has_no_windows(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    command = [sys.executable, str(SCRIPT), str(tmp_path / "a.wav"), "--model=spline"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "spline: an interpolation has no windows" in done.stderr
