"""snr, lsd and quality: the commands that measure a folder of estimates."""

import errno
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
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
            [
                "lsd",
                "lsd_band",
                "lsd_kuleshov",
                "lsd_bini",
                "lsd_frame_ln",
                "lsd_ssr_eval",
                "lsd_tfnet",
            ],
        ),
        ("lsd", ["--metric=apd_gd", "--metric=lsd"], ["apd_gd", "lsd"]),
        ("lsd", ["--cutoff_hz=2000"], [*metrics.spectral.METRICS, *metrics.level.METRICS]),
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
    soundfile.write(folder / "b.wav", wave * np.nan, SAMPLE_RATE, "FLOAT")


def no_samples(folder):
    (folder / "b.flac").unlink()
    soundfile.write(folder / "b.wav", np.zeros(0), SAMPLE_RATE)


# mistake -> a function of (references, estimates, wave) that makes it, the recording that is left
# out, and words of the reason
MISTAKES = {
    "an estimate is missing": (
        lambda references, estimates, wave: replace(references, "p225/z.wav", wave),
        "p225/z",
        ["no counterpart", "upsampled"],
    ),
    "a reference is missing": (
        lambda references, estimates, wave: replace(estimates, "p225/z.wav", wave),
        "p225/z",
        ["no counterpart", "clean"],
    ),
    "a name appears twice": (
        lambda references, estimates, wave: replace(references, "b.flac", wave),
        "b",
        ["b.flac", "b.wav", "same name"],
    ),
    "rates differ": (
        lambda references, estimates, wave: replace(estimates, "b.flac", wave, 16000),
        "b",
        ["16000 Hz", "8000 Hz"],
    ),
    "lengths differ": (
        lambda references, estimates, wave: replace(estimates, "b.flac", wave[:3990]),
        "b",
        ["10 samples shorter", "3990 against 4000"],
    ),
    "channels differ": (
        lambda references, estimates, wave: replace(
            estimates, "b.flac", np.stack([wave, wave], axis=1)
        ),
        "b",
        ["(4000, 1)", "(4000, 2)"],
    ),
    "an estimate comes late": (
        lambda references, estimates, wave: replace(estimates, "b.flac", np.roll(wave, 7)),
        "b",
        ["7 samples late", "--align"],
    ),
    "an estimate is not a number": (
        lambda references, estimates, wave: not_a_number(estimates, wave),
        "b",
        ["estimate holds values that are not finite"],
    ),
    "a file is not audio": (
        lambda references, estimates, wave: (estimates / "b.flac").write_bytes(b"text"),
        "b",
        ["b.flac", "not readable as audio"],
    ),
    "a file is empty": (
        lambda references, estimates, wave: no_samples(estimates),
        "b",
        ["0 against 4000"],
    ),
    "a format cannot be read": (
        lambda references, estimates, wave: (estimates / "b.flac").rename(estimates / "b.m4a"),
        "b",
        ["b.m4a", "ffmpeg"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_recording_that_cannot_be_measured_is_left_out_by_name(
    folders, tmp_path, noise, run, rows, error_line, mistake
):
    spoil, name, words = MISTAKES[mistake]
    spoil(*folders, noise(4000))
    code, out, err = run("snr", *folders, tmp_path / "snr.csv")
    assert code == 1
    assert error_line(err).startswith(f"error: 1 left out, {name}: ")
    [line] = [each for each in out.splitlines() if each.startswith("left out: ")]
    summary = json.loads((tmp_path / "snr.json").read_text())
    assert list(summary["left_out"]) == [name]
    for text in (err, line, summary["left_out"][name]):
        assert all(word in text for word in words), text
    others = [each for each in ("b", "p225/a", "p226/a.x") if each != name]
    assert [row["name"] for row in rows(tmp_path / "snr.csv")] == others
    assert summary["files"] == len(others)


def test_recordings_that_are_left_out_for_one_reason_share_a_line(folders, tmp_path, noise, run):
    for number in range(7):
        audio.write(folders[0] / f"{number}.wav", noise(4000), SAMPLE_RATE)
    code, out, _ = run("snr", *folders, tmp_path / "snr.csv")
    assert code == 1
    [line] = [each for each in out.splitlines() if each.startswith("left out: ")]
    assert line.startswith("left out: 7 recordings: 0, 1, 2, 3, 4, ...: has no counterpart in ")
    assert len(json.loads((tmp_path / "snr.json").read_text())["left_out"]) == 7


def test_a_file_in_a_format_that_cannot_be_read_is_ignored_next_to_one_that_can(
    folders, tmp_path, run
):
    (folders[0] / "b.m4a").touch()
    code, _, err = run("snr", *folders, tmp_path / "snr.csv")
    assert (code, err) == (0, "")


def test_nothing_is_written_if_nothing_can_be_measured(folders, tmp_path, run, error_line):
    for path in folders[1].rglob("*.flac"):
        path.write_bytes(b"text")
    code, out, err = run("snr", *folders, tmp_path / "out" / "snr.csv")
    assert (code, out) == (1, "")
    assert "nothing is left to measure: 3 left out, the first: b: " in error_line(err)
    assert not (tmp_path / "out").exists()


def test_folders_without_a_name_in_common_are_refused(tmp_path, noise, run, error_line):
    audio.write(tmp_path / "clean" / "a.wav", noise(100), SAMPLE_RATE)
    audio.write(tmp_path / "upsampled" / "a_wideband.wav", noise(100), SAMPLE_RATE)
    code, _, err = run("snr", tmp_path / "clean", tmp_path / "upsampled", tmp_path / "snr.csv")
    assert code == 1
    assert "(a and a_wideband)" in error_line(err)


def test_results_that_cannot_be_written_are_shown(folders, tmp_path, run, error_line, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    code, out, err = run("snr", *folders, tmp_path / "snr.csv", "--metric=snr")
    assert code == 1
    assert "SNR, dB, higher is better" in out
    assert "snr.csv: cannot be written: No space left on device; free" in error_line(err)
    assert not list(tmp_path.glob("snr.*"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--references=nowhere"], ["nowhere", "no such folder"]),
        (["--output=scores.txt"], ["scores.txt", ".csv"]),
        (["--output={references}/b.wav/lsd.csv"], ["b.wav is not a folder"]),
        (["--references="], ["--references"]),
        (["--metric=lsd_hf"], ["lsd_hf", "--cutoff_hz"]),
        (["--seed=-1"], ["--seed=-1", "from 0"]),
        (["--cutoff_hz=nan"], ["--cutoff_hz=nan"]),
        (["--cutoff_hz=4000"], ["4000 Hz", "empty band"]),
        (["--metric=lsd_best"], ["lsd_best", "lsd_kuleshov"]),
    ],
)
def test_a_wrong_flag_is_named(folders, tmp_path, run, error_line, flags, words):
    flags = [flag.format(references=folders[0]) for flag in flags]
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
    for name, sample_rate, seconds in (("a", 8000, 1), ("b", 8000, 1), ("short", 16000, 0.1)):
        wave = noise(round(seconds * sample_rate))
        audio.write(references / f"{name}.wav", wave, sample_rate)
        audio.write(estimates / f"{name}.wav", 0.5 * wave, sample_rate)
    flags = ["--metric=pesq", "--metric=stoi"]
    code, out, err = run("quality", references, estimates, tmp_path / "quality.csv", *flags)
    assert code == 0, err
    assert "does not apply  " in out
    assert "WB-PESQ does not apply to 2 of 3 files: it needs at least 16000 Hz, not 8000 Hz" in out
    assert "STOI does not apply to 1 of 3 files" in out
    table = rows(tmp_path / "quality.csv")
    assert [row["pesq"] for row in table] == ["nan"] * 3
    assert [float(row["stoi"]) for row in table[:2]] == pytest.approx([1, 1])
    summary = json.loads((tmp_path / "quality.json").read_text())
    assert summary["not_applicable"]["pesq"]["it needs at least 16000 Hz, not 8000 Hz"] == 2
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
        "lsd": metrics.spectral.METRICS | metrics.level.METRICS | metrics.phase.METRICS,
        "quality": metrics.perceptual.METRICS,
    }
    assert {name for table in choices.values() for name in table} == set(metrics.METRICS)
    for command, table in choices.items():
        # absl breaks long lists anywhere.
        assert f"<{'|'.join(table)}>" in "".join(COMMANDS[command].help().split())
