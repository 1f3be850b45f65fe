"""Writing recordings, compared with soundfile and NumPy."""

import numpy as np
import pytest
import soundfile
from wideband import audio
from wideband.command import UserError


@pytest.fixture
def stereo(noise):
    """Returns a function that makes two channels of noise, (n, 2)."""
    return lambda n: noise(2 * n).reshape(n, 2)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", audio.WRITABLE_SUFFIXES)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_keeps_the_length_rate_channels_and_wave(tmp_path, tone, suffix, channels):
    path = tmp_path / f"a{suffix}"
    wave = tone(50001, 440, 22050) * np.hanning(50001)
    wave = np.stack([wave, -0.5 * wave][:channels], axis=1)
    audio.write(path, wave, 22050)
    assert audio.info(path) == (50001, 22050, channels)
    found, sample_rate = audio.read(path)
    assert (found.shape, found.dtype, sample_rate) == ((50001, channels), np.float32, 22050)
    # A step of 16 bits, or the inaudible errors of a lossy format.
    tolerance = 0.02 if suffix in (".mp3", ".ogg") else 1.01 / 32768
    np.testing.assert_allclose(found, wave, atol=tolerance)


def test_minutes_of_ogg_can_be_written(tmp_path, stereo):
    # libsndfile's Vorbis encoder crashes the process if it encodes all of them at once.
    audio.write(tmp_path / "a.ogg", stereo(190 * 16000), 16000)
    assert audio.info(tmp_path / "a.ogg").frames == 190 * 16000


def test_the_sample_format_can_be_chosen(tmp_path, noise):
    wave = 30 * noise(16000)
    audio.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    assert audio.subtype(tmp_path / "a.wav") == "FLOAT"
    assert soundfile.info(tmp_path / "a.wav").subtype == "FLOAT"
    np.testing.assert_array_equal(audio.read(tmp_path / "a.wav")[0][:, 0], wave)


@pytest.mark.parametrize(
    ("name", "sample_rate", "message"),
    [("a.txt", 16000, "cannot write this format"), ("a.mp3", 12345, "cannot be written")],
)
def test_a_format_that_cannot_be_written_is_refused_and_leaves_no_file(
    tmp_path, noise, name, sample_rate, message
):
    with pytest.raises(UserError, match=message):
        audio.write(tmp_path / name, noise(16000), sample_rate)
    assert names(tmp_path) == []


def test_a_failed_write_leaves_the_old_file_unchanged(tmp_path, noise):
    path = tmp_path / "a.wav"
    audio.write(path, noise(16000), 16000)
    before = path.read_bytes()
    with pytest.raises(UserError):
        audio.write(path, noise(16000), 16000, subtype="NONSENSE")
    assert (names(tmp_path), path.read_bytes()) == (["a.wav"], before)
