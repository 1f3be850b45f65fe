"""wideband-prepare on faulty corpora, full disks and damaged datasets: it continues or repairs."""

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wideband.command.locks import locked
from wideband.data_gen import corpora, journal, pipeline, plan, prepare, spool
from wideband.data_gen.__main__ import command
from wideband.data_gen.dataset import Dataset

RATE = 16000


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def last_line(err):
    """Returns the error line below the progress bars."""
    line = err.rstrip("\n").rpartition("\n")[2]
    assert line.startswith("error: ") and "Traceback" not in err, err
    return line


# Faulty corpora


def test_names_that_are_not_utf_8_are_escaped(small, tmp_path, prepare_dataset, rows):
    strange = Path(os.fsdecode(os.fsencode(small) + b"/Jos\xe9"))
    (small / "anna").rename(strange)
    (strange / "a.wav").rename(os.fsdecode(os.fsencode(strange) + b"/caf\xe9.wav"))
    code, out, err = prepare_dataset(small, tmp_path / "out")
    assert code == 0, err
    assert out.splitlines()[-1] == "left out: none"
    manifest = rows(tmp_path / "out" / "manifest.csv")
    assert manifest[0]["path"] == "Jos\\xe9/caf\\xe9.wav"
    assert manifest[0]["speaker"] == "Jos\\xe9"
    dataset = Dataset(tmp_path / "out")
    names = [each.name for split in corpora.SPLITS for each in dataset.examples(split)]
    assert "Jos\\xe9/caf\\xe9.wav" in names


def test_the_source_itself_may_have_such_a_name(small, tmp_path, prepare_dataset):
    strange = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    (small / "anna").rename(strange)
    for number in range(3):
        (strange / f"{number}.wav").write_bytes((strange / "a.wav").read_bytes())
    code, _, err = prepare_dataset(strange, tmp_path / "out")
    assert code == 0, err
    (example,) = Dataset(tmp_path / "out").examples("valid")
    assert example.speaker == "\\xff"


def test_the_output_may_have_such_a_name(small, tmp_path, prepare_dataset):
    output = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe4ta"))
    code, _, err = prepare_dataset(small, output)
    assert code == 0, err
    dataset = Dataset(output)
    assert len(list(dataset.examples("train"))) == 1
    assert len(list(pipeline.arrays(pipeline.patches(dataset, batch=99), dataset, "train"))) == 1


def test_a_name_that_would_lead_elsewhere_on_another_system_is_left_out(
    small, tmp_path, prepare_dataset
):
    (small / "anna" / "b\\..\\evil.wav").write_bytes((small / "anna" / "a.wav").read_bytes())
    code, out, err = prepare_dataset(small, tmp_path / "out")
    assert code == 0, err
    assert "left out: 1 unreadable;" in out
    assert "  anna/b\\..\\evil.wav: unreadable: the name 'anna/b\\\\..\\\\evil.wav' is not a" in out
    assert list(Dataset(tmp_path / "out").left_out) == ["anna/b\\..\\evil.wav"]


def test_what_is_not_read_is_named_in_the_summary_and_the_manifest(
    small, tmp_path, prepare_dataset, rows
):
    (small / "anna" / "b.m4a").write_bytes(b"x")
    (small / "beth" / "again").symlink_to(small)
    (small / "carl" / "c.wav").symlink_to(small / "nowhere")
    code, out, err = prepare_dataset(small, tmp_path / "out")
    assert code == 0, err
    lines = out.splitlines()[3:]
    manifest = tmp_path / "out" / "manifest.csv"
    assert lines[0] == f"left out: 3 not read; {manifest} lists each with its reason"
    names = ["anna/b.m4a", "beth/again", "carl/c.wav"]
    assert [line.split(": ")[0] for line in lines[1:]] == [f"  {name}" for name in names]
    assert "ffmpeg -i" in lines[1] and "searched already" in lines[2]
    left_out = {row["path"]: row["reason"] for row in rows(manifest) if row["reason"]}
    assert [f"  {name}: {reason}" for name, reason in left_out.items()] == lines[1:]
    # The splits do not depend on what is left out.
    assert [row["split"] for row in rows(manifest) if not row["reason"]] == sorted(
        ["train", "valid", "test"], key=[row["split"] for row in rows(manifest)].index
    )


