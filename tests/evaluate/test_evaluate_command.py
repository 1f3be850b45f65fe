"""wideband-evaluate: a run beside its baselines on the test split, and the report of it."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from wideband.command import UserError
from wideband.data_gen import dataset as shards
from wideband.data_gen import degrade
from wideband.evaluate import evaluation as systems
from wideband.evaluate import metrics
from wideband.upsample import Upsampler


def evaluate(*flags):
    command = [sys.executable, "-m", "wideband.evaluate", *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def evaluated(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(run, folder)
    done = evaluate(f"--run={folder}", f"--recordings={folder / 'recordings'}")
    assert done.returncode == 0, done.stderr
    return folder, done


def rows(folder):
    with (folder / "evaluation.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_recording_is_measured_for_every_system(evaluated):
    table = rows(evaluated[0])
    assert {(row["name"], row["system"]) for row in table} == {
        (f"test0.{suffix}", system)
        for suffix in ("wav", "flac")
        for system in ("spline", "sinc", "audiounet")
    }
    assert len(table) == 6


def test_the_numbers_are_those_of_the_wave_degraded_and_upsampled(evaluated, data):
    """Independently of the shards' low side: from the reference alone."""
    folder, _ = evaluated
    model = Upsampler.from_run(folder)
    for example in shards.read(shards.files(data, "test")):
        low = degrade.decimate(example.high, 4)
        estimates = {
            "spline": Upsampler("spline", 16000, 4).upsample(low, 4000)[0],
            "audiounet": model.upsample(low, 4000)[0],
        }
        for system, estimate in estimates.items():
            row = next(
                row
                for row in rows(folder)
                if row["name"] == example.name and row["system"] == system
            )
            expected = {
                "snr": metrics.snr(example.high, estimate),
                "lsd": metrics.lsd(example.high, estimate),
                "lsd_hf": metrics.lsd_hf(example.high, estimate, 2000, 16000),
            }
            for name, value in expected.items():
                assert float(row[name]) == pytest.approx(value, rel=1e-3)


def test_means_and_intervals_are_saved(evaluated):
    folder, done = evaluated
    summary = json.loads((folder / "evaluation.json").read_text())
    values = [float(row["lsd"]) for row in rows(folder) if row["system"] == "audiounet"]
    mean = summary["systems"]["audiounet"]["lsd"]
    assert mean["mean"] == pytest.approx(np.mean(values))
    assert mean["low"] <= mean["mean"] <= mean["high"]
    assert f"{mean['mean']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]" in done.stdout


def test_the_last_line_says_where_to_look_and_listen(evaluated):
    folder, done = evaluated
    assert done.stdout.splitlines()[-1] == f"look and listen: {folder / 'report.html'}"


