"""Recordings that come through pipes: FIFOs, `<(sox ...)` of a shell, /dev/stdin."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile
from wideband.upsample.__main__ import command


@pytest.fixture
def recording(noise, tmp_path):
    """A recording and the content of the file that it becomes."""
    soundfile.write(tmp_path / "old.wav", noise(8000), 4000)
    return tmp_path / "old.wav"


@pytest.fixture
def feed():
    """Returns a function that writes content into a pipe, in a thread."""
    threads = []

    def feed(open_pipe, content):
        def write():
            with open_pipe() as pipe:
                pipe.write(content)

        threads.append(threading.Thread(target=write))
        threads[-1].start()

    yield feed
    for thread in threads:
        thread.join()


def restore(call, source, output):
    code, out, err = call(command, source, "--model=spline", f"--output={output}")
    return code, out, err


@pytest.mark.parametrize("kind", ["FIFO", "process substitution"])
def test_a_recording_from_a_pipe_is_restored_like_a_file(kind, recording, feed, call, tmp_path):
    folder = tmp_path / "out"
    assert restore(call, recording, folder / "file.wav")[0] == 0
    content = recording.read_bytes()
    if kind == "FIFO":
        source = tmp_path / "pipe"
        os.mkfifo(source)
        feed(lambda: source.open("wb"), content)
    else:
        reading, writing = os.pipe()
        source = f"/dev/fd/{reading}"
        feed(lambda: os.fdopen(writing, "wb"), content)
    code, out, err = restore(call, source, folder / "pipe.wav")
    if kind == "process substitution":
        os.close(reading)
    assert code == 0, err
    assert "1 of 1 restored" in out
    # Not the hidden copy.
    assert f"{folder / 'pipe.wav'}: {source} has a band up to" in out
    assert sorted(path.name for path in folder.iterdir()) == ["file.wav", "pipe.wav"]
    file, pipe = (soundfile.read(folder / name)[0] for name in ("file.wav", "pipe.wav"))
    np.testing.assert_array_equal(pipe, file)


def test_a_pipe_without_audio_is_refused_and_leaves_nothing(feed, call, error_line, tmp_path):
    """As from a program that fails."""
    os.mkfifo(tmp_path / "pipe")
    for content, message in ((b"", "the file is empty"), (b"no audio", "not readable as audio")):
        feed(lambda: (tmp_path / "pipe").open("wb"), content)
        code, _, err = restore(call, tmp_path / "pipe", tmp_path / "new.wav")
        assert code == 1
        assert error_line(err).startswith(f"error: {tmp_path / 'pipe'}: {message}")
        # Nothing hidden is named.
        assert f"{tmp_path}/." not in err
        assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("through_pipe", [True, False])
def test_the_standard_input_can_be_named_as_a_file(through_pipe, recording, tmp_path):
    line = [sys.executable, "-m", "wideband.upsample", "/dev/stdin", "--model=spline"]
    line.append(f"--output={tmp_path / 'new.wav'}")
    with recording.open("rb") as file:
        options = {"input": file.read()} if through_pipe else {"stdin": file}
        done = subprocess.run(line, capture_output=True, **options)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "new.wav").frames == 32000
