"""Low sides by filters that no recipe draws: the filters, and the command."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from wideband.benchmarks import unseen_filters as other_filters
from wideband.data_gen import degrade

RATE, RATIO = 16000, 4


def tone(hz):
    return np.sin(2 * np.pi * hz / RATE * np.arange(RATE)).astype(np.float32)


@pytest.mark.parametrize("way", [other_filters.butterworth, other_filters.elliptic])
def test_a_filter_passes_the_low_band_in_step_and_stops_the_rest(way):
    middle = slice(500, 3500)
    for hz in (100, 800, 1500):
        low = way(tone(hz), RATIO)
        assert low.dtype == np.float32 and low.shape == (RATE // RATIO,)
        np.testing.assert_allclose(low[middle], tone(hz)[::RATIO][middle], atol=0.03)
    for hz in (2400, 5000):
        assert np.abs(way(tone(hz), RATIO)[middle]).max() < 0.02


def test_filters_are_not_those_of_training():
    """White noise comes out otherwise by every one of them."""
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    ways = [degrade.decimate, degrade.sinc_down, other_filters.butterworth, other_filters.elliptic]
    low = [way(noise, RATIO) for way in ways]
    for k, first in enumerate(low):
        for second in low[k + 1 :]:
            assert np.std(first - second) > 0.02 * np.std(first)


def test_mp3_loses_detail_but_not_the_step():
    rng = np.random.default_rng(0)
    # Noise that falls with frequency, with pauses, as speech has them.
    wave = np.cumsum(rng.normal(0, 0.02, 3 * RATE)) * np.repeat([1, 0, 1], RATE)
    wave = (wave - np.convolve(wave, np.ones(161) / 161, "same")).astype(np.float32)
    found = other_filters.through_mp3(wave, RATE)
    assert found.shape == wave.shape
    error = found - wave
    snr_db = 10 * np.log10(np.sum(wave**2) / np.sum(error**2))
    # One sample off would leave 8 dB.
    assert 12 < snr_db < 40


def command(*flags):
    script = [sys.executable, "-m", "wideband.evaluate.robustness", *map(str, flags)]
    return subprocess.run(script, capture_output=True, text=True)


def test_the_command_has_a_row_for_every_filter(data, tmp_path):
    folder = shutil.copytree(data, tmp_path / "data")
    for path in folder.glob("valid-*"):
        shutil.copy(folder / "test-00000.tfrecord", path)
    output = tmp_path / "table.md"
    done = command("--model=spline", f"--data={folder}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    rows = [line.strip("|").split("|") for line in output.read_text().splitlines()]
    named = {row[0].strip(): row[1:] for row in rows[2:]}
    assert [*named] == [
        "spline, own filter",
        "own filter",
        "Butterworth",
        "elliptic",
        "sinc (Soxr)",
        "MP3 of 32 kbit/s",
    ]
    # The model is the spline here.
    assert named["own filter"] == named["spline, own filter"]
    assert len({tuple(row) for row in named.values()}) == 5


def test_a_model_of_other_rates_is_refused(data, tmp_path):
    folder = shutil.copytree(data, tmp_path / "data")
    facts = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(facts | {"ratio": 2}))
    done = command("--model=speech-4x", f"--data={folder}", f"--output={tmp_path / 'x.md'}")
    assert done.returncode == 1
    assert "speech-4x brings 4000 Hz to 16000 Hz" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.md").exists()