def test_the_summary_names_ten_files_at_most(small, tmp_path, prepare_dataset):
    for number in range(12):
        (small / "anna" / f"{number:02d}.wav").touch()
    (small / "beth" / "x.m4a").touch()
    _, out, _ = prepare_dataset(small, tmp_path / "out")
    assert "left out: 1 not read, 12 unreadable" in out
    named = [line.split(":")[0] for line in out.splitlines() if line.startswith("  ")]
    assert named == ["  beth/x.m4a", *(f"  anna/{number:02d}.wav" for number in range(9))]


def test_strict_stops_at_what_is_not_read(small, tmp_path, prepare_dataset, error_line):
    (small / "anna" / "b.m4a").touch()
    code, _, err = prepare_dataset(small, tmp_path / "out", "--strict")
    assert code == 1
    assert error_line(err).startswith("error: anna/b.m4a: not read: ")
    assert not (tmp_path / "out").exists()


def test_a_corpus_of_which_nothing_can_be_read_says_why(tmp_path, prepare_dataset, error_line):
    (tmp_path / "in" / "anna").mkdir(parents=True)
    (tmp_path / "in" / "anna" / "b.m4a").touch()
    _, _, err = prepare_dataset(tmp_path / "in", tmp_path / "out")
    assert "no recordings found" in error_line(err)
    assert "; anna/b.m4a: not read: cannot be read; convert it: ffmpeg" in err


def test_a_long_recording_that_is_cut_after_it_was_measured_stops_the_run(
    small, tmp_path, prepare_dataset, monkeypatch, finished
):
    path = small / "anna" / "a.wav"
    before = path.read_bytes()

    def cut(source):
        if source.path == path:
            path.write_bytes(before[: len(before) // 2])
        return plan.waves(source)

    with monkeypatch.context() as patch:
        patch.setattr(spool, "LONGEST", 0)
        patch.setattr(spool, "waves", cut)
        code, _, err = prepare_dataset(small, tmp_path / "out")
    assert code == 1
    assert last_line(err).startswith(f"error: {path}: has changed since it was measured (")
    assert not (tmp_path / "out" / "manifest.csv").exists()
    path.write_bytes(before)
    assert prepare_dataset(small, tmp_path / "out")[0] == 0
    assert content(tmp_path / "out") == content(finished)


# Full disks


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        (10, "dataset.json"),
        (700, "measured.jsonl"),
        (2000, "train-00000.tfrecord"),
        (20_000, "train-00000.tfrecord"),
    ],
)
def test_a_full_disk_is_one_line_and_the_same_command_continues(
    small, tmp_path, prepare_dataset, file_limit, limit, name
):
    for number in range(10):
        (small / "anna" / f"{number}.wav").touch()
    finished, output = tmp_path / "finished", tmp_path / "out"
    assert prepare_dataset(small, finished)[0] == 0
    with file_limit(limit):
        code, _, err = prepare_dataset(small, output)
    assert code == 1
    assert last_line(err).startswith(f"error: {output / name}: cannot be written: File too large;")
    assert not (output / name).exists() or name == "measured.jsonl"
    assert not list(output.glob(".*"))
    code, _, err = prepare_dataset(small, output)
    assert code == 0, err
    assert content(output) == content(finished)


def test_a_disk_that_is_full_for_the_manifest_leaves_an_unfinished_dataset(
    small, tmp_path, prepare_dataset, finished, file_limit, monkeypatch
):
    output = tmp_path / "out"
    with monkeypatch.context() as patch:

        def full(path, rows):
            with file_limit(100):
                write_csv(path, rows)

        write_csv = prepare.write_csv
        patch.setattr(prepare, "write_csv", full)
        code, _, err = prepare_dataset(small, output)
    assert code == 1
    assert last_line(err).startswith(f"error: {output}/manifest.csv: cannot be written: File too")
    assert "measured.jsonl" in content(output)
    assert prepare_dataset(small, output)[0] == 0
    assert content(output) == content(finished)


