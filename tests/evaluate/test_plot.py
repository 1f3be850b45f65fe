"""Pictures of estimates and of trainings, through the real command."""

import subprocess
import sys

import numpy as np
import pytest
from wideband import audio
from wideband.evaluate import figures

SAMPLE_RATE = 8000


def noise(seed, n=6000):
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def plot(folder, *flags):
    return subprocess.run(
        [sys.executable, "-m", "wideband.evaluate.plot", "--output=out/a.png", *flags],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


@pytest.fixture
def folder(tmp_path):
    for seed, name in enumerate(["clean", "spline", "net"]):
        audio.write(tmp_path / f"{name}.wav", noise(seed), SAMPLE_RATE, "FLOAT")
    audio.write(tmp_path / "short.wav", noise(0, 5990), SAMPLE_RATE)
    audio.write(tmp_path / "slow.wav", noise(0), 4000)
    for run, value in (("tfnet", 2.0), ("gionet", 3.0)):
        (tmp_path / run).mkdir()
        lines = ["epoch,step,loss,val_loss,seconds", f"1,5,{value},{value + 1},9", "2,10,1.0,1.5,9"]
        (tmp_path / run / "history.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_estimates_are_drawn_beside_their_reference(folder):
    flags = ["--references=clean.wav", "--estimates=spline.wav", "--estimates=ours=net.wav"]
    done = plot(folder, *flags, "--cutoff_hz=1000")
    assert done.returncode == 0, done.stderr
    waves = {"reference": noise(0), "spline": noise(1), "ours": noise(2)}
    expected = figures.comparison(waves, SAMPLE_RATE, 1000)
    assert (folder / "out" / "a.png").read_bytes() == expected


def test_a_part_of_the_recordings_is_drawn_where_asked(folder):
    flags = ["--references=clean.wav", "--estimates=net.wav"]
    done = plot(folder, *flags, "--start_seconds=0.25", "--seconds=0.5")
    assert done.returncode == 0, done.stderr
    waves = {"reference": noise(0)[2000:6000], "net": noise(2)[2000:6000]}
    assert (folder / "out" / "a.png").read_bytes() == figures.comparison(waves, SAMPLE_RATE)


def test_histories_of_runs_are_drawn_over_each_other(folder):
    done = plot(folder, "--run=tfnet", "--run=thesis=gionet")
    assert done.returncode == 0, done.stderr
    histories = {
        name: [
            {"epoch": 1, "loss": value, "val_loss": value + 1},
            {"epoch": 2, "loss": 1.0, "val_loss": 1.5},
        ]
        for name, value in (("tfnet", 2.0), ("thesis", 3.0))
    }
    # The column of steps and that of seconds are no curves.
    assert (folder / "out" / "a.png").read_bytes() == figures.histories(histories)


WAVES = ["--references=clean.wav", "--estimates=net.wav"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["--references", "--run"]),
        (["--references=clean.wav"], ["--estimates"]),
        ([*WAVES, "--run=tfnet"], ["either"]),
        ([*WAVES, "--estimates=short.wav"], ["short.wav", "10 samples shorter"]),
        ([*WAVES, "--estimates=slow.wav"], ["slow.wav", "4000 Hz", "8000 Hz"]),
        ([*WAVES, "--estimates=reference=spline.wav"], ["'reference'"]),
        ([*WAVES, "--estimates=nowhere.wav"], ["nowhere.wav", "no such file"]),
        ([*WAVES, "--start_seconds=9"], ["clean.wav", "--start_seconds=9"]),
        ([*WAVES, "--output=out/a.jpg"], ["a.jpg", ".png"]),
        ([*WAVES, "more.wav"], ["'more.wav'"]),
        (["--run=nowhere"], ["nowhere/history.csv"]),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(folder, flags, words):
    done = plot(folder, *flags)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in words), done.stderr
    assert not (folder / "out").exists()
