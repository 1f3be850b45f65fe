"""From a corpus to a dataset, through the real command."""

import csv
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
from wideband.audio.measure import Facts
from wideband.data_gen import dataset as shards
from wideband.data_gen import prepare
from wideband.data_gen.corpora import Recording

RATE = 16000


def command(source, output, *flags, corpus="manifest"):
    names = {"corpus": corpus, "source": source, "output": output}
    return [
        sys.executable,
        "-m",
        "wideband.data_gen",
        *(f"--{name}={value}" for name, value in names.items()),
        *flags,
    ]


def run(*arguments, **names):
    return subprocess.run(command(*arguments, **names), capture_output=True, text=True, check=False)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def noise(seconds, rate=RATE, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal((round(seconds * rate), channels))).squeeze()


# What the corpus of these tests holds: path -> (split, text, reason for leaving it out).
CORPUS = {
    "anna/long.mp3": ("train", "", ""),
    "anna/short.wav": ("train", "eins, zwei\ndrei ü", ""),
    "anna/stereo.flac": ("train", "", ""),
    "beth/a.wav": ("valid", "one", ""),
    "carl/a.wav": ("test", "two", ""),
    "carl/b.wav": ("test", "", ""),
    "bad/clipped.wav": ("train", "", "clipped: 50.0 % of samples at full scale"),
    "bad/empty.wav": ("train", "", "unreadable: the file is empty"),
    "bad/hundred.wav": ("train", "", "short: 100 samples, a patch has 256"),
    "bad/lowrate.wav": ("train", "", "low rate: 8000 Hz, the dataset has 16000 Hz"),
    "bad/nan.wav": ("train", "", "not finite: holds NaN or infinity"),
    "bad/narrow.wav": ("train", "", "narrow: bandwidth"),
    "bad/silent.wav": ("train", "", "silent: RMS 0.00000, DC 0.00000"),
    "bad/text.wav": ("train", "", "unreadable: not readable as audio"),
}


def build(folder):
    for name in CORPUS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    # Three minutes in stereo at 44.1 kHz; the second channel is softer.
    soundfile.write(folder / "anna/long.mp3", noise(180.01, 44100, 2) * [1, 0.4], 44100)
    soundfile.write(folder / "anna/short.wav", noise(1.23, seed=1), RATE)
    soundfile.write(folder / "anna/stereo.flac", noise(61.005, 48000, 2, seed=2), 48000)
    soundfile.write(folder / "beth/a.wav", noise(30, seed=3), RATE)
    soundfile.write(folder / "carl/a.wav", noise(50, seed=4), RATE)
    soundfile.write(folder / "carl/b.wav", noise(50, seed=5), RATE)
    square = np.where(np.arange(RATE) % 200 < 100, 1.0, noise(1))
    soundfile.write(folder / "bad/clipped.wav", square, RATE, subtype="FLOAT")
    (folder / "bad/empty.wav").touch()
    soundfile.write(folder / "bad/hundred.wav", noise(1)[:100], RATE)
    soundfile.write(folder / "bad/lowrate.wav", noise(1, 8000), 8000)
    nan = noise(1)
    nan[77] = np.nan
    soundfile.write(folder / "bad/nan.wav", nan, RATE, subtype="FLOAT")
    soundfile.write(folder / "bad/narrow.wav", soxr.resample(noise(3, 8000), 8000, RATE), RATE)
    soundfile.write(folder / "bad/silent.wav", np.zeros(RATE), RATE)
    (folder / "bad/text.wav").write_text("words")
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["split", "path", "speaker", "text"])
        for name, (split, text, _) in CORPUS.items():
            rows.writerow([split, name, name.split("/")[0], text])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def dataset(corpus, tmp_path_factory):
    """Made without disturbance, by two workers; with what the command said."""
    output = tmp_path_factory.mktemp("out") / "new" / "dataset"
    return output, run(corpus, output, "--workers=2")


@pytest.fixture
def small(tmp_path):
    """A corpus that is measured in no time."""
    folder = tmp_path / "small"
    for speaker in ("anna", "beth", "carl"):
        (folder / speaker).mkdir(parents=True)
        soundfile.write(folder / speaker / "a.wav", noise(0.5, seed=len(speaker)), RATE)
    return folder


def mono_at_16_khz(path):
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(wave.mean(axis=1), rate, RATE, quality="VHQ")


