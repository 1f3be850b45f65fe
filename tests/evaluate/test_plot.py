"""Figures of estimates and of histories, through the command."""

import numpy as np
import pytest
import soundfile
from wideband import audio
from wideband.command.drawing import png
from wideband.evaluate import curves, figures, plot

SAMPLE_RATE = 8000


@pytest.fixture
def folder(tmp_path, noise, monkeypatch):
    """Recordings and runs in the working directory."""
    for seed, name in enumerate(["clean", "spline", "net"]):
        audio.write(tmp_path / f"{name}.wav", noise(6000, seed), SAMPLE_RATE, "FLOAT")
    audio.write(tmp_path / "short.wav", noise(5990), SAMPLE_RATE)
    audio.write(tmp_path / "slow.wav", noise(6000), 4000)
    wave = np.where(np.arange(6000) == 9, np.inf, noise(6000)).astype(np.float32)
    soundfile.write(tmp_path / "inf.wav", wave, SAMPLE_RATE, "FLOAT")
    for run, value in (("tfnet", 2.0), ("gionet", 3.0)):
        (tmp_path / run).mkdir()
        lines = ["epoch,step,loss,val_loss,seconds", f"1,5,{value},{value + 1},9", "2,10,1.0,1.5,9"]
        (tmp_path / run / "history.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw(call, *flags):
    return call(plot.command, "--output=out/a.png", *flags)


def test_estimates_are_drawn_next_to_their_reference(folder, call, noise):
    flags = ["--reference=clean.wav", "--estimate=spline.wav", "--estimate=ours=net.wav"]
    code, _, err = draw(call, *flags, "--cutoff_hz=1000")
    assert (code, err) == (0, "")
    waves = {"reference": noise(6000, 0), "spline": noise(6000, 1), "ours": noise(6000, 2)}
    expected = png(figures.comparison(waves, SAMPLE_RATE, 1000))
    assert (folder / "out" / "a.png").read_bytes() == expected


def test_a_single_sample_is_drawn(folder, call):
    flags = ["--reference=clean.wav", "--estimate=net.wav", f"--start_seconds={5999 / SAMPLE_RATE}"]
    code, _, err = draw(call, *flags, "--cutoff_hz=1000")
    assert (code, err) == (0, "")


def test_an_excerpt_is_drawn(folder, call, noise):
    flags = ["--reference=clean.wav", "--estimate=net.wav"]
    code, _, err = draw(call, *flags, "--start_seconds=0.25", "--seconds=0.5")
    assert (code, err) == (0, "")
    waves = {"reference": noise(6000, 0)[2000:], "net": noise(6000, 2)[2000:]}
    expected = png(figures.comparison(waves, SAMPLE_RATE))
    assert (folder / "out" / "a.png").read_bytes() == expected


def test_histories_of_runs_share_their_panels(folder, call):
    code, _, err = draw(call, "--run=tfnet", "--run=thesis=gionet")
    assert (code, err) == (0, "")
    histories = {
        name: [
            {"epoch": 1, "loss": value, "val_loss": value + 1},
            {"epoch": 2, "loss": 1.0, "val_loss": 1.5},
        ]
        for name, value in (("tfnet", 2.0), ("thesis", 3.0))
    }
    assert (folder / "out" / "a.png").read_bytes() == png(curves.histories(histories))


WAVES = ["--reference=clean.wav", "--estimate=net.wav"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["--reference", "--run"]),
        (["--reference=clean.wav"], ["--estimate"]),
        ([*WAVES, "--run=tfnet"], ["either"]),
        ([*WAVES, "--estimate=short.wav"], ["short.wav", "10 samples shorter"]),
        ([*WAVES, "--estimate=slow.wav"], ["slow.wav", "4000 Hz", "8000 Hz"]),
        ([*WAVES, "--estimate=reference=spline.wav"], ["'reference'"]),
        ([*WAVES, "--estimate=nowhere.wav"], ["nowhere.wav", "no such file"]),
        ([*WAVES, "--estimate=inf.wav"], ["inf.wav", "not finite"]),
        ([*WAVES, "--start_seconds=9"], ["clean.wav", "--start_seconds=9"]),
        ([*WAVES, "--start_seconds=1e300"], ["clean.wav", "begin earlier"]),
        ([*WAVES, "--start_seconds=nan"], ["--start_seconds=nan"]),
        ([*WAVES, "--seconds=1e300"], ["--seconds=1e300", "300"]),
        ([*WAVES, "--output=out/a.jpg"], ["a.jpg", ".png"]),
        (["--run=nowhere"], ["nowhere/history.csv"]),
    ],
)
def test_an_error_is_one_line_and_nothing_is_written(folder, call, error_line, flags, words):
    code, _, err = draw(call, *flags)
    assert code in (1, 2)
    assert all(word in error_line(err) for word in words), err
    assert not (folder / "out").exists()
