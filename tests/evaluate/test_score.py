"""snr, lsd and quality: the commands that measure a folder of estimates."""

import json
import sys

import numpy as np
import pytest
from wideband import audio
from wideband.evaluate import lsd, metrics, quality, snr

SAMPLE_RATE = 8000
COMMANDS = {"snr": snr.command, "lsd": lsd.command, "quality": quality.command}


@pytest.fixture
def folders(tmp_path, noise):
    """Three recordings in two formats, with their estimates in another."""
    references, estimates = tmp_path / "clean", tmp_path / "upsampled"
    for seed, name in enumerate(["b.wav", "p225/a.flac", "p226/a.x.wav"]):
        audio.write(references / name, noise(4000, seed), SAMPLE_RATE)
        path = (estimates / name).with_suffix(".flac")
        audio.write(path, (0.9 - 0.1 * seed) * noise(4000, seed), SAMPLE_RATE)
    return references, estimates


@pytest.fixture
def run(call):
    """Returns a function that runs one of the commands: (exit code, output, error)."""

    def run(command, references, estimates, output, *flags):
        paths = [f"--references={references}", f"--estimates={estimates}", f"--output={output}"]
        return call(COMMANDS[command], *paths, *flags)

    return run


@pytest.mark.parametrize(
    ("command", "flags", "columns"),
    [
        ("snr", [], list(metrics.wave.METRICS)),
        ("snr", ["--metric=snr"], ["snr"]),
        (
            "lsd",
            [],
            ["lsd", "lsd_kuleshov", "lsd_bini", "lsd_frame_ln", "lsd_ssr_eval", "lsd_tfnet"],
        ),
        ("lsd", ["--metric=apd_gd", "--metric=lsd"], ["apd_gd", "lsd"]),
        ("lsd", ["--cutoff_hz=2000"], list(metrics.spectral.METRICS)),
    ],
)
def test_every_pair_is_measured_and_summarized(
    folders, tmp_path, run, rows, command, flags, columns
):
    references, estimates = folders
    output = tmp_path / "results" / "scores.csv"
    code, out, err = run(command, *folders, output, *flags)
    assert code == 0, err

    table = rows(output)
    assert list(table[0]) == ["name", "sample_rate", "seconds", *columns]
    assert [row["name"] for row in table] == ["b", "p225/a", "p226/a.x"]
    for row, reference in zip(table, ["b.wav", "p225/a.flac", "p226/a.x.wav"], strict=True):
        pair = (
            audio.read(references / reference)[0],
            audio.read((estimates / reference).with_suffix(".flac"))[0],
        )
        expected = metrics.evaluate(*pair, SAMPLE_RATE, 2000, columns)
        assert {name: float(row[name]) for name in columns} == expected
        assert (row["sample_rate"], row["seconds"]) == ("8000", "0.5")

    summary = json.loads(output.with_suffix(".json").read_text())
    assert list(summary["metrics"]) == columns
    for name, entry in summary["metrics"].items():
        values = [float(row[name]) for row in table]
        assert entry["mean"] == pytest.approx(np.mean(values))
        assert (
            min(values) - 1e-9 < entry["low"] < entry["mean"] < entry["high"] < max(values) + 1e-9
        )
        metric = metrics.METRICS[name]
        assert metric.label in out
        assert f"{entry['mean']:.{metric.digits}f} [" in out
    assert (summary["files"], summary["seconds"]) == (3, 1.5)


def test_channels_are_measured_separately(tmp_path, noise, run, rows):
    references, estimates = tmp_path / "clean", tmp_path / "upsampled"
    stereo = noise(8000).reshape(-1, 2)
    audio.write(references / "a.wav", stereo, SAMPLE_RATE, subtype="FLOAT")
    audio.write(estimates / "a.wav", stereo * [0.9, 0.99], SAMPLE_RATE, subtype="FLOAT")
    code, _, err = run("snr", references, estimates, tmp_path / "snr.csv")
    assert code == 0, err
    assert float(rows(tmp_path / "snr.csv")[0]["snr"]) == pytest.approx(30, abs=1e-3)


def replace(folder, name, wave, sample_rate=SAMPLE_RATE):
    (folder / name).unlink(missing_ok=True)
    audio.write(folder / name, wave, sample_rate)


def not_a_number(folder, wave):
    (folder / "b.flac").unlink()
    audio.write(folder / "b.wav", wave * np.nan, SAMPLE_RATE, subtype="FLOAT")


