"""Several systems on the same references, through the command."""

import json

import numpy as np
import pytest
from wideband import audio
from wideband.evaluate import compare, metrics

SAMPLE_RATE = 8000
NAMES = [f"p{speaker}/{number}" for speaker in range(1, 5) for number in range(3)]


@pytest.fixture
def folders(tmp_path, noise, monkeypatch):
    """References, and estimates whose errors vary much with the file and little with the system."""
    rng = np.random.default_rng(0)
    for seed, name in enumerate(NAMES):
        clean = noise(2000, seed)
        error = noise(2000, 100 + seed) * 10 ** rng.uniform(-2, 0)
        for system, factor in (
            ("clean", 0),
            ("first", 1),
            ("worse", 1.1 + 0.02 * rng.uniform()),
            ("even", 1 + 0.1 * rng.choice([-1, 1])),
        ):
            path = tmp_path / system / f"{name}.wav"
            audio.write(path, clean + factor * error, SAMPLE_RATE, "FLOAT")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folders, call):
    """Returns a function that runs the command: (exit code, output, error)."""

    def run(*arguments):
        flags = ["--references=clean", "--output=out/compare.csv"]
        return call(compare.command, *flags, *arguments)

    return run


def read_summary(folder):
    return json.loads((folder / "out" / "compare.json").read_text(), parse_constant=pytest.fail)


def test_systems_are_measured_and_real_differences_are_found(folders, run, rows):
    code, out, err = run("first", "new=worse", "even")
    assert code == 0, err

    systems = {"first": "first", "new": "worse", "even": "even"}
    table = rows(folders / "out" / "compare.csv")
    columns = [f"{metric}:{system}" for metric in ("snr", "lsd") for system in systems]
    assert list(table[0]) == ["name", "sample_rate", "seconds", *columns]
    assert [row["name"] for row in table] == NAMES
    for row in table:
        for system, folder in systems.items():
            clean, estimate = (
                audio.read(folders / each / f"{row['name']}.wav")[0] for each in ("clean", folder)
            )
            for metric in ("snr", "lsd"):
                expected = metrics.METRICS[metric].function(clean, estimate)
                assert float(row[f"{metric}:{system}"]) == expected

    summary = read_summary(folders)
    values = {name: np.array([float(row[name]) for row in table]) for name in columns}
    for system in systems:
        mean = summary["systems"][system]["snr"]["mean"]
        assert mean == pytest.approx(values[f"snr:{system}"].mean())
        assert f"{mean:.2f} [" in out
    found = {(each["metric"], each["second"]): each for each in summary["differences"]}
    assert list(found) == [("snr", "new"), ("snr", "even"), ("lsd", "new"), ("lsd", "even")]
    difference = found["snr", "new"]
    per_file = values["snr:new"] - values["snr:first"]
    assert difference["mean"] == pytest.approx(per_file.mean())
    assert per_file.min() <= difference["low"] < difference["high"] <= per_file.max() < 0
    # The errors of the files differ by 20 dB: the intervals of the means would hide this.
    means = [summary["systems"][system]["snr"] for system in ("first", "new")]
    assert means[0]["low"] < means[1]["mean"] < means[0]["high"]
    assert difference["verdict"] == "first better"
    assert found["snr", "even"]["verdict"] == "no real difference"
    lines = [line for line in out.splitlines() if "new - first" in line]
    assert [line.split("]")[1].split()[:2] for line in lines] == [["first", "better"]] * 2
    assert f"{difference['mean']:+.2f} [" in lines[0]


def test_the_bootstrap_can_draw_folders(folders, run):
    flags = ["first", "worse", "--metric=snr"]
    run(*flags)
    by_file = read_summary(folders)
    code, _, err = run(*flags, "--resample=folder")
    assert code == 0, err
    by_folder = read_summary(folders)
    assert (by_file["groups"], by_folder["groups"]) == (None, 4)
    one, other = (each["systems"]["first"]["snr"] for each in (by_file, by_folder))
    assert one["mean"] == other["mean"]
    assert (one["low"], one["high"]) != (other["low"], other["high"])
    assert by_folder["differences"][0]["verdict"] == "too few groups to tell"


def test_all_pairs_can_be_compared(folders, run):
    run("first", "worse", "even", "--metric=snr", "--all_pairs")
    pairs = [(each["first"], each["second"]) for each in read_summary(folders)["differences"]]
    assert pairs == [("first", "worse"), ("first", "even"), ("worse", "even")]