@pytest.mark.parametrize(
    "line", ["5", "[]", '["anna/a.wav"]', '["anna/a.wav", [1, 2]]', '[{}, "x"]', "\0\0", '["anna']
)
def test_damaged_lines_of_a_journal_are_measured_again(
    small, tmp_path, prepare_dataset, finished, line
):
    output = tmp_path / "out"
    output.mkdir()
    (output / "dataset.json").write_bytes((finished / "dataset.json").read_bytes())
    (output / "measured.jsonl").write_text(f"\n{line}\n")
    assert journal.Journal(output / "measured.jsonl").read() == {}
    assert prepare_dataset(small, output)[0] == 0
    assert content(output) == content(finished)


# Two runs at once


def test_two_runs_do_not_work_in_one_folder(small, tmp_path, prepare_dataset, error_line, finished):
    before = content(finished)
    for output in (tmp_path / "out", finished):
        output.mkdir(exist_ok=True)
        with locked(output, ""):
            code, _, err = prepare_dataset(small, output)
        assert code == 1
        assert error_line(err).startswith(f"error: {output}: another wideband-prepare works here")
    assert not list((tmp_path / "out").iterdir())
    assert content(finished) == before


# Damaged datasets


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def swap(path):
    path.write_bytes((path.parent / "valid-00000.tfrecord").read_bytes())


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("train-00000.tfrecord", Path.unlink),
        ("train-00000.tfrecord", cut),
        ("train-00000.tfrecord", Path.touch),
        ("train-00000.tfrecord", lambda path: path.write_bytes(b"")),
        ("train-00000.tfrecord", lambda path: path.write_bytes(b"words" * 99)),
        ("manifest.csv", Path.unlink),
        ("manifest.csv", cut),
        ("manifest.csv", lambda path: path.write_text("split,path,speaker,reason\n")),
        ("manifest.csv", lambda path: path.write_bytes(b"\xff\xfe")),
    ],
)
def test_the_same_command_repairs_a_dataset(small, finished, prepare_dataset, name, damage):
    before = content(finished)
    damage(finished / name)
    code, out, err = prepare_dataset(small, finished)
    assert code == 0, err
    assert content(finished) == before
    assert ("finished already" in out) == (damage is Path.touch)


def test_a_changed_byte_in_a_shard_is_repaired_once_the_run_is_unfinished(
    small, finished, prepare_dataset
):
    before = content(finished)
    shard = finished / "train-00000.tfrecord"
    damaged = bytearray(before[shard.name])
    damaged[1000] ^= 1
    shard.write_bytes(damaged)
    (finished / "manifest.csv").unlink()
    assert prepare_dataset(small, finished)[0] == 0
    assert content(finished) == before


def test_complete_shards_of_other_recordings_are_written_anew(
    small, noise, finished, tmp_path, prepare_dataset
):
    """Such as those of a version that measures differently and keeps other recordings."""
    before = content(finished)
    swap(finished / "train-00000.tfrecord")
    (finished / "manifest.csv").unlink()
    assert prepare_dataset(small, finished)[0] == 0
    assert content(finished) == before


def test_one_worker_more_than_recordings_is_not_started(small, tmp_path, call, monkeypatch):
    asked = []
    monkeypatch.setattr(
        prepare, "map_in_order", lambda workers, ahead: asked.append(workers) or nullcontext(map)
    )
    flags = [f"--source={small}", f"--output={tmp_path / 'out'}", "--workers=100"]
    assert call(command, "--corpus=folder", *flags)[0] == 0
    assert asked == [3]


def test_silence_is_left_out_on_a_retry_too(small, tmp_path, prepare_dataset, noise):
    soundfile.write(small / "anna" / "b.wav", np.zeros(RATE), RATE)
    first = prepare_dataset(small, tmp_path / "out")
    again = prepare_dataset(small, tmp_path / "out")
    assert first[0] == again[0] == 0
    assert again[1].endswith(first[1])