# mistake -> a function of (references, estimates, wave) that makes it, and words of the message
MISTAKES = {
    "an estimate is missing": (
        lambda references, estimates, wave: replace(references, "p225/z.wav", wave),
        ["upsampled", "1 recordings have no counterpart", "p225/z"],
    ),
    "a reference is missing": (
        lambda references, estimates, wave: replace(estimates, "p225/z.wav", wave),
        ["clean", "no counterpart", "p225/z"],
    ),
    "a name appears twice": (
        lambda references, estimates, wave: replace(references, "b.flac", wave),
        ["b.wav", "b.flac", "same name"],
    ),
    "rates differ": (
        lambda references, estimates, wave: replace(estimates, "b.flac", wave, 16000),
        ["b:", "16000 Hz", "8000 Hz"],
    ),
    "lengths differ": (
        lambda references, estimates, wave: replace(estimates, "b.flac", wave[:3990]),
        ["b:", "10 samples shorter", "3990 against 4000"],
    ),
    "channels differ": (
        lambda references, estimates, wave: replace(
            estimates, "b.flac", np.stack([wave, wave], axis=1)
        ),
        ["b:", "(4000, 1)", "(4000, 2)"],
    ),
    "an estimate comes late": (
        lambda references, estimates, wave: replace(estimates, "b.flac", np.roll(wave, 7)),
        ["b:", "7 samples late", "--align"],
    ),
    "an estimate is not a number": (
        lambda references, estimates, wave: not_a_number(estimates, wave),
        ["b:", "estimate holds values that are not finite"],
    ),
    "a file is not audio": (
        lambda references, estimates, wave: (estimates / "b.flac").write_bytes(b"text"),
        ["b.flac", "not readable as audio"],
    ),
    "a file is empty": (
        lambda references, estimates, wave: replace(estimates, "b.flac", wave[:0]),
        ["b.flac", "empty"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_error_is_one_line_and_nothing_is_written(
    folders, tmp_path, noise, run, error_line, mistake
):
    spoil, words = MISTAKES[mistake]
    spoil(*folders, noise(4000))
    code, _, err = run("snr", *folders, tmp_path / "out" / "snr.csv")
    assert code == 1
    assert all(word in error_line(err) for word in words), err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--references=nowhere"], ["nowhere", "no such folder"]),
        (["--output=scores.txt"], ["scores.txt", ".csv"]),
        (["--metric=lsd_hf"], ["lsd_hf", "--cutoff_hz"]),
        (["--cutoff_hz=4000"], ["4000 Hz", "empty band"]),
        (["--metric=lsd_best"], ["lsd_best", "lsd_kuleshov"]),
    ],
)
def test_a_wrong_flag_is_named(folders, tmp_path, run, error_line, flags, words):
    code, _, err = run("lsd", *folders, tmp_path / "out" / "lsd.csv", *flags)
    assert code != 0
    assert all(word in error_line(err) for word in words), err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_hidden_files_has_no_recordings(folders, tmp_path, noise, run):
    audio.write(tmp_path / "empty" / "._b.wav", noise(100), SAMPLE_RATE)
    code, _, err = run("snr", folders[0], tmp_path / "empty", tmp_path / "out" / "snr.csv")
    assert code == 1
    assert "no recordings here" in err


def test_alignment_undoes_delays_and_cuts_to_the_common_length(folders, tmp_path, noise, run, rows):
    _, estimates = folders
    replace(estimates, "b.flac", np.concatenate([np.zeros(7), 0.9 * noise(4000, 0)]))
    replace(estimates, "p225/a.flac", 0.9 * noise(4000, 1)[5:])
    code, out, err = run("snr", *folders, tmp_path / "snr.csv", "--align", "--metric=snr")
    assert code == 0, err
    table = rows(tmp_path / "snr.csv")
    assert [int(row["delay_samples"]) for row in table] == [7, -5, 0]
    assert [float(row["snr"]) for row in table[:2]] == pytest.approx([20, 20], abs=0.01)
    assert "2 of 3 estimates were delayed, by -5 to 7 samples" in out
    assert json.loads((tmp_path / "snr.json").read_text())["align"] is True


def test_a_metric_that_does_not_apply_is_reported_with_the_reason(tmp_path, noise, run, rows):
    references, estimates = tmp_path / "clean", tmp_path / "upsampled"
    for name, sample_rate, seconds in (("a", 22050, 1), ("b", 22050, 1), ("short", 16000, 0.1)):
        wave = noise(round(seconds * sample_rate))
        audio.write(references / f"{name}.wav", wave, sample_rate)
        audio.write(estimates / f"{name}.wav", 0.5 * wave, sample_rate)
    flags = ["--metric=pesq", "--metric=stoi"]
    code, out, err = run("quality", references, estimates, tmp_path / "quality.csv", *flags)
    assert code == 0, err
    assert "does not apply  " in out
    assert "WB-PESQ does not apply to 2 of 3 files: it needs 16000 Hz, not 22050 Hz" in out
    assert "STOI does not apply to 1 of 3 files" in out
    table = rows(tmp_path / "quality.csv")
    assert [row["pesq"] for row in table] == ["nan"] * 3
    assert [float(row["stoi"]) for row in table[:2]] == pytest.approx([1, 1])
    summary = json.loads((tmp_path / "quality.json").read_text())
    assert summary["not_applicable"]["pesq"]["it needs 16000 Hz, not 22050 Hz"] == 2
    assert summary["metrics"]["pesq"]["files"] == 0


def test_a_missing_package_is_one_line_that_says_how_to_install_it(
    folders, tmp_path, run, error_line, monkeypatch
):
    monkeypatch.setitem(sys.modules, "pystoi", None)
    code, _, err = run("quality", *folders, tmp_path / "out" / "quality.csv", "--metric=stoi")
    assert code == 1
    assert error_line(err).startswith("error: STOI needs the package pystoi")
    assert "pip install '.[evaluate]'" in err
    assert not (tmp_path / "out").exists()


def test_every_metric_is_a_choice_of_one_command():
    choices = {
        "snr": metrics.wave.METRICS,
        "lsd": metrics.spectral.METRICS | metrics.phase.METRICS,
        "quality": metrics.perceptual.METRICS,
    }
    assert {name for table in choices.values() for name in table} == set(metrics.METRICS)
    for command, table in choices.items():
        # absl breaks long lists anywhere.
        assert f"<{'|'.join(table)}>" in "".join(COMMANDS[command].help().split())