def test_the_report_needs_nothing_outside_itself(evaluated):
    page = (evaluated[0] / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    # Two recordings, each as low, spline, audiounet and reference.
    assert page.count("<audio") == 8
    assert page.count("data:audio/flac;base64,") == 8
    assert "spline" in page
    assert "wideband-prepare --split=speaker --corpus=folder" in page
    assert "wideband-train --recipe=demo" in page
    assert "wideband-evaluate --run=" in page
    assert (evaluated[0] / "spectrograms.png").read_bytes().startswith(b"\x89PNG")


def test_saved_recordings_give_the_same_numbers_by_the_separate_script(evaluated, tmp_path):
    folder, _ = evaluated
    command = [
        *(sys.executable, "-m", "wideband.evaluate.lsd"),
        f"--references={folder / 'recordings' / 'reference'}",
        f"--estimates={folder / 'recordings' / 'audiounet'}",
        f"--output={tmp_path / 'lsd.csv'}",
        "--convention=lsd",
    ]
    subprocess.run(command, check=True, capture_output=True)
    with (tmp_path / "lsd.csv").open(newline="") as file:
        by_script = {row["name"]: float(row["lsd"]) for row in csv.DictReader(file)}
    by_run = {
        row["name"].removesuffix(".wav"): float(row["lsd"])
        for row in rows(folder)
        if row["system"] == "audiounet"
    }
    assert by_script == pytest.approx(by_run, rel=1e-5)


def test_saved_recordings_are_whole_and_none_replaces_another(evaluated):
    saved = sorted((evaluated[0] / "recordings" / "spline").iterdir())
    assert [path.name for path in saved] == ["test0.flac.wav", "test0.wav"]
    for path in saved:
        wave, sample_rate = soundfile.read(path)
        assert (len(wave), sample_rate) == (8192, 16000)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--run={tmp}"], "run.json is missing"),
        (["--run={run}", "--data={tmp}"], "no finished dataset"),
        (["--run={run}", "--baselines=cubic"], "cubic: no such run folder"),
        (["--run={run}", "--baselines=speech-2x"], "speech-2x has ratio 2, and"),
        (["--run={run}", "extra"], "'extra'"),
        (["--run={run}", "--tflite={tmp}/audiounet.tflite"], "audiounet.tflite: 'audiounet' is"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_line(run, tmp_path, flags, message):
    (tmp_path / "audiounet.tflite").touch()
    done = evaluate(*(flag.format(run=run, tmp=tmp_path) for flag in flags))
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (run / "report.html").exists()


@pytest.mark.parametrize("name", ["audiounet", "spline", "sinc", "reference", "low"])
def test_a_file_named_as_another_row_is_refused(run, tmp_path, name):
    path = tmp_path / f"{name}.tflite"
    with pytest.raises(UserError, match=rf"{name}\.tflite: '{name}' is .* rename the file"):
        systems.evaluate_run(run, "", exports={name: path})


@pytest.fixture
def speaking(data, tmp_path):
    """The dataset with a text for each recording but the last, and a program that hears one."""
    folder = shutil.copytree(data, tmp_path / "data")
    first, second = shards.read(shards.files(data, "test"))
    long = np.zeros(60 * 16000, np.float32)
    examples = [
        first._replace(text="Hello, world!"),
        second,
        # A piece of a recording whose text is longer than the piece.
        second._replace(name="long.wav", text="hello and more", high=long, low=long[::4]),
    ]
    shards.write(folder / "test-00000.tfrecord", examples)
    program = tmp_path / "hear.py"
    program.write_text("print('hello word')")
    return folder, f"cmd:{sys.executable} {program} {{}}"


def test_words_are_recognized_where_a_recording_has_a_text(run, speaking, tmp_path):
    folder, (data, recognizer) = tmp_path / "run", speaking
    shutil.copytree(run, folder)
    flags = (f"--data={data}", "--wer", f"--recognizer={recognizer}", "--baselines=spline")
    done = evaluate(f"--run={folder}", *flags)
    assert done.returncode == 0, done.stderr
    with (folder / "wer.csv").open(newline="") as file:
        words = list(csv.DictReader(file))
    assert [(row["system"], row["name"]) for row in words] == [
        (system, "test0.wav") for system in ("reference", "spline", "audiounet")
    ]
    assert {(row["reference"], row["hypothesis"]) for row in words} == {
        ("hello world", "hello word")
    }
    record = json.loads((folder / "evaluation.json").read_text())["word_errors"]
    assert record["systems"]["reference"]["wer"] == 0.5
    assert record["recognizer"] == recognizer
    assert "Word error rate" in (folder / "report.html").read_text()
    assert done.stdout.count("0.500 [0.500, 0.500]") == 3


def test_without_texts_there_are_no_words_to_measure(evaluated, speaking):
    done = evaluate(f"--run={evaluated[0]}", "--wer", f"--recognizer={speaking[1]}")
    assert done.returncode == 1
    assert "no recording of the test split has a text" in done.stderr


def test_quality_and_the_kept_low_band_are_measured_where_asked(evaluated, run, data, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    done = evaluate(f"--run={folder}", "--keep_low_band", "--quality", "--baselines=spline")
    assert done.returncode == 0, done.stderr
    table = rows(folder)
    assert {"pesq", "stoi", "visqol_audio", "visqol_speech"} <= set(table[0])
    example = next(iter(shards.read(shards.files(data, "test"))))
    row = next(
        each for each in table if (each["name"], each["system"]) == (example.name, "audiounet")
    )
    estimate, _ = Upsampler.from_run(run).upsample(example.low, 4000, keep_low_band=True)
    assert float(row["snr"]) == pytest.approx(metrics.snr(example.high, estimate), rel=1e-3)
    assert float(row["pesq"]) == pytest.approx(
        metrics.pesq(example.high, estimate, 16000), rel=1e-3
    )
    assert "the recording&#39;s" in (folder / "report.html").read_text()
    assert "the network&#39;s" in (evaluated[0] / "report.html").read_text()
    assert not {"pesq", "stoi"} & set(rows(evaluated[0])[0])


def test_files_for_phones_are_measured_beside_their_run(run, data, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    small = tmp_path / "small.tflite"
    export = [sys.executable, "-m", "wideband.upsample.export", f"--model={run}"]
    subprocess.run([*export, f"--output={small}"], check=True, capture_output=True)
    done = evaluate(f"--run={folder}", f"--tflite=phone={small}", "--baselines=speech-4x")
    assert done.returncode == 0, done.stderr
    table = rows(folder)
    assert {row["system"] for row in table} == {"speech-4x", "phone", "audiounet"}
    for metric in ("snr", "lsd"):
        phone, desk = (
            [float(row[metric]) for row in table if row["system"] == system]
            for system in ("phone", "audiounet")
        )
        np.testing.assert_allclose(phone, desk, rtol=0, atol=1e-3)
    refused = evaluate(f"--run={folder}", f"--tflite={folder / 'run.json'}")
    assert refused.returncode == 1
    assert "run.json: no TFLite file" in refused.stderr
