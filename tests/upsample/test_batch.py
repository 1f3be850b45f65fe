"""Batches of recordings: constant memory, and no half-written files after an interruption."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from wideband.upsample import batch, restore
from wideband.upsample.__main__ import command
from wideband.upsample.picking import candidates
from wideband.upsample.settings import Settings


@pytest.fixture
def recordings(noise, tmp_path):
    """Five recordings with their output files."""
    pairs = []
    for number in range(5):
        source = tmp_path / f"{number}.wav"
        soundfile.write(source, noise(4000, number), 4000)
        pairs.append((source, tmp_path / "out" / f"{number}.wav"))
    return pairs


@pytest.mark.parametrize("workers", [1, 4])
def test_the_number_of_workers_does_not_change_the_output(recordings, workers, capsys):
    models = candidates(["phone-4x"], 16000, 4)
    assert batch.restore_files(models, recordings, Settings(), workers) == []
    assert capsys.readouterr().out.count("used phone-4x") == 5
    for source, target in recordings:
        wave, _ = soundfile.read(source, dtype="float32")
        expected, _ = models[0].upsampler.upsample(wave, 4000)
        found, _ = soundfile.read(target, dtype="float32")
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_ctrl_c_leaves_no_half_written_recordings(recordings, monkeypatch):
    """The main thread is interrupted when it waits for the third recording."""
    finished = batch.as_completed

    def interrupted(futures):
        for number, future in enumerate(finished(futures)):
            if number == 2:
                raise KeyboardInterrupt
            yield future

    monkeypatch.setattr(batch, "as_completed", interrupted)
    models = candidates(["spline"], 16000, 4)
    with pytest.raises(KeyboardInterrupt):
        batch.restore_files(models, recordings, Settings(), 1)
    folder = recordings[0][1].parent
    names = sorted(path.name for path in folder.iterdir())
    # Each file is complete or missing, and hidden temporary files are removed.
    assert {"0.wav", "1.wav"} <= {*names} <= {target.name for _, target in recordings}
    for name in names:
        assert soundfile.info(folder / name).frames == 16000


# Runs the command on recordings that never end.
ENDLESS = """
import sys, time
from wideband import audio
from wideband.upsample.__main__ import command
from wideband.upsample.upsampler import CHUNK_SECONDS
blocks = audio.blocks
def endless(path, seconds):
    chunks = list(blocks(path, seconds))
    yield from chunks
    while seconds == CHUNK_SECONDS:  # to restore them, not to measure them
        time.sleep(0.01)
        yield chunks[-1]
audio.blocks = endless
sys.exit(command())
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_stopped_process_leaves_nothing_for_long(stop, noise, tmp_path, call):
    soundfile.write(tmp_path / "old.wav", noise(4000), 4000)
    folder = tmp_path / "out"
    arguments = [tmp_path / "old.wav", "--model=spline", f"--output={folder / 'new.wav'}"]
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(folder.glob(".wideband-*/new.wav")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, stop)
    _, err = process.communicate(timeout=600)
    assert process.returncode == -stop
    if stop == signal.SIGKILL:
        assert [path.suffix for path in folder.iterdir()] == [""]
    else:
        assert err == "stopped\n"
        assert list(folder.iterdir()) == []
    # The next process removes what a killed one left.
    soundfile.write(tmp_path / "other.wav", noise(4000), 4000)
    assert call(command, tmp_path / "other.wav", *arguments[1:2], f"--output={folder}/")[0] == 0
    assert [path.name for path in folder.iterdir()] == ["other.wav"]


def test_a_bad_recording_does_not_end_a_batch(recordings, tmp_path, monkeypatch, capsys):
    """Damaged, removed, replaced by a folder, and with an error of the system."""
    sources = [source for source, _ in recordings]
    sources[0].write_text("not audio\n")
    sources[1].unlink()
    sources[2].unlink()
    sources[2].mkdir()
    measure = batch.audio.measure.measure

    def fail(path, progress):
        if path == sources[3]:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return measure(path, progress)

    monkeypatch.setattr(batch.audio.measure, "measure", fail)
    refused = batch.restore_files(candidates(["spline"], 16000, 4), recordings, Settings())
    messages = sorted(map(str, refused))
    for source, message, reason in zip(
        sources,
        messages,
        ("not readable as audio", "there is no such file", "a folder", "Permission denied"),
        strict=False,
    ):
        assert message.startswith(f"{source}: "), message
        assert reason in message
    out = capsys.readouterr().out
    assert all(f"left out: {message}" in out for message in messages)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["4.wav"]


def test_an_output_folder_may_be_removed_during_a_batch(recordings, monkeypatch):
    folder, written = recordings[0][1].parent, []
    write_chunk = restore.write_chunk

    def removing(write, wave, gain=1.0):
        written.append(len(wave))
        if len(written) == 3:
            shutil.rmtree(folder)
        return write_chunk(write, wave, gain)

    monkeypatch.setattr(restore, "write_chunk", removing)
    (refused,) = batch.restore_files(candidates(["spline"], 16000, 4), recordings, Settings(), 1)
    assert str(refused).startswith(f"{recordings[1][1]}: cannot be written")
    # The first was removed with the folder, and the second was being written.
    assert sorted(path.name for path in folder.iterdir()) == ["2.wav", "3.wav", "4.wav"]


def test_a_full_disk_leaves_out_what_does_not_fit_and_a_later_call_continues(
    recordings, tmp_path, error_line
):
    """The limit of the size of a file takes the place of a full disk."""
    soundfile.write(tmp_path / "long.wav", np.zeros(40000), 4000)
    line = [sys.executable, "-m", "wideband.upsample", "--model=spline", "--skip_existing"]
    line += [*map(str, tmp_path.glob("*.wav")), f"--output={tmp_path / 'out'}"]

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))

    done = subprocess.run(line, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 1
    assert "5 of 6 restored" in done.stdout
    message = error_line(done.stderr)
    assert (
        f"the first: {tmp_path / 'out' / 'long.wav'}: cannot be written: File too large" in message
    )
    assert len(list((tmp_path / "out").iterdir())) == 5
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "5 of 6 exist already" in done.stdout
    assert soundfile.info(tmp_path / "out" / "long.wav").frames == 160000


def test_a_long_recording_needs_no_more_memory_than_a_short_one(noise, tmp_path):
    """Ten minutes at 16 kHz are 38 MB in float32."""
    minute = noise(240000)
    for minutes in (1, 10):
        with soundfile.SoundFile(tmp_path / f"{minutes}.wav", "w", 4000, 1) as file:
            for _ in range(minutes):
                file.write(minute)
    code = (
        "import resource, sys; from wideband.upsample.__main__ import command\n"
        "assert command() == 0\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    mebibytes = []
    for source in (tmp_path / "1.wav", tmp_path / "10.wav"):
        line = [sys.executable, "-c", code, source, "--model=spline"]
        done = subprocess.run(
            [*line, f"--output={tmp_path / 'out.wav'}"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert soundfile.info(tmp_path / "out.wav").frames == 4 * soundfile.info(source).frames
        mebibytes.append(int(done.stdout.split()[-1]) / 1024)
    assert mebibytes[1] - mebibytes[0] < 12
