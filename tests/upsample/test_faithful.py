"""The faithful command: what it refuses before a network runs, and NVSR as its code does it."""

from types import SimpleNamespace

import librosa
import numpy as np
import pytest
import soundfile
from seeds import seed_networks
from wideband import audio, models
from wideband.command import UserError
from wideband.upsample import audiosr_stages, faithful

RATE = 48000
NVSR_RATE = 44100


@pytest.fixture
def restore(call, tmp_path, monkeypatch):
    """Returns a function that restores waves (n,), in files, and returns the error."""
    monkeypatch.setattr(faithful, "load", lambda model: SimpleNamespace(name="audiosr"))

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


@pytest.fixture(scope="module")
def nvsr():
    seed_networks(0)
    return models.build("nvsr", **models.small("nvsr"))


def test_nvsr_takes_the_low_band_from_the_recording_bin_by_bin(
    nvsr, noise, tmp_path, monkeypatch, call
):
    wave = audio.resample(0.1 * noise(4000), 8000, NVSR_RATE)
    found = faithful.restore_nvsr(nvsr, np.stack([wave, 0 * wave], axis=1), NVSR_RATE)
    padded = np.pad(wave, (0, -len(wave) % nvsr.multiple))
    made = np.asarray(nvsr(padded[None, :, None]))[0, : len(wave), 0]
    # As examples/NVSR does with librosa.
    original, generated = librosa.stft(wave), librosa.stft(made)
    total = np.abs(original).sum(axis=1).cumsum()
    row = next(1024 - k for k in range(1025) if total[1024 - k] < 0.97 * total[-1])
    assert 170 < row < 190
    generated[:row] = original[:row]
    expected = librosa.istft(generated, length=len(wave))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)

    monkeypatch.setattr(faithful, "load", lambda model: nvsr)
    soundfile.write(tmp_path / "a.wav", wave, NVSR_RATE, subtype="FLOAT")
    flags = ["--model=run", f"--output={tmp_path / 'b.wav'}"]
    code, out, _ = call(faithful.command, tmp_path / "a.wav", *flags)
    assert code == 0 and "b.wav: as the code of nvsr restores" in out
    written, sample_rate = soundfile.read(tmp_path / "b.wav")
    assert sample_rate == NVSR_RATE
    np.testing.assert_allclose(written, found, rtol=0, atol=1e-4)


def test_nvsr_refuses_empty_recordings_and_takes_silence(nvsr):
    with pytest.raises(UserError, match=r"^no samples$"):
        faithful.restore_nvsr(nvsr, np.zeros(0), NVSR_RATE)
    assert faithful.restore_nvsr(nvsr, np.zeros(5000), NVSR_RATE).shape == (5000,)
