"""wideband-upsample with Apache Beam: the outputs are those of the local path."""

import json

import pytest
import soundfile
from wideband.upsample.__main__ import command

pytest.importorskip("apache_beam", reason="needs the extra beam")

from apache_beam.options.pipeline_options import PipelineOptions
from wideband.upsample import beam
from wideband.upsample.settings import Settings

# What DirectRunner is in memory. DirectRunner itself first tries to download a faster one.
RUNNER = "--runner=FnApiRunner"
FLAGS = (RUNNER, "--direct_num_workers=2", "--direct_running_mode=multi_threading")


@pytest.fixture
def folder(noise, tmp_path):
    """Four recordings at 8 kHz, one of them in a subfolder, and a file that is none."""
    folder = tmp_path / "in"
    (folder / "anna").mkdir(parents=True)
    for seed, name in enumerate(("a.wav", "b.flac", "c.wav", "anna/a.wav")):
        soundfile.write(folder / name, noise(8000, seed), 8000)
    (folder / "bad.wav").write_text("words")
    return folder


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_recordings_are_restored_as_without_beam(folder, tmp_path, call):
    outputs = tmp_path / "local", tmp_path / "beam"
    local = call(command, folder, "--model=phone-4x", "--force", f"--output={outputs[0]}")
    code, out, err = call(
        command, folder, "--model=phone-4x", "--force", f"--output={outputs[1]}", *FLAGS
    )
    assert code == local[0] == 1
    found = content(outputs[1])
    reasons = [json.loads(line) for line in found.pop("left_out.jsonl").splitlines()]
    assert found == content(outputs[0])
    assert found.keys() == {"a.wav", "b.flac", "c.wav", "anna/a.wav"}
    counters, left_out, summary = out.splitlines()
    assert counters == "models loaded: 1, recordings left out: 1, recordings restored: 4"
    assert left_out == f"left out: {reasons[0]}"
    assert reasons[0].startswith(f"{folder}/bad.wav: not readable as audio")
    assert summary == f"4 of 5 restored in {outputs[1]}"
    assert err == local[2]


def test_what_exists_is_skipped_on_request(folder, tmp_path, call):
    (folder / "bad.wav").unlink()
    arguments = (folder, "--model=spline", "--sample_rate=16000", "--ratio=2", *FLAGS)
    output = tmp_path / "out"
    assert call(command, *arguments, f"--output={output}", "--limit=2")[0] == 0
    code, out, err = call(command, *arguments, f"--output={output}", "--skip_existing")
    assert code == 0, err
    assert out.splitlines()[0] == "2 of 4 exist already"
    assert "recordings restored: 2" in out
    assert content(output).keys() == {"a.wav", "b.flac", "c.wav", "anna/a.wav"}


def test_inputs_and_outputs_may_have_addresses(folder, tmp_path, monkeypatch):
    """The file system of this machine stands behind the addresses."""
    monkeypatch.setattr(beam, "is_address", lambda path: str(path).startswith("/"))
    output = str(tmp_path / "out")
    work = beam.pair_inputs([f"{folder}/", f"{folder}/a.wav"], output, ".flac")
    names = ("a", "anna/a", "b", "bad", "c", "a")
    assert [target for _, target in work.pairs] == [f"{output}/{name}.flac" for name in names]
    assert work.left_out == {}
    flags = FLAGS[1:]
    options = PipelineOptions([RUNNER, *flags])
    model = (["spline"], 16000, "2")
    refused = beam.restore(work.pairs[:2], output, model, Settings(), options)
    assert refused == []
    assert content(tmp_path / "out").keys() == {"a.flac", "anna/a.flac"}


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ((), 1, "--output is missing"),
        (("--output=out", "--workers=2"), 1, "--workers does not go with --runner"),
        (("--output=out", "--direct_num_workerz=2"), 2, "unknown flag --direct_num_workerz"),
        (("--output=out", "--model=nowhere"), 1, "nowhere"),
    ],
)
def test_a_wrong_flag_is_one_line(
    folder, tmp_path, monkeypatch, call, error_line, flags, code, message
):
    monkeypatch.chdir(tmp_path)
    found, _, err = call(command, folder, RUNNER, *flags)
    assert found == code
    assert message in error_line(err)
    assert not (tmp_path / "out").exists()


def test_flags_of_beam_are_unknown_without_a_runner(folder, call, error_line):
    code, _, err = call(command, folder, "--direct_num_workers=2")
    assert code == 2
    assert "unknown flag --direct_num_workers" in error_line(err)
