"""The benchmark of seams: clicks at the borders are measured, and noise is not."""

import re

import numpy as np
import soundfile


def test_clicks_at_the_borders_are_rough_and_noise_is_not(script):
    seams = script("seams")
    wave = np.random.default_rng(0).normal(0, 0.01, 64000)
    assert abs(seams.roughness(wave, 500, 0).mean()) < 0.5
    clicks = wave.copy()
    clicks[::500] += 0.1
    assert seams.roughness(clicks, 500, 0).mean() > 5
    assert abs(seams.roughness(clicks, 500, 250).mean()) < 0.5


def test_the_table_has_a_row_per_model(script, run, tmp_path, noise, call):
    soundfile.write(tmp_path / "a.wav", noise(120000), 16000)
    output = tmp_path / "seams.md"
    flags = [f"--model=small={run}", f"--output={output}"]
    code, _, err = call(script("seams").command, tmp_path / "a.wav", *flags)
    assert code == 0, err
    # Windows of 32768 samples, less 768 on either side: three borders.
    row = output.read_text().splitlines()[-1]
    assert re.fullmatch(r"\| small \| -?\d+\.\d\d \[.*\] \| 3 \|", row)


def test_an_interpolation_is_refused(script, tmp_path, call, error_line):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    code, _, err = call(script("seams").command, tmp_path / "a.wav", "--model=spline")
    assert code == 1
    assert "spline: an interpolation has no windows" in error_line(err)
