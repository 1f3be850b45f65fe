"""Records that wait in the spool: a recording is decoded once, and the bytes stay the same."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wideband.audio.measure import measure
from wideband.data_gen import plan, prepare, spool
from wideband.data_gen.corpora import Recording
from wideband.data_gen.dataset import Dataset
from wideband.data_gen.layout import cut
from wideband.data_gen.settings import Settings
from wideband.data_gen.survey import Measured

RATE = 16000


class KilledError(BaseException):
    """Raised by a hook to stop a run, like a signal between two instructions."""


def stop(*arguments):
    raise KilledError


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("flags", [(), ("--narrow", "--narrow_from=3000")])
def test_records_are_the_same_whether_recordings_are_decoded_once_or_twice(
    corpus, noise, tmp_path, prepare_dataset, monkeypatch, flags
):
    source = tmp_path / "in"
    shutil.copytree(corpus.folder, source)
    soundfile.write(source / "anna" / "long.flac", noise(round(130.3 * 22050)), 22050)
    read = []
    monkeypatch.setattr(spool, "waves", lambda each: read.append(each) or plan.waves(each))
    for name in ("once", "twice"):
        read.clear()
        assert prepare_dataset(source, tmp_path / name, *flags)[0] == 0
        if name == "once":
            # Decoders of MP3 round their samples differently in the middle of a recording.
            assert {each.piece.row.name for each in read} == {"anna/long.mp3"}
            monkeypatch.setattr(spool, "LONGEST", 0)
    assert content(tmp_path / "once") == content(tmp_path / "twice")
    dataset = Dataset(tmp_path / "once")
    assert len(read) == sum(map(dataset.count, ("train", "valid", "test"))) > 8


def test_what_happens_to_recordings_after_they_were_measured_does_not_matter(
    small, tmp_path, prepare_dataset, finished, monkeypatch
):
    write_shard = prepare.write_shard

    def remove_recordings(item):
        for path in small.rglob("*.wav"):
            path.unlink()
        return write_shard(item)

    monkeypatch.setattr(prepare, "write_shard", remove_recordings)
    code, _, err = prepare_dataset(small, tmp_path / "out")
    assert code == 0, err
    assert content(tmp_path / "out") == content(finished)


def test_a_run_that_was_stopped_is_continued_from_the_recordings(
    small, tmp_path, prepare_dataset, finished, monkeypatch
):
    output, path = tmp_path / "out", small / "beth" / "a.wav"
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(prepare, "write_shard", stop)
        prepare_dataset(small, output)
    assert sorted(content(output)) == ["dataset.json", "measured.jsonl"]
    # The same size, but half the rate.
    before = path.read_bytes()
    path.write_bytes(before[:24] + (RATE // 2).to_bytes(4, "little") + before[28:])
    code, _, err = prepare_dataset(small, output)
    assert code == 1
    assert (
        err.rstrip("\n")
        .rpartition("\n")[2]
        .startswith(
            f"error: {path}: has changed since it was measured (8000 Hz, not 16000 Hz); restore it"
        )
    )
    path.write_bytes(before)
    assert prepare_dataset(small, output)[0] == 0
    assert content(output) == content(finished)


def test_without_room_for_the_spool_records_are_made_from_the_recordings(noise, tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(RATE), RATE)
    settings = Settings("folder", "given", 0, 0, 0, RATE, 4, "decimate_spline", 256)
    recording = Recording(path, "a.wav", "anna", split="train")
    records = {}
    for name in ("there", "missing"):
        folder = tmp_path / name
        if name == "there":
            folder.mkdir()
        records_of = spool.Spool(folder, settings)
        facts = records_of.measure((recording, None))
        assert facts.frames == measure(path).frames == RATE
        measured = Measured(recording, facts, "")
        (piece,) = cut(measured.row(RATE), RATE, settings.shortest)
        source = plan.trace(piece, measured, settings)
        assert len(list(folder.glob("*"))) == (name == "there")
        records[name] = records_of.record(source)
        records_of.remove(source)
        assert not list(folder.glob("*"))
    assert records["there"] == records["missing"]


def test_unfit_recordings_leave_nothing_in_the_spool(tmp_path):
    settings = Settings("folder", "given", 0, 0, 0, RATE, 4, "decimate_spline", 256)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "text.wav").write_text("words")
    folder = Path(tmp_path / "spool")
    folder.mkdir()
    for name in ("silent.wav", "text.wav", "missing.wav"):
        recording = Recording(tmp_path / name, name, "anna")
        facts = spool.Spool(folder, settings).measure((recording, None))
        assert isinstance(facts, str) == (name != "silent.wav")
    assert not list(folder.iterdir())