# what is written


def test_the_command_tells_what_it_made(dataset):
    output, result = dataset
    assert result.returncode == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines == [
        "train 3 recordings 4.0 minutes 1 speakers",
        "valid 1 recordings 0.5 minutes 1 speakers",
        "test 2 recordings 1.7 minutes 1 speakers",
        "left out: 1 clipped, 1 low rate, 1 narrow, 1 not finite, 1 short, 1 silent, 2 unreadable;"
        f" each is named in {output / 'manifest.csv'}",
    ]
    assert "Traceback" not in result.stderr
    assert sorted(content(output)) == [
        "dataset.json",
        "manifest.csv",
        "test-00000.tfrecord",
        "train-00000.tfrecord",
        "valid-00000.tfrecord",
    ]


def test_the_manifest_has_a_row_for_every_recording_with_its_facts(dataset, corpus):
    with (dataset[0] / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    assert list(rows) == sorted(CORPUS)
    for name, (split, text, reason) in CORPUS.items():
        row = rows[name]
        assert (row["split"], row["text"], row["speaker"]) == (split, text, name.split("/")[0])
        assert row["reason"].startswith(reason)
        assert bool(row["reason"]) == bool(reason)
        if reason.startswith("unreadable"):
            assert row["seconds"] == row["peak"] == row["rms"] == row["bandwidth_hz"] == ""
    wave, _ = soundfile.read(corpus / "anna/short.wav")
    row = rows["anna/short.wav"]
    assert float(row["seconds"]) == 1.23
    assert float(row["peak"]) == pytest.approx(np.abs(wave).max(), abs=1e-5)
    assert float(row["rms"]) == pytest.approx(np.sqrt(np.mean(wave**2)), abs=1e-5)
    assert float(row["bandwidth_hz"]) == 8000
    assert 3700 < float(rows["bad/narrow.wav"]["bandwidth_hz"]) < 4100


def test_the_description_has_settings_and_totals(dataset):
    facts = json.loads((dataset[0] / "dataset.json").read_text())
    expected = {
        "corpus": "manifest",
        "split_rule": "given",
        "seed": 0,
        "sample_rate": 16000,
        "ratio": 4,
        "protocol": "decimate_spline",
        "patch": 256,
    }
    assert facts | expected == facts
    seconds = {"train": 180.01 + 1.23 + 61.005, "valid": 30.0, "test": 100.0}
    for split, count in {"train": 3, "valid": 1, "test": 2}.items():
        assert facts["totals"][split]["recordings"] == count
        assert facts["totals"][split]["seconds"] == pytest.approx(seconds[split], abs=0.01)
        assert facts["totals"][split]["speakers"] == 1
    assert sum(facts["left_out"].values()) == 8
    assert shards.describe(dataset[0]) == (16000, 4, "decimate_spline")


def test_shards_hold_the_waves_and_their_low_side(dataset, corpus):
    for split in ("train", "valid", "test"):
        examples = list(shards.read(shards.files(dataset[0], split)))
        names = list(dict.fromkeys(example.name for example in examples))
        if split == "train":
            examples.sort(key=lambda example: (example.name, example.start_seconds))
            names.sort()
        kept = [name for name in sorted(CORPUS) if CORPUS[name][0] == split and not CORPUS[name][2]]
        assert names == kept
        for name in names:
            pieces = [example for example in examples if example.name == name]
            assert [piece.start_seconds for piece in pieces] == [
                60.0 * i for i in range(len(pieces))
            ]
            expected = mono_at_16_khz(corpus / name)
            stored = np.concatenate([piece.high for piece in pieces])
            # A rest shorter than a patch is dropped, and what the ratio does not divide.
            assert 0 <= len(expected) - len(stored) < 256
            np.testing.assert_allclose(stored, expected[: len(stored)], atol=0.51 / 32768)
            for piece in pieces:
                assert (piece.speaker, piece.text) == (name.split("/")[0], CORPUS[name][1])
                assert len(piece.high) % 4 == 0
                low = scipy.signal.decimate(piece.high.astype(np.float64), 4)
                np.testing.assert_allclose(piece.low, low, atol=1e-6)


def test_flags_set_rate_ratio_and_protocol(small, tmp_path):
    output = tmp_path / "out"
    flags = ("--sample_rate=8000", "--ratio=3", "--protocol=subsample_spline", "--workers=1")
    result = run(small, output, *flags, corpus="folder")
    assert result.returncode == 0, result.stderr
    assert shards.describe(output) == (8000, 3, "subsample_spline")
    (example,) = shards.read(shards.files(output, "train"))
    high = soxr.resample(soundfile.read(small / example.name)[0], 16000, 8000, quality="VHQ")
    np.testing.assert_allclose(example.high, high[:3999], atol=0.51 / 32768)
    np.testing.assert_array_equal(example.low, example.high[::3])


# the plan


def measured(*seconds, split="train", rate=RATE):
    return [
        prepare.Measured(
            Recording(Path(f"{i}.wav"), f"{i}.wav", "anna", split=split),
            Facts(round(each * rate), rate, 1, 0.5, 0.1, 0.0, 0.0, True, rate / 2),
            "",
        )
        for i, each in enumerate(seconds)
    ]


SETTINGS = prepare.Settings("folder", "speaker", 0.1, 0.1, 0, RATE, 4, "sinc", 256)


def planned(rows):
    return {
        name: [(piece.recording.name, piece.start_seconds) for piece in pieces]
        for name, pieces in prepare.plan(rows, SETTINGS).items()
    }


def test_shards_hold_ten_minutes_and_long_recordings_go_over_several():
    plan = planned(measured(599.0, 2.0, 1500.0, split="valid"))
    assert list(plan) == [f"valid-{i:05d}.tfrecord" for i in range(4)]
    assert plan["valid-00000.tfrecord"] == [("0.wav", 60 * i) for i in range(10)]
    assert plan["valid-00001.tfrecord"][:2] == [("1.wav", 0), ("2.wav", 0)]
    pieces = [piece for shard in plan.values() for piece in shard if piece[0] == "2.wav"]
    assert pieces == [("2.wav", 60 * i) for i in range(25)]


def test_a_shard_is_filled_to_ten_minutes_and_no_further():
    assert list(planned(measured(540.0, 60.0))) == ["train-00000.tfrecord"]
    plan = planned(measured(540.0, 30.0, 30.0 + 1 / RATE, split="valid"))
    assert plan["valid-00001.tfrecord"] == [("2.wav", 0)]


def test_every_shard_of_train_holds_a_sample_of_the_corpus():
    # A corpus of two halves, the second of recordings that are ten times as long.
    plan = planned(measured(*[2.0] * 2000, *[20.0] * 200))
    assert len(plan) > 12
    long = [sum(int(name[:-4]) >= 2000 for name, _ in pieces) for pieces in plan.values()]
    short = [len(pieces) - n for n, pieces in zip(long, plan.values(), strict=True)]
    assert sum(long) == 200 and sum(short) == 2000
    # About fifteen and 150 in each of the full shards.
    assert min(long[:-1]) >= 5 and min(short[:-1]) >= 75
    assert plan == planned(measured(*[2.0] * 2000, *[20.0] * 200))


def test_a_rest_shorter_than_a_patch_is_dropped():
    for samples, pieces in ((256, 1), (60 * RATE, 1), (60 * RATE + 255, 1), (60 * RATE + 256, 2)):
        plan = planned(measured(samples / RATE))
        assert len(plan["train-00000.tfrecord"]) == pieces


def test_splits_never_share_a_shard():
    rows = [*measured(5, 5), *measured(5, split="test"), *measured(5, split="valid")]
    assert {name: len(pieces) for name, pieces in planned(rows).items()} == {
        "train-00000.tfrecord": 2,
        "valid-00000.tfrecord": 1,
        "test-00000.tfrecord": 1,
    }


# continuing


def children(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def killed_when(reached, arguments):
    """Starts the command, kills it without warning, and sees its workers end by themselves."""
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not reached():
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.002)
        workers = children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not all(map(gone, workers)):
        assert time.monotonic() < deadline, "workers outlive the command"
        time.sleep(0.01)
    assert workers


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see workers end")
def test_killed_twice_and_continued_it_gives_the_bytes_of_an_undisturbed_run(
    dataset, corpus, tmp_path
):
    output = tmp_path / "out"
    arguments = command(corpus, output, "--workers=1")
    journal, shard = output / "measured.jsonl", output / "train-00000.tfrecord"

    def some_measured():
        return journal.exists() and journal.read_text().count("\n") > 4

    killed_when(some_measured, arguments)
    assert not shard.exists()
    # A line that was being written, and a shard of which a part was.
    with journal.open("a") as file:
        file.write('["carl/a.wav", [8000')
    (output / ".123.train-00000.tfrecord").write_bytes(b"half")
    known = journal.read_text().splitlines()[1]

    killed_when(shard.exists, arguments)
    assert not (output / "manifest.csv").exists()
    # What was measured before was not measured again.
    lines = [line for line in journal.read_text().splitlines() if line.endswith("]")]
    assert lines[0] == known
    assert len({json.loads(line)[0] for line in lines}) == len(lines)
    written = shard.stat().st_mtime_ns

    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert shard.stat().st_mtime_ns == written
    assert content(output) == content(dataset[0])


def test_a_finished_dataset_is_recognised_and_left_alone(dataset, corpus):
    output, first = dataset
    before = {path: path.stat().st_mtime_ns for path in output.iterdir()}
    result = run(corpus, output)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{output} was finished already.\n" + first.stdout
    assert {path: path.stat().st_mtime_ns for path in output.iterdir()} == before


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--ratio=2", "ratio 4, not 2"),
        ("--sample_rate=8000", "sample_rate 16000, not 8000"),
        ("--protocol=fft", "protocol decimate_spline, not fft"),
        ("--seed=1", "seed 0, not 1"),
        ("--patch=512", "patch 256, not 512"),
    ],
)
def test_other_settings_are_refused_and_named(dataset, corpus, flag, told):
    before = content(dataset[0])
    result = run(corpus, dataset[0], flag)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"error: {dataset[0]}: holds a dataset made with {told}; choose another --output\n"
    )
    assert content(dataset[0]) == before