def test_systems_are_measured_against_each_other(folders, run):
    # Left out, since the third system lacks it.
    (folders / "even" / "p1" / "0.wav").unlink()
    code, out, _ = run("first", "worse", "even", "--mutual", "--metric=snr", "--metric=mse")
    assert code == 1
    mutual = read_summary(folders)["mutual"]
    assert list(mutual) == ["worse against first", "even against first", "even against worse"]
    for title, metric in ((title, metric) for title in mutual for metric in ("snr", "mse")):
        estimate, reference = title.split(" against ")
        values = []
        for name in NAMES[1:]:
            waves = [
                audio.read(folders / each / f"{name}.wav")[0] for each in (reference, estimate)
            ]
            values.append(metrics.METRICS[metric].function(*waves))
        found = mutual[title][metric]
        assert (found["mean"], found["files"]) == (pytest.approx(np.mean(values)), len(values))
    header = next(line for line in out.splitlines() if "worse against first" in line)
    assert "even against worse" in header
    run("first", "worse")
    assert "mutual" not in read_summary(folders)


def test_the_first_recording_is_drawn(folders, run, monkeypatch):
    from wideband.evaluate import figures

    drawn = []
    original = figures.spectrograms
    monkeypatch.setattr(
        figures, "spectrograms", lambda *a, **k: drawn.append((a, k)) or original(*a, **k)
    )
    code, _, err = run("first", "worse", "--spectrograms=out/a.png", "--cutoff_hz=2000")
    assert (code, err) == (0, "")
    assert (folders / "out" / "a.png").read_bytes().startswith(b"\x89PNG")
    (((waves, sample_rate), options),) = drawn
    assert (list(waves), sample_rate) == (["first", "worse", "reference"], SAMPLE_RATE)
    assert options == {"cutoff_hz": 2000}
    for folder, wave in zip(("first", "worse", "clean"), waves.values(), strict=True):
        np.testing.assert_array_equal(wave, audio.read(folders / folder / "p1" / "0.wav")[0][:, 0])


def test_a_file_that_is_perfect_for_one_system_is_left_out_for_all(folders, run, rows):
    clean, sample_rate = audio.read(folders / "clean" / "p1" / "0.wav")
    audio.write(folders / "worse" / "p1" / "0.wav", clean, sample_rate, "FLOAT")
    run("first", "worse", "--metric=snr")
    table = rows(folders / "out" / "compare.csv")
    assert table[0]["snr:worse"] == "inf"
    summary = read_summary(folders)
    for system in ("first", "worse"):
        values = [float(row[f"snr:{system}"]) for row in table[1:]]
        assert summary["systems"][system]["snr"]["mean"] == pytest.approx(np.mean(values))
    counts = summary["differences"][0]
    assert (counts["files"], counts["left_out"]) == (11, 1)


def test_a_cutoff_adds_the_bands_on_either_side(folders, run):
    run("first", "worse", "--cutoff_hz=2000")
    expected = ["snr", "lsd", "lsd_lf", "lsd_hf"]
    assert list(read_summary(folders)["systems"]["first"]) == expected


def test_a_file_that_cannot_be_measured_for_one_system_is_left_out_for_all(
    folders, run, noise, rows, error_line
):
    (folders / "even" / "p1" / "0.wav").unlink()
    audio.write(folders / "worse" / "p4" / "2.wav", noise(1990), SAMPLE_RATE, "FLOAT")
    code, out, err = run("first", "worse", "even")
    assert code == 1
    assert "2 left out, the first: p1/0: has no counterpart in even" in error_line(err)
    assert [row["name"] for row in rows(folders / "out" / "compare.csv")] == NAMES[1:-1]
    summary = read_summary(folders)
    assert summary["files"] == len(NAMES) - 2
    assert list(summary["left_out"]) == ["p1/0", "p4/2"]
    assert summary["left_out"]["p4/2"].startswith("worse: the estimate is 10 samples shorter")
    assert "left out: p1/0: " in out and "left out: p4/2: " in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["first"], ["1 folder of estimates", "NAME=FOLDER"]),
        (["first", "nowhere"], ["nowhere: there is no such folder"]),
        (["first", "first"], ["'first'", "NAME=PATH"]),
        (["first", "worse", "--metric=lsd_hf"], ["lsd_hf", "--cutoff_hz"]),
        (["first", "worse", "--output=out/a.txt"], ["a.txt", ".csv"]),
        (["first", "worse", "--spectrograms=out/a.jpg"], ["a.jpg", ".png"]),
        (["first", "worse", "--seed=-1"], ["--seed=-1", "from 0"]),
    ],
)
def test_an_error_is_one_line_and_nothing_is_written(folders, run, error_line, arguments, words):
    code, _, err = run(*arguments)
    assert code in (1, 2)
    assert all(word in error_line(err) for word in words), err
    assert not (folders / "out").exists()
