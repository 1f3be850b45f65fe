"""wideband-evaluate: a run next to baselines on the test split, and its report."""

import contextlib
import io
import json
import shutil
import sys
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from wideband.data_gen import degrade, layout, shards
from wideband.data_gen.dataset import Dataset
from wideband.evaluate import lsd, metrics
from wideband.evaluate.__main__ import command
from wideband.models import pretrained
from wideband.models.record import Record
from wideband.upsample import load

# Whole evaluations.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def evaluated(run, tmp_path_factory):
    """A run folder after the command, and what the command printed."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("evaluated") / "run")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = command([f"--run={folder}", f"--save_recordings={folder / 'recordings'}"])
    assert code == 0
    return folder, out.getvalue()


def test_every_recording_is_measured_for_every_system(evaluated, rows):
    table = rows(evaluated[0] / "evaluation.csv")
    assert {(row["name"], row["system"]) for row in table} == {
        (f"test0.{suffix}", system)
        for suffix in ("wav", "flac")
        for system in ("spline", "sinc", "audiounet")
    }
    assert len(table) == 6


def test_the_numbers_are_those_of_the_wave_degraded_and_upsampled(evaluated, data, rows):
    """The reference is degraded here again, without the low side of the shards."""
    folder, _ = evaluated
    table = {(row["name"], row["system"]): row for row in rows(folder / "evaluation.csv")}
    systems = {"spline": load("spline"), "audiounet": load(folder)}
    for example in Dataset(data).examples("test"):
        low = degrade.decimate(example.high, 4)
        for system, upsampler in systems.items():
            estimate, _ = upsampler.upsample(low, 4000, keep_low_band=False)
            expected = {
                "snr": metrics.snr(example.high, estimate),
                "lsd": metrics.lsd(example.high, estimate),
                "lsd_hf": metrics.lsd_hf(example.high, estimate, 2000, 16000),
                "level_hf_loud": metrics.level_hf_loud(example.high, estimate, 2000, 16000),
            }
            for name, value in expected.items():
                row = table[example.name, system]
                assert float(row[name]) == pytest.approx(value, rel=1e-3)


def test_means_and_intervals_are_written_and_printed(evaluated, rows):
    folder, out = evaluated
    summary = json.loads((folder / "evaluation.json").read_text())
    table = rows(folder / "evaluation.csv")
    values = [float(row["lsd"]) for row in table if row["system"] == "audiounet"]
    mean = summary["systems"]["audiounet"]["lsd"]
    assert mean["mean"] == pytest.approx(np.mean(values))
    assert mean["low"] <= mean["mean"] <= mean["high"]
    cell = f"{mean['mean']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]"
    assert cell in out and cell in (folder / "evaluation.md").read_text()
    assert out.splitlines()[-1] == f"look and listen: {folder / 'report.html'}"


def test_the_report_is_one_file_with_sound_and_commands(evaluated):
    page = (evaluated[0] / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    # Two recordings, each as low, spline, audiounet and reference.
    assert page.count("<audio") == 8
    assert page.count("data:audio/flac;base64,") == 8
    assert "wideband-prepare --corpus=folder --split_rule=speaker" in page
    assert "wideband-train --recipe=demo" in page
    assert f"wideband-evaluate --run={evaluated[0]}" in page
    assert (evaluated[0] / "spectrograms.png").read_bytes().startswith(b"\x89PNG")


def test_saved_recordings_are_complete_and_none_replaces_another(evaluated):
    saved = sorted((evaluated[0] / "recordings" / "spline").iterdir())
    assert [path.name for path in saved] == ["test0.flac.wav", "test0.wav"]
    for path in saved:
        wave, sample_rate = soundfile.read(path)
        assert (len(wave), sample_rate) == (8192, 16000)


def test_saved_recordings_have_the_same_metrics_in_the_separate_command(
    evaluated, tmp_path, call, rows
):
    folder = evaluated[0] / "recordings"
    paths = [f"--references={folder / 'reference'}", f"--estimates={folder / 'audiounet'}"]
    code, _, err = call(lsd.command, *paths, f"--output={tmp_path / 'lsd.csv'}", "--metric=lsd")
    assert code == 0, err
    separate = {row["name"]: float(row["lsd"]) for row in rows(tmp_path / "lsd.csv")}
    assert separate == pytest.approx(
        {
            row["name"].removesuffix(".wav"): float(row["lsd"])
            for row in rows(evaluated[0] / "evaluation.csv")
            if row["system"] == "audiounet"
        },
        rel=1e-5,
    )


@pytest.mark.usefixtures("plain_spectrograms")
def test_a_shipped_network_and_its_tflite_file_are_measured(data, tmp_path, call, rows):
    file = pretrained.find("speech-4x") / pretrained.TFLITE_FILE
    flags = [f"--data={data}", f"--output={tmp_path / 'report'}", f"--tflite=phone={file}"]
    code, _, err = call(command, "--run=speech-4x", *flags, "--baselines=phone-4x")
    assert code == 0, err
    table = rows(tmp_path / "report" / "evaluation.csv")
    by_system = {
        system: [(row["name"], row["snr"], row["lsd"]) for row in table if row["system"] == system]
        for system in ("phone-4x", "phone", "framenet")
    }
    assert len(table) == 6
    assert by_system["phone"] == by_system["framenet"] != by_system["phone-4x"]
    facts = json.loads((tmp_path / "report" / "evaluation.json").read_text())["facts"]
    assert (facts["model"], facts["ratio"], facts["parameters"]) == ("framenet", 4, None)
    assert (tmp_path / "report" / "report.html").is_file()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--run={tmp}"], ["run.json is missing"]),
        (
            ["--run=speech-4x"],
            ["--run=speech-4x: has no ", "; add --data=DATASET and --output=FOLDER"],
        ),
        (
            ["--run=speech-4x", "--output={tmp}/out"],
            ["--run=speech-4x: has no ", "; add --data=DATASET"],
        ),
        (
            ["--run=speech-4x", "--data={tmp}"],
            ["--run=speech-4x: has no ", "; add --output=FOLDER"],
        ),
        (["--run=spline"], ["spline is an interpolation", "name it with --baselines"]),
        (["--run={run}", "--data={tmp}"], ["no finished dataset"]),
        (["--run={run}", "--baselines=cubic"], ["cubic: no such run folder"]),
        (["--run={run}", "--baselines=speech-2x"], ["speech-2x has ratio 2, and"]),
        (["--run={run}", "--baselines=audiounet"], ["'audiounet'", "NAME=audiounet"]),
        (["--run={run}", "--tflite={tmp}/audiounet.tflite"], ["audiounet.tflite: 'audiounet' is"]),
        (["--run={run}", "--tflite=reference={tmp}/a.tflite"], ["'reference'", "--tflite=NAME="]),
        (["--run={run}", "--tflite=spline={tmp}/audiounet.tflite"], ["'spline'", "--tflite=NAME="]),
        (["--run={run}", "--tflite=..={tmp}/audiounet.tflite"], ["'..'", "relative"]),
        (["--run={run}", "--baselines=..=spline"], ["'..'", "relative"]),
        (["--run={run}", "--baselines=low=spline"], ["'low'", "--baselines=NAME="]),
        (["--run={run}", "--tflite=a={run}/run.json"], ["run.json", "must end in .tflite"]),
        (["--run={run}", "--output={run}/run.json"], ["run.json is not a folder"]),
        (["--run={run}", "--save_recordings={run}/run.json"], ["run.json is not a folder"]),
        (["--run={run}", "--wer"], ["no recording of the test split has a text with words"]),
        (["--run={run}", "--wer", "--recognizer=siri"], ["unknown recognizer 'siri'"]),
        (
            ["--run={run}", "--wer", "--recognizer=whisper", "--whisper_model={tmp}/none"],
            ["none: there is no such folder"],
        ),
        (
            ["--run={run}", "--wer", "--whisper_model={tmp}"],
            ["--whisper_model does not apply to the recognizer pocketsphinx"],
        ),
    ],
)
def test_an_error_is_one_line_and_nothing_is_written(run, tmp_path, call, error_line, flags, words):
    (tmp_path / "audiounet.tflite").touch()
    code, _, err = call(command, *(flag.format(run=run, tmp=tmp_path) for flag in flags))
    assert code == 1
    assert all(word in error_line(err) for word in words), err
    assert not (run / "report.html").exists()
    assert not (tmp_path / "out").exists()


def test_wer_is_refused_if_no_text_has_words(run, data, make_dataset, tmp_path, call, error_line):
    examples = [each._replace(text="...") for each in Dataset(data).examples("test")]
    folder = make_dataset(tmp_path / "data", {"test": examples})
    flags = [f"--data={folder}", f"--output={tmp_path / 'out'}", "--wer", "--recognizer=cmd:cat"]
    code, _, err = call(command, f"--run={run}", *flags)
    assert code == 1
    assert "no recording of the test split has a text with words" in error_line(err)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("plain_spectrograms")
def test_the_ratio_of_rates_may_be_a_quotient(run, make_dataset, noise, tmp_path, call, rows):
    high = noise(441 * 12)
    low = degrade.sinc_down(high, Fraction(441, 160))
    settings = {"sample_rate": 22050, "ratio": "441/160", "protocol": "sinc"}
    examples = [shards.Example("a.wav", "someone", "", 0.0, high, low)]
    data = make_dataset(tmp_path / "data", {"test": examples}, **settings)
    folder = shutil.copytree(run, tmp_path / "run")
    record = Record.read(folder)
    record.recipe.update(settings)
    record.write(folder)
    code, _, err = call(command, f"--run={folder}", f"--data={data}")
    assert code == 0, err
    table = rows(folder / "evaluation.csv")
    assert [row["system"] for row in table] == ["spline", "sinc", "audiounet"]
    assert json.loads((folder / "evaluation.json").read_text())["facts"]["ratio"] == "441/160"
    assert "8,000 Hz to 22,050 Hz, ratio 441/160" in (folder / "report.html").read_text()


@pytest.fixture
def spoken(data, make_dataset, tmp_path, monkeypatch):
    """A dataset with texts, and the command line of a recognizer that prints one text."""
    monkeypatch.setattr(layout, "PIECE_SECONDS", 1)
    first, second = Dataset(data).examples("test")
    long = np.zeros(20000, np.float32)
    examples = [
        first._replace(text="Hello, world!"),
        second,
        # Two pieces of a recording: neither holds all of its text.
        shards.Example("long.wav", "someone", "hello and more", 0.0, long[:16000], long[:4000]),
        shards.Example("long.wav", "someone", "hello and more", 1.0, long[16000:], long[:1000]),
    ]
    program = tmp_path / "recognize.py"
    program.write_text("print('hello word')")
    folder = make_dataset(tmp_path / "data", {"test": examples})
    return folder, f"cmd:{sys.executable} {program} {{}}"


@pytest.mark.usefixtures("plain_spectrograms")
def test_whole_recordings_with_a_text_are_recognized(run, spoken, tmp_path, call, rows):
    folder, (data, recognizer) = tmp_path / "run", spoken
    shutil.copytree(run, folder)
    flags = [f"--data={data}", "--wer", f"--recognizer={recognizer}", "--baselines=spline"]
    code, out, err = call(command, f"--run={folder}", *flags)
    assert code == 0, err
    words = rows(folder / "wer.csv")
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
    assert record["normalization"][0].startswith("jiwer ")
    assert out.count("0.500 [0.500, 0.500]") == 3
    # One of eleven characters is missing.
    assert out.count("0.091 [0.091, 0.091]") == 3
    assert "audiounet - spline  +0.000 [+0.000, +0.000]  too few files to tell" in out
    [difference] = record["differences"]
    assert (difference["first"], difference["second"]) == ("spline", "audiounet")


@pytest.mark.usefixtures("plain_spectrograms")
def test_quality_and_the_low_band_of_the_recording_can_be_measured(
    evaluated, run, make_dataset, noise, tmp_path, call, rows
):
    folder = shutil.copytree(run, tmp_path / "run")
    # Repeated 16 times, this length just fills one of DNSMOS's slow windows.
    high = noise(9216)
    example = shards.Example("a.wav", "someone", "", 0.0, high, degrade.decimate(high, 4))
    data = make_dataset(tmp_path / "data", {"test": [example]})
    flags = ["--low_band=recording", "--quality", "--baselines=spline", f"--data={data}"]
    code, _, err = call(command, f"--run={folder}", *flags)
    assert code == 0, err
    table = rows(folder / "evaluation.csv")
    quality = {"pesq", "stoi", "visqol_audio", "visqol_speech", "dnsmos_p808", "dnsmos_ovrl"}
    assert quality <= set(table[0])
    reference, _, row = table
    estimate, _ = load(run).upsample(example.low, 4000, keep_low_band=True)
    assert float(row["snr"]) == pytest.approx(metrics.snr(example.high, estimate), rel=1e-3)
    expected = metrics.pesq(example.high, estimate, 16000)
    assert float(row["pesq"]) == pytest.approx(expected, rel=1e-3)
    page = (folder / "report.html").read_text()
    assert "the recording&#39;s" in page
    assert "the network&#39;s" in (evaluated[0] / "report.html").read_text()
    # The reference is measured where that needs no reference.
    assert [each["system"] for each in table] == ["reference", "spline", "audiounet"]
    alone = metrics.dnsmos_p808(example.high, example.high, 16000)
    assert float(reference["dnsmos_p808"]) == pytest.approx(alone, rel=1e-3)
    assert (reference["snr"], reference["pesq"]) == ("nan", "nan")
    assert '<th scope="row">reference</th>' in page
    assert "reference" not in {each["system"] for each in rows(evaluated[0] / "evaluation.csv")}
    assert not {"pesq", "stoi"} & set(rows(evaluated[0] / "evaluation.csv")[0])


@pytest.mark.parametrize("name", ["../../evil.wav", "{tmp}/evil.wav", "a/../../../evil.wav", ""])
def test_a_name_that_leads_out_of_the_folder_of_recordings_is_refused(
    run, data, make_dataset, tmp_path, call, error_line, name
):
    [example, _] = Dataset(data).examples("test")
    example = example._replace(name=name.format(tmp=tmp_path))
    folder = make_dataset(tmp_path / "data", {"test": [example]})
    flags = [f"--data={folder}", f"--output={tmp_path / 'out'}"]
    flags += [f"--save_recordings={tmp_path / 'saved' / 'recordings'}"]
    code, _, err = call(command, f"--run={run}", *flags)
    assert code == 1
    assert "is not a relative path" in error_line(err)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("kept", [1, 100, -10])
def test_a_damaged_shard_is_named(run, data, tmp_path, call, error_line, kept):
    """Cut between two examples, in the first and in the last one."""
    folder = shutil.copytree(data, tmp_path / "data")
    shard = folder / "test-00000.tfrecord"
    whole = shard.read_bytes()
    # Two examples of one length.
    shard.write_bytes(whole[: len(whole) // 2] if kept == 1 else whole[:kept])
    code, _, err = call(command, f"--run={run}", f"--data={folder}", f"--output={tmp_path / 'out'}")
    assert code == 1
    assert "test-00000.tfrecord: " in error_line(err)
    assert not (tmp_path / "out").exists()