def test_a_corpus_that_changed_in_between_is_refused(small, tmp_path):
    output = tmp_path / "out"
    (small / "carl" / "a.wav").write_text("words")
    flags = ("--strict", "--workers=1")
    assert "carl/a.wav: unreadable" in run(small, output, *flags, corpus="folder").stderr
    (small / "carl" / "a.wav").write_text("other words")
    result = run(small, output, *flags, corpus="folder")
    assert result.returncode == 1
    assert "made with other recordings, or other sizes" in result.stderr
    assert result.stderr.count("\n") == 1


# refusals


def test_strict_stops_at_the_first_unfit_recording_and_names_it(corpus, tmp_path):
    result = run(corpus, tmp_path / "out", "--strict", "--workers=1")
    assert result.returncode == 1
    assert f"error: {corpus}/bad/clipped.wav: clipped: 50.0 % of samples" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "out").glob("*.tfrecord"))
    assert not (tmp_path / "out" / "manifest.csv").exists()


def test_a_corpus_with_nothing_to_train_on_is_refused_with_the_reasons(small, tmp_path):
    for path in small.rglob("*.wav"):
        soundfile.write(path, np.zeros(RATE), RATE)
    soundfile.write(small / "carl" / "a.wav", noise(1)[:9], RATE)
    result = run(small, tmp_path / "out", "--workers=1", corpus="folder")
    assert result.returncode == 1
    assert (
        "error: no recording is fit for training; left out of 3: 1 short, 2 silent" in result.stderr
    )
    assert "Traceback" not in result.stderr
    # Repaired, they go to the same folder, which holds no shard yet.
    for seed, path in enumerate(sorted(small.rglob("*.wav"))):
        soundfile.write(path, noise(1, seed=seed), RATE)
    again = run(small, tmp_path / "out", "--workers=1", corpus="folder")
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "out" / "dataset.json").read_text())["left_out"] == {}


