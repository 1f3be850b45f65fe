"""wideband-prepare with Apache Beam: the shards are those of the local path, to the byte."""

import json

import numpy as np
import pytest
import soundfile
from wideband.audio import measure
from wideband.data_gen import survey
from wideband.data_gen.__main__ import command

pytest.importorskip("apache_beam", reason="needs the extra beam")

from wideband.command import beam as command_beam
from wideband.data_gen import beam

# What DirectRunner is in memory. DirectRunner itself first tries to download a faster one.
RUNNER = "--runner=FnApiRunner"
TWO_WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def prepare(call):
    """Returns a function that runs wideband-prepare with Beam: (code, stdout, stderr)."""

    def prepare(source, output, *flags, corpus="manifest"):
        names = (f"--corpus={corpus}", f"--source={source}", f"--output={output}")
        return call(command, *names, RUNNER, *TWO_WORKERS, *flags)

    return prepare


@pytest.fixture
def by_beam(corpus, tmp_path, prepare):
    """The dataset of the test corpus, made with Beam, and what the command printed."""
    code, out, err = prepare(corpus.folder, tmp_path / "out")
    assert code == 0, err
    return tmp_path / "out", out


def test_a_dataset_has_the_bytes_of_the_local_path(prepared, by_beam):
    folder, out = by_beam
    assert content(folder) == content(prepared.folder)
    summary = prepared.process.stdout.replace(str(prepared.folder), str(folder))
    counters, rest = out.split("\ntrain ")
    assert f"train {rest}" == summary
    assert counters.splitlines() == [
        "recordings measured: 12, recordings unreadable: 2, seconds measured: 146",
        "shards written: 3, waves written: 7",
    ]


def test_a_finished_dataset_is_recognised(corpus, by_beam, prepare):
    folder, _ = by_beam
    written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    code, out, err = prepare(corpus.folder, folder)
    assert (code, err) == (0, "")
    assert out.startswith(f"{folder} was finished already.\ntrain ")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == written


@pytest.mark.parametrize("damage", [lambda shard: shard[:-1], lambda shard: bytes(len(shard))])
def test_an_interrupted_preparation_is_completed(prepared, corpus, tmp_path, prepare, damage):
    """As if two recordings were not measured yet, and a worker's disk had damaged a shard."""
    output = tmp_path / "out"
    output.mkdir()
    whole = content(prepared.folder)
    description = json.loads(whole["dataset.json"])
    for name in ("totals", "left_out", "version"):
        del description[name]
    (output / "dataset.json").write_text(json.dumps(description))
    for name, shard in whole.items():
        if name.startswith("train"):
            (output / name).write_bytes(damage(shard))
        elif name.startswith("valid"):
            (output / name).write_bytes(shard)
    journal = [
        json.dumps([name, measure.measure(corpus.folder / name)])
        for name in list(corpus.entries)[:-4]
        if not name.startswith("bad")
    ]
    (output / "measured-0-00000-of-00001.jsonl").write_text("\n".join(journal))
    code, out, err = prepare(corpus.folder, output)
    assert code == 0, err
    counters = out.splitlines()[:2]
    assert counters[0].startswith("recordings measured: 6, recordings unreadable: 2")
    assert counters[1] == "shards kept: 1, shards written: 2, waves written: 6"
    assert content(output) == whole


def test_a_corpus_without_fit_recordings_is_one_line_and_leaves_nothing(
    tmp_path, prepare, error_line
):
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / f"{name}.wav").write_text("words")
    code, _, err = prepare(tmp_path / "in", tmp_path / "out", corpus="folder")
    assert code == 1
    message = "error: no recording is fit for training; left out of 3: 3 unreadable"
    assert err.splitlines()[-1] == message
    assert not list((tmp_path / "out").iterdir())


def test_a_recording_that_changes_is_one_line(small, tmp_path, prepare, monkeypatch):
    def measure_all(*arguments):
        measured = survey.measure_all(*arguments)
        soundfile.write(small / "anna" / "a.wav", np.zeros(100), 16000)
        return measured

    monkeypatch.setattr(beam, "measure_all", measure_all)
    code, _, err = prepare(small, tmp_path / "out", corpus="folder")
    assert code == 1
    line = err.splitlines()[-1]
    assert line.startswith(f"error: {small}/anna/a.wav: has changed since it was measured (100 ")
    assert line.endswith("choose another --output")


def test_the_dataset_of_other_recordings_is_refused(small, by_beam, prepare, error_line):
    folder, _ = by_beam
    before = content(folder)
    code, _, err = prepare(small, folder, corpus="folder")
    assert code == 1
    assert "holds a dataset made with corpus manifest, not folder" in error_line(err)
    assert content(folder) == before


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ((RUNNER, "--direct_num_workerz=2"), 2, "unknown flag --direct_num_workerz, which"),
        ((RUNNER, "--direct_num_workers=two"), 2, "a flag of Apache Beam: argument --direct_num"),
        (("--runner=Nowhere",), 2, "--runner=Nowhere: Unexpected pipeline runner: Nowhere"),
        ((RUNNER, "--workers=2"), 1, "--workers does not go with --runner"),
        ((RUNNER, "--decoder=tfio"), 1, "--decoder does not go with --runner"),
        (("--direct_num_workers=2",), 2, "unknown flag --direct_num_workers"),
        ((RUNNER, "--source=xy://voices"), 1, "xy://voices/**: cannot be read ("),
    ],
)
def test_a_wrong_flag_is_one_line(small, tmp_path, call, error_line, flags, code, message):
    names = ("--corpus=folder", f"--source={small}", f"--output={tmp_path / 'out'}")
    found, _, err = call(command, *names, *flags)
    assert found == code
    assert message in error_line(err)
    assert not (tmp_path / "out").exists()


# Another file system


def test_a_corpus_in_an_object_store_makes_the_same_dataset_there(
    store, corpus, prepared, prepare, monkeypatch, tmp_path
):
    for name, value in store.items():
        monkeypatch.setenv(name, value)
    # The runner's flags name the store.
    flags = [f"--s3_endpoint_url={store['S3_ENDPOINT']}", "--s3_region_name=us-east-1"]
    keys = (
        ("AWS_ACCESS_KEY_ID", "s3_access_key_id"),
        ("AWS_SECRET_ACCESS_KEY", "s3_secret_access_key"),
    )
    flags += [f"--{flag}={store[name]}" for name, flag in keys]
    code, _, err = prepare("s3://voices/corpus", "s3://voices/out", *flags)
    assert code == 0, err
    names = {each.path.rpartition("/")[2] for each in command_beam.find("s3://voices/out/*")}
    expected = content(prepared.folder)
    assert names == expected.keys()
    for name in names - {"manifest.csv"}:
        assert command_beam.read_bytes(f"s3://voices/out/{name}") == expected[name]
    # Reasons name the recordings.
    manifest = command_beam.read_bytes("s3://voices/out/manifest.csv").decode()
    assert (
        manifest.replace("s3://voices/corpus", str(corpus.folder))
        == expected["manifest.csv"].decode()
    )
    # A folder is searched, without what is hidden.
    found, left_out = beam.search("s3://voices/corpus")
    assert found == {name: f"s3://voices/corpus/{name}" for name in corpus.entries}
    assert left_out == {"anna/take.m4a": "not read: convert it to flac or wav"}
