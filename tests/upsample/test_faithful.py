"""The faithful command refuses what it cannot restore before a network runs; inputs stay."""

import numpy as np
import pytest
import soundfile
from wideband.upsample import audiosr_stages, faithful

RATE = 48000


@pytest.fixture
def restore(call, tmp_path, monkeypatch):
    """Returns a function that restores waves (n,), in files, and returns the error."""
    monkeypatch.setattr(faithful, "load", lambda model: None)

    def restore(*waves, output="b.wav"):
        paths = [tmp_path / f"a{k}.wav" for k in range(len(waves))]
        for path, wave in zip(paths, waves, strict=True):
            soundfile.write(path, wave, RATE, subtype="FLOAT")
        before = [path.read_bytes() for path in paths]
        flags = ["--model=run", f"--output={tmp_path / output}"]
        code, _, err = call(faithful.command, *paths, *flags)
        assert code and err.count("\n") == 1
        assert [path.read_bytes() for path in paths] == before
        assert sorted(tmp_path.iterdir()) == paths
        return err

    return restore


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros(0), "a0.wav: 0 samples at 48 kHz are too few; AudioSR's code needs 101\n"),
        (np.full(999, np.nan), "a0.wav: the recording contains NaN or infinity; repair it first\n"),
        (np.zeros(999), "on; restore it with wideband-upsample\n"),
    ],
)
def test_recordings_that_the_code_cannot_take_are_refused(wave, message, restore, monkeypatch):
    monkeypatch.setattr(audiosr_stages, "GRAIN_SECONDS", 0.64)
    assert restore(wave).endswith(message)


def test_a_recording_is_not_overwritten(restore):
    assert "a0.wav would be overwritten; choose another --output" in restore(
        np.ones(999), output="a0.wav"
    )


def test_the_format_is_checked_first(restore):
    assert "b.xyz: cannot write this format; writable are .wav" in restore(
        np.ones(999), output="b.xyz"
    )


def test_one_recording_is_taken(restore):
    assert "2 recordings; name one" in restore(np.ones(999), np.ones(999), output="folder")
