"""Raw samples from the standard input to the standard output."""

import io
import subprocess
import sys

import numpy as np
import pytest
from wideband.command import UserError
from wideband.upsample.__main__ import command
from wideband.upsample.picking import candidates
from wideband.upsample.raw import FORMATS, restore_raw
from wideband.upsample.settings import Settings


def stereo(n):
    """Returns a tone in faint noise, (n, 2)."""
    wave = 0.3 * np.sin(0.7 * np.arange(n)) + np.random.default_rng(0).normal(0, 0.003, n)
    return np.stack([wave, 0.5 * wave], axis=1)


def restore(raw, channels, pcm, **settings):
    """Restores raw bytes from 4 to 16 kHz; returns the output and the message."""
    source, target = io.BufferedReader(io.BytesIO(raw)), io.BytesIO()
    models = candidates(["spline"], 16000, 4)
    message = restore_raw(models, source, target, 4000, channels, pcm, Settings(**settings))
    return target.getvalue(), message


@pytest.mark.parametrize("pcm", FORMATS)
def test_raw_samples_are_restored(pcm):
    wave = stereo(5200)
    scale = 32768 if pcm == "s16" else 1
    raw = (wave * scale).astype(FORMATS[pcm]).tobytes()
    out, message = restore(raw, 2, pcm, keep_low_band=False)
    found = np.frombuffer(out, FORMATS[pcm]).reshape(-1, 2) / scale
    assert len(found) == 4 * len(wave)
    np.testing.assert_allclose(found[::4][50:-50], wave[50:-50], rtol=0, atol=1e-4)
    assert message == f"{len(found)} samples at 16000 Hz, 2 channel(s), {pcm}, restored with spline"


def test_raw_samples_may_have_another_rate():
    wave = stereo(4000)
    out, message = restore(wave.astype("<f4").tobytes(), 2, "f32", output_rate=11025)
    assert np.frombuffer(out, "<f4").shape == (2 * 11025,)
    assert message.startswith("11025 samples at 11025 Hz, 2 channel(s), f32, restored with spline")


def test_clipped_peaks_of_whole_numbers_are_reported():
    square = np.sign(np.sin(0.7 * np.arange(2000)))
    _, message = restore((square * 32767).astype("<i2").tobytes(), 1, "s16")
    assert "were clipped at 1" in message
    _, message = restore(square.astype("<f4").tobytes(), 1, "f32")
    assert "clipped" not in message


def test_the_command_pipes_raw_samples_and_refuses_an_incomplete_one(error_line):
    raw = (stereo(1000) * 32768).astype("<i2").tobytes()
    line = [sys.executable, "-m", "wideband.upsample", "-", "--input_rate=4000", "--model=spline"]
    line += ["--output=-", "--channels=2"]
    done = subprocess.run(line, input=raw, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout) == 4 * len(raw)
    assert done.stderr.startswith(b"4000 samples at 16000 Hz, 2 channel(s)")
    broken = subprocess.run(line, input=raw[:-1], capture_output=True)
    assert broken.returncode == 1
    assert "ends within a sample: 3 bytes of 4 are left" in error_line(broken.stderr.decode())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--output=-"], "give their rate with --input_rate"),
        (["-", "--output=out.wav", "--input_rate=4000"], "raw samples go from - to --output=-"),
        (["-", "a.wav", "--output=-", "--input_rate=4000"], "without other inputs"),
    ],
)
def test_flags_that_contradict_raw_samples_are_refused(arguments, message, call, error_line):
    code, _, err = call(command, "--model=spline", *arguments)
    assert code == 1
    assert message in error_line(err)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (999, "--input_rate=999: must be a number from 1000 to 768000 Hz"),
        (10**18, "--input_rate=1000000000000000000: must be a number from 1000 to 768000 Hz"),
        (16000, "raw samples at 16000 Hz, taken to fill their band: already has content up to"),
    ],
)
def test_a_rate_that_no_model_takes_is_refused(rate, message):
    source, models = io.BufferedReader(io.BytesIO(bytes(800))), candidates(["spline"], 16000, 4)
    with pytest.raises(UserError, match=message):
        restore_raw(models, source, io.BytesIO(), rate, 1, "s16", Settings())


def test_a_rate_of_zero_is_a_wrong_command_line(call, error_line):
    code, _, err = call(command, "-", "--output=-", "--input_rate=0")
    assert code == 2
    assert "input_rate=0" in error_line(err)
