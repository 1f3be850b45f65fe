"""The commands that compare two folders, run as a user runs them."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from wideband import audio
from wideband.evaluate import metrics

SAMPLE_RATE = 8000


def noise(seed, n=4000, channels=1):
    wave = 0.1 * np.random.default_rng(seed).standard_normal((n, channels))
    return wave.astype(np.float32)


@pytest.fixture
def folders(tmp_path):
    """Three recordings in two formats, with their estimates in another."""
    references, estimates = tmp_path / "clean", tmp_path / "upsampled"
    for seed, name in enumerate(["b.wav", "p225/a.flac", "p226/a.x.wav"]):
        audio.write(references / name, noise(seed), SAMPLE_RATE)
        path = (estimates / name).with_suffix(".flac")
        audio.write(path, (0.9 - 0.1 * seed) * noise(seed), SAMPLE_RATE)
    return references, estimates


def run(command, references, estimates, output, *flags):
    return subprocess.run(
        [
            *[sys.executable, "-m", f"wideband.evaluate.{command}"],
            *[f"--references={references}", f"--estimates={estimates}", f"--output={output}"],
            *flags,
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("command", "flags", "columns"),
    [
        ("snr", [], list(metrics.wave.METRICS)),
        ("snr", ["--convention=snr"], ["snr"]),
        (
            "lsd",
            [],
            ["lsd", "lsd_kuleshov", "lsd_bini", "lsd_frame_ln", "lsd_ssr_eval", "lsd_tfnet"],
        ),
        ("lsd", ["--convention=lsd_tfnet", "--convention=lsd"], ["lsd_tfnet", "lsd"]),
        ("lsd", ["--convention=apd_gd", "--convention=lsd"], ["apd_gd", "lsd"]),
        ("lsd", ["--cutoff_hz=2000"], list(metrics.spectral.METRICS)),
    ],
)
def test_a_command_measures_every_pair_and_summarizes(folders, tmp_path, command, flags, columns):
    references, estimates = folders
    output = tmp_path / "results" / "scores.csv"
    done = run(command, *folders, output, *flags)
    assert done.returncode == 0, done.stderr

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
        assert metric.label in done.stdout
        assert f"{entry['mean']:.{metric.digits}f} [" in done.stdout
    assert (summary["files"], summary["seconds"]) == (3, 1.5)


def test_channels_are_measured_apart(tmp_path):
    references, estimates = tmp_path / "clean", tmp_path / "upsampled"
    stereo = noise(0, channels=2)
    audio.write(references / "a.wav", stereo, SAMPLE_RATE, subtype="FLOAT")
    audio.write(estimates / "a.wav", stereo * [0.9, 0.99], SAMPLE_RATE, subtype="FLOAT")
    done = run("snr", references, estimates, tmp_path / "snr.csv")
    assert done.returncode == 0, done.stderr
    assert float(rows(tmp_path / "snr.csv")[0]["snr"]) == pytest.approx(30, abs=1e-3)


def extra(folder, name="p225/z.wav", wave=None, sample_rate=SAMPLE_RATE):
    audio.write(folder / name, noise(9) if wave is None else wave, sample_rate)


def spoil(folder, name, **changes):
    (folder / name).unlink()
    extra(folder, name, **changes)


def not_a_number(folder):
    (folder / "b.flac").unlink()
    audio.write(folder / "b.wav", noise(0) * np.nan, SAMPLE_RATE, subtype="FLOAT")


MISTAKES = {
    "an estimate is missing": (
        lambda references, estimates: extra(references),
        ["upsampled", "1 recordings have no counterpart", "p225/z"],
    ),
    "a reference is missing": (
        lambda references, estimates: extra(estimates),
        ["clean", "no counterpart", "p225/z"],
    ),
    "a name stands twice": (
        lambda references, estimates: extra(references, "b.flac"),
        ["b.wav", "b.flac", "same name"],
    ),
    "rates differ": (
        lambda references, estimates: spoil(estimates, "b.flac", sample_rate=16000),
        ["b:", "16000 Hz", "8000 Hz"],
    ),
    "lengths differ": (
        lambda references, estimates: spoil(estimates, "b.flac", wave=noise(0, n=3990)),
        ["b:", "10 samples shorter", "3990 against 4000"],
    ),
    "channels differ": (
        lambda references, estimates: spoil(estimates, "b.flac", wave=noise(0, channels=2)),
        ["b:", "(4000, 1)", "(4000, 2)"],
    ),
    "an estimate comes late": (
        lambda references, estimates: spoil(estimates, "b.flac", wave=np.roll(noise(0), 7, axis=0)),
        ["b:", "7 samples late", "--align"],
    ),
    "an estimate is not a number": (
        lambda references, estimates: not_a_number(estimates),
        ["b:", "estimate holds values that are not finite"],
    ),
    "a file is not audio": (
        lambda references, estimates: (estimates / "b.flac").write_bytes(b"text"),
        ["b.flac", "not readable as audio"],
    ),
    "a file is empty": (
        lambda references, estimates: spoil(estimates, "b.flac", wave=noise(0, n=0)),
        ["b.flac", "empty"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_one_line_and_no_file(folders, tmp_path, mistake):
    make, words = MISTAKES[mistake]
    make(*folders)
    done = run("snr", *folders, tmp_path / "out" / "snr.csv")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--references=nowhere"], ["nowhere", "no such folder"]),
        (["--output=scores.txt"], ["scores.txt", ".csv"]),
        (["--convention=lsd_hf"], ["lsd_hf", "--cutoff_hz"]),
        (["--cutoff_hz=4000"], ["4000 Hz", "empty band"]),
        (["--convention=lsd_best"], ["lsd_best", "lsd_kuleshov"]),
        (["--refrences=x"], ["refrences"]),
        (["clean"], ["unexpected argument 'clean'"]),
    ],
)
def test_a_wrong_flag_is_named(folders, tmp_path, flags, words):
    done = run("lsd", *folders, tmp_path / "out" / "lsd.csv", *flags)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_and_hidden_files_hold_no_recordings(folders, tmp_path):
    references, _ = folders
    (tmp_path / "empty").mkdir()
    audio.write(tmp_path / "empty" / "._b.wav", noise(0), SAMPLE_RATE)
    done = run("snr", references, tmp_path / "empty", tmp_path / "out" / "snr.csv")
    assert done.returncode == 1
    assert "no recordings here" in done.stderr


def test_aligned_pairs_lose_their_delay_and_what_they_do_not_share(folders, tmp_path):
    _, estimates = folders
    spoil(estimates, "b.flac", wave=np.vstack([np.zeros((7, 1)), 0.9 * noise(0)]))
    spoil(estimates, "p225/a.flac", wave=0.9 * noise(1)[5:])
    done = run("snr", *folders, tmp_path / "snr.csv", "--align", "--convention=snr")
    assert done.returncode == 0, done.stderr
    table = rows(tmp_path / "snr.csv")
    assert [int(row["delay_samples"]) for row in table] == [7, -5, 0]
    assert [float(row["snr"]) for row in table[:2]] == pytest.approx([20, 20], abs=0.01)
    assert "2 of 3 estimates were delayed, by -5 to 7 samples" in done.stdout
    assert json.loads((tmp_path / "snr.json").read_text())["align"] is True


def test_a_metric_that_does_not_apply_is_told_in_the_table(tmp_path):
    references, estimates = tmp_path / "clean", tmp_path / "upsampled"
    for name, sample_rate, seconds in (("a", 22050, 1), ("b", 22050, 1), ("short", 16000, 0.1)):
        wave = noise(0, n=round(seconds * sample_rate))
        audio.write(references / f"{name}.wav", wave, sample_rate)
        audio.write(estimates / f"{name}.wav", 0.5 * wave, sample_rate)
    flags = ["--convention=pesq", "--convention=stoi"]
    done = run("quality", references, estimates, tmp_path / "quality.csv", *flags)
    assert done.returncode == 0, done.stderr
    assert "does not apply  " in done.stdout
    assert "WB-PESQ does not apply to 2 of 3 files: it needs 16000 Hz, not 22050 Hz" in done.stdout
    assert "STOI does not apply to 1 of 3 files" in done.stdout
    table = rows(tmp_path / "quality.csv")
    assert [row["pesq"] for row in table] == ["nan"] * 3
    assert [float(row["stoi"]) for row in table[:2]] == pytest.approx([1, 1])
    summary = json.loads((tmp_path / "quality.json").read_text())
    assert summary["not_applicable"]["pesq"]["it needs 16000 Hz, not 22050 Hz"] == 2
    assert summary["metrics"]["pesq"]["files"] == 0


def test_a_missing_package_gets_one_line_that_says_how_to_install_it(folders, tmp_path):
    """In a Python that has no such package, as after `pip install wideband`."""
    script = (
        "import runpy, sys\n"
        "sys.modules['pystoi'] = None\n"
        f"sys.argv = ['quality', '--references={folders[0]}', '--estimates={folders[1]}',\n"
        f"    '--output={tmp_path / 'out' / 'quality.csv'}', '--convention=stoi']\n"
        "runpy.run_module('wideband.evaluate.quality', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: STOI needs the package pystoi")
    assert "pip install 'wideband[evaluate]'" in done.stderr
    assert not (tmp_path / "out").exists()


TABLES = {
    "snr": metrics.wave.METRICS,
    "lsd": metrics.spectral.METRICS | metrics.phase.METRICS,
    "quality": metrics.perceptual.METRICS,
}


def test_every_metric_has_its_command():
    assert {name for table in TABLES.values() for name in table} == set(metrics.METRICS)


@pytest.mark.parametrize("command", TABLES)
def test_help_names_the_conventions(command):
    done = subprocess.run(
        [sys.executable, "-m", f"wideband.evaluate.{command}", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    # Long lists are broken anywhere after a bar.
    told = "".join(done.stdout.split())
    assert f"<{'|'.join(TABLES[command])}>" in told
