"""wideband-prepare: the dataset it writes, and how an interrupted run continues."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import soxr
from wideband import audio
from wideband.data_gen import spool
from wideband.data_gen.dataset import Dataset

RATE = 16000


class KilledError(BaseException):
    """Raised by a hook to stop a run, like a signal between two instructions."""


def fail_at(call, function):
    """Returns the function, which raises `KilledError` at its n-th call."""
    calls = 0

    def failing(*arguments):
        nonlocal calls
        calls += 1
        if calls == call:
            raise KilledError
        return function(*arguments)

    return failing


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def mono_at_16_khz(path):
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(wave.mean(axis=1), rate, RATE, quality="VHQ")


# what is written


def test_the_command_prints_a_summary(prepared):
    lines = [" ".join(line.split()) for line in prepared.process.stdout.splitlines()]
    assert lines == [
        "train 3 recordings 2.1 minutes 1 speakers",
        "valid 1 recordings 0.1 minutes 1 speakers",
        "test 2 recordings 0.1 minutes 1 speakers",
        "left out: 1 clipped, 1 low rate (below 16000 Hz), 1 narrow, 1 not finite, 1 short, "
        f"1 silent, 2 unreadable; {prepared.folder / 'manifest.csv'} lists each with its reason",
        "bad/empty.wav: unreadable: the file is empty",
        lines[-1],
    ]
    assert lines[-1].startswith("bad/text.wav: unreadable: not readable as audio")
    assert "Traceback" not in prepared.process.stderr
    assert sorted(content(prepared.folder)) == [
        "dataset.json",
        "manifest.csv",
        "test-00000.tfrecord",
        "train-00000.tfrecord",
        "valid-00000.tfrecord",
    ]


def test_the_manifest_has_a_row_for_every_recording_with_its_facts(prepared, corpus, rows):
    found = {row["path"]: row for row in rows(prepared.folder / "manifest.csv")}
    assert list(found) == sorted(corpus.entries)
    for name, (split, text, reason) in corpus.entries.items():
        row = found[name]
        assert (row["split"], row["text"], row["speaker"]) == (split, text, name.split("/")[0])
        assert row["reason"].startswith(reason)
        assert bool(row["reason"]) == bool(reason)
        if reason.startswith("unreadable"):
            facts = ("seconds", "samples", "peak", "rms", "bandwidth_hz")
            assert {row[column] for column in facts} == {""}
    wave, _ = soundfile.read(corpus.folder / "anna/short.wav")
    row = found["anna/short.wav"]
    assert float(row["seconds"]) == 1.23
    assert int(row["samples"]) == len(wave)
    assert float(row["peak"]) == pytest.approx(np.abs(wave).max(), abs=1e-5)
    assert float(row["rms"]) == pytest.approx(np.sqrt(np.mean(wave**2)), abs=1e-5)
    assert float(row["bandwidth_hz"]) == 8000
    assert int(found["anna/stereo.flac"]["samples"]) == round(6.005 * RATE)
    assert 3700 < float(found["bad/narrow.wav"]["bandwidth_hz"]) < 4100


def test_the_description_has_settings_and_totals(prepared):
    dataset = Dataset(prepared.folder)
    assert (
        dataset.settings.items()
        >= {
            "corpus": "manifest",
            "split_rule": "given",
            "seed": 0,
            "sample_rate": 16000,
            "ratio": 4,
            "protocol": "decimate_spline",
            "patch": 256,
        }.items()
    )
    seconds = {"train": 120.01 + 1.23 + 6.005, "valid": 3.0, "test": 9.0}
    for split, count in {"train": 3, "valid": 1, "test": 2}.items():
        assert dataset.totals[split]["recordings"] == count
        assert dataset.totals[split]["seconds"] == pytest.approx(seconds[split], abs=0.01)
        assert dataset.totals[split]["speakers"] == 1
    assert sum(dataset.settings["left_out"].values()) == 8


def test_shards_contain_the_waves_and_their_low_side(prepared, corpus):
    for split in ("train", "valid", "test"):
        examples = list(Dataset(prepared.folder).examples(split))
        names = list(dict.fromkeys(example.name for example in examples))
        if split == "train":
            examples.sort(key=lambda example: (example.name, example.start_seconds))
            names.sort()
        kept = [
            name
            for name, entry in sorted(corpus.entries.items())
            if entry.split == split and not entry.reason
        ]
        assert names == kept
        for name in names:
            pieces = [example for example in examples if example.name == name]
            starts = [piece.start_seconds for piece in pieces]
            assert starts == [60.0 * i for i in range(len(pieces))]
            expected = mono_at_16_khz(corpus.folder / name)
            stored = np.concatenate([piece.high for piece in pieces])
            # A last piece shorter than a patch is dropped, and samples past a multiple of 4.
            assert 0 <= len(expected) - len(stored) < 256
            np.testing.assert_allclose(stored, expected[: len(stored)], atol=0.51 / 32768)
            for piece in pieces:
                assert piece.speaker == name.split("/")[0]
                assert piece.text == corpus.entries[name].text
                assert len(piece.high) % 4 == 0
                low = scipy.signal.decimate(piece.high.astype(np.float64), 4)
                np.testing.assert_allclose(piece.low, low, atol=1e-6)


def test_lengths_are_known_without_reading_shards(prepared):
    dataset = Dataset(prepared.folder)
    for split in ("train", "valid", "test"):
        found = [len(example.high) for example in dataset.examples(split)]
        lengths = dataset.lengths(split)
        if split == "train":
            found, lengths = sorted(found), sorted(lengths)
        assert lengths == found
        assert dataset.count(split) == len(found)


def test_flags_set_rate_ratio_and_protocol(small, tmp_path, prepare_dataset):
    output = tmp_path / "out"
    flags = ("--sample_rate=8000", "--ratio=3", "--protocol=subsample_spline")
    code, _, err = prepare_dataset(small, output, *flags)
    assert code == 0, err
    dataset = Dataset(output)
    assert (dataset.sample_rate, dataset.ratio, dataset.protocol) == (8000, 3, "subsample_spline")
    (example,) = dataset.examples("train")
    high = soxr.resample(soundfile.read(small / example.name)[0], 16000, 8000, quality="VHQ")
    np.testing.assert_allclose(example.high, high[:3999], atol=0.51 / 32768)
    np.testing.assert_array_equal(example.low, example.high[::3])


def test_narrow_recordings_are_kept_on_request_without_what_is_above_their_band(
    tmp_path, noise, prepare_dataset
):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    wave = audio.remove_above(noise(48000), 48000, 15000)
    # What a codec may leave.
    wave += 10 ** (-65 / 20) * noise(48000, seed=1)
    for k in range(3):
        soundfile.write(source / f"{k}.wav", wave, 48000, "PCM_24")
    flags = ("--sample_rate=48000", "--ratio=3", "--split_rule=recording")
    code, _, error = prepare_dataset(source, tmp_path / "refused", *flags)
    assert code == 1
    assert "left out of 3: 3 narrow; --narrow keeps those of limited band" in error
    code, _, error = prepare_dataset(source, output, *flags, "--narrow")
    assert code == 0, error
    example = next(iter(Dataset(output).examples("train")))
    levels = 20 * np.log10(np.abs(np.fft.rfft(example.high)) / np.sqrt(48000))
    assert np.median(levels[5000:14000]) == pytest.approx(-22, abs=2)
    assert np.median(levels[16000:23000]) < -99
    code, _, error = prepare_dataset(source, output, *flags)
    assert (code, "made with narrow True, not False" in error) == (1, True)


def test_narrow_recordings_must_reach_the_frequency_that_is_asked_for(
    tmp_path, noise, rows, prepare_dataset
):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for end_hz in (9000, 11000, 13000, 14000, 15000):
        wave = audio.remove_above(noise(48000), 48000, end_hz)
        soundfile.write(source / f"{end_hz}.wav", wave, 48000, "PCM_24")
    flags = ("--sample_rate=48000", "--ratio=3", "--split_rule=recording", "--narrow_from=12000")
    code, _, error = prepare_dataset(source, output, *flags)
    assert (code, error) == (1, "error: --narrow_from=12000 is for --narrow only; add it\n")
    code, _, error = prepare_dataset(source, output, *flags, "--narrow")
    assert code == 0, error
    reasons = {row["path"]: row["reason"] for row in rows(output / "manifest.csv")}
    assert [name for name, reason in reasons.items() if reason] == ["11000.wav", "9000.wav"]
    assert "Hz, below 12000 Hz" in reasons["9000.wav"]
    code, _, error = prepare_dataset(source, output, *flags[:3], "--narrow")
    assert "made with narrow_from 12000, not 0; choose another --output" in error
    high = ("--narrow", "--narrow_from=20000")
    code, _, error = prepare_dataset(source, tmp_path / "refused", *flags[:3], *high)
    assert (code, "left out of 5: 5 narrow; choose a lower --narrow_from\n" in error) == (1, True)


# continuing


def children(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def kill_when(reached, arguments):
    """Starts a command, kills it once `reached` returns True, and checks that its workers end."""
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not reached():
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.002)
        workers = children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 600
    while not all(map(gone, workers)):
        assert time.monotonic() < deadline, "workers outlive the command"
        time.sleep(0.01)
    assert workers


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see workers end")
def test_a_killed_run_is_continued_to_the_bytes_of_an_undisturbed_one(
    small, noise, tmp_path, prepare_dataset
):
    # The recordings that follow the first one take long enough that the run can be killed.
    for name in ("beth", "carl"):
        soundfile.write(small / name / "long.flac", noise(60 * 48000), 48000)
    undisturbed, output = tmp_path / "undisturbed", tmp_path / "out"
    assert prepare_dataset(small, undisturbed)[0] == 0
    journal = output / "measured.jsonl"
    flags = ["--corpus=folder", f"--source={small}", f"--output={output}", "--workers=1"]

    def some_measured():
        return journal.exists() and journal.read_text().count("\n") > 1

    kill_when(some_measured, [sys.executable, "-m", "wideband.data_gen", *flags])
    (left,) = output.glob(".*")
    assert len(list(left.iterdir())) > 1
    # The kill may also hit the writing of a line.
    with journal.open("a") as file:
        file.write('["carl/a.wav", [8000')

    code, _, err = prepare_dataset(small, output)
    assert code == 0, err
    assert content(output) == content(undisturbed)


def test_measured_recordings_are_not_measured_again(
    prepared, corpus, tmp_path, prepare_dataset, monkeypatch
):
    output = tmp_path / "out"
    journal = output / "measured.jsonl"
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(spool, "measure_recording", fail_at(6, spool.measure_recording))
        prepare_dataset(corpus.folder, output, corpus="manifest")
    known = [json.loads(line)[0] for line in journal.read_text().split("\n") if line]
    assert known == sorted(corpus.entries)[:5]
    measured = []
    with monkeypatch.context() as patch:
        measure = spool.measure_recording
        patch.setattr(
            spool,
            "measure_recording",
            lambda item: measured.append(item[0].path) or measure(item),
        )
        assert prepare_dataset(corpus.folder, output, corpus="manifest")[0] == 0
    assert measured == [corpus.folder / name for name in sorted(corpus.entries)[5:]]
    assert content(output) == content(prepared.folder)


def test_finished_shards_are_not_written_again(
    prepared, corpus, tmp_path, prepare_dataset, monkeypatch
):
    output = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        # Four pieces of train, one of valid, and the first of test.
        patch.setattr(spool.Spool, "record", fail_at(6, spool.Spool.record))
        prepare_dataset(corpus.folder, output, corpus="manifest")
    assert {path.name for path in output.glob("*.tfrecord")} == {
        "train-00000.tfrecord",
        "valid-00000.tfrecord",
    }
    assert not (output / "manifest.csv").exists()
    written = {path: path.stat().st_mtime_ns for path in output.glob("*.tfrecord")}
    assert prepare_dataset(corpus.folder, output, corpus="manifest")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert content(output) == content(prepared.folder)


def test_a_finished_dataset_is_recognised_and_left_unchanged(prepared, corpus, prepare_dataset):
    before = {path: path.stat().st_mtime_ns for path in prepared.folder.iterdir()}
    code, out, err = prepare_dataset(corpus.folder, prepared.folder, corpus="manifest")
    assert (code, err) == (0, "")
    assert out == f"{prepared.folder} was finished already.\n" + prepared.process.stdout
    assert {path: path.stat().st_mtime_ns for path in prepared.folder.iterdir()} == before


def test_measuring_does_not_wait_for_scipy():
    code = "import sys, wideband.data_gen.prepare; assert 'scipy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(importlib.util.find_spec("apache_beam") is not None, reason="has it")
def test_without_apache_beam_its_runners_are_refused(small, tmp_path, prepare_dataset, error_line):
    code, _, err = prepare_dataset(small, tmp_path / "out", "--runner=DirectRunner")
    assert code == 1
    assert error_line(err) == (
        "error: wideband-prepare needs apache_beam, which is not installed; pip install '.[beam]' "
        "in wideband's folder"
    )