def test_too_few_speakers_are_split_by_recording_and_it_is_said(small, tmp_path):
    for i in range(4):
        soundfile.write(small / "anna" / f"{i}.wav", np.zeros(RATE), RATE)
    result = run(small / "anna", tmp_path / "out", "--strict", "--workers=1", corpus="folder")
    assert result.stdout == (
        "Only 1 speaker(s): split by recording, so that each stands in every split.\n"
    )
    facts = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert facts["split_rule"] == "recording"
    # Asked for, the rule is not replaced.
    result = run(small / "anna", tmp_path / "out2", "--split=speaker", corpus="folder")
    assert result.returncode == 1
    assert "the rule speaker needs 3 speakers and there are 1" in result.stderr


@pytest.mark.parametrize("output", ["file/below", "file", "/proc/nothing/here"])
def test_an_output_that_cannot_be_written_is_refused(small, tmp_path, output):
    (tmp_path / "file").write_text("kept")
    result = run(small, tmp_path / output, corpus="folder")
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {tmp_path / output}: cannot be written to (")
    assert result.stderr.count("\n") == 1
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_output_is_refused(small, tmp_path):
    output = tmp_path / "out"
    output.mkdir(mode=0o500)
    result = run(small, output, corpus="folder")
    assert result.returncode == 1
    assert result.stderr == (
        f"error: {output}: cannot be written to (Permission denied); choose another --output\n"
    )


def test_a_folder_with_a_foreign_description_is_refused(small, tmp_path):
    (tmp_path / "dataset.json").write_text("words")
    result = run(small, tmp_path, corpus="folder")
    assert result.returncode == 1
    assert "dataset.json: not the description of a dataset" in result.stderr
    assert (tmp_path / "dataset.json").read_text() == "words"


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--ratio=9", "--ratio=9"),
        ("--patch=0", "--patch=0"),
        ("--protocol=mp3", "no protocol is named 'mp3'; there are decimate_spline"),
        ("--split=half", "there is no split rule 'half'; choose one of given"),
        ("--valid_fraction=0.95", "valid and test fractions 0.95 and 0.1 should be"),
        ("--test_fraction=-1", "valid and test fractions 0.05 and -1 should be"),
        ("--speaker_pattern=(", "speaker_pattern '(' is not a regular expression"),
        ("--mic=2", "--mic is for --corpus=vctk only"),
        ("--subsets=dev-clean", "--subsets is for --corpus=librispeech only"),
        ("--corpus=timit", "there is no corpus 'timit'; choose one of folder"),
        ("--source=/nowhere", "/nowhere: there is no such folder"),
        ("--rtaio=4", "rtaio"),
        ("extra", "'extra' is no flag"),
    ],
)
def test_a_wrong_flag_is_refused_before_anything_is_written(small, tmp_path, flag, told):
    result = run(small, tmp_path / "out", flag, corpus="folder")
    assert result.returncode == 1
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_source_is_asked_for(tmp_path):
    arguments = [sys.executable, "-m", "wideband.data_gen", "--corpus=folder"]
    result = subprocess.run(
        [*arguments, f"--output={tmp_path}/out"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr == "error: --source is missing: the folder of the corpus\n"


def test_a_name_that_is_not_unicode_is_left_out(small, tmp_path):
    strange = os.fsencode(small / "anna") + b"/\xff.wav"
    Path(os.fsdecode(strange)).write_bytes((small / "anna" / "a.wav").read_bytes())
    result = run(small, tmp_path / "out", "--workers=1", "--strict", corpus="folder")
    assert result.returncode == 1
    assert "unreadable: its name is not in UTF-8" in result.stderr
    assert "Traceback" not in result.stderr


# what it costs


def test_neither_help_nor_workers_load_tensorflow():
    code = (
        "import sys, wideband.data_gen.prepare\n"
        "assert 'tensorflow' not in sys.modules\n"
        "import runpy\n"
        "for name in [name for name in sys.modules if name.startswith(('scipy', 'wideband'))]:\n"
        "    del sys.modules[name]\n"
        "sys.argv = ['wideband-prepare', '--help']\n"
        "try: runpy.run_module('wideband.data_gen.__main__', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('heavy:', sorted({'tensorflow', 'scipy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "--protocol" in result.stdout
    assert result.stdout.endswith("heavy: []\n")


def test_pieces_of_a_long_recording_join_as_if_it_were_resampled_whole(tmp_path):
    wave = noise(125.5, 22050).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", wave, 22050, subtype="FLOAT")
    recording = Recording(tmp_path / "a.wav", "a.wav", "anna")
    pieces = [
        prepare.waves(prepare.Piece(recording, 22050, start, RATE, 2, "fft"))[0]
        for start in (0, 60, 120)
    ]
    assert [len(piece) for piece in pieces] == [960000, 960000, 88000]
    whole = audio.to_int16(soxr.resample(wave, 22050, RATE, quality="VHQ"))
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
