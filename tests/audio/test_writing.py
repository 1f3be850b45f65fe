"""Writing recordings, compared with soundfile and NumPy."""

import os
import resource
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
from wideband import audio
from wideband.audio import writing
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
    [
        ("a.txt", 16000, "cannot write this format"),
        ("a.mp3", 12345, "cannot be written"),
        ("a.ogg", 200_001, "the highest rate is 200000 Hz"),
    ],
)
def test_a_format_that_cannot_be_written_is_refused_and_leaves_no_file(
    tmp_path, noise, name, sample_rate, message
):
    with pytest.raises(UserError, match=message):
        audio.write(tmp_path / name, noise(16000), sample_rate)
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", audio.WRITABLE_SUFFIXES)
def test_a_full_disk_is_noticed_in_the_last_byte(tmp_path, noise, suffix):
    path = tmp_path / f"a{suffix}"
    audio.write(path, noise(16000), 16000)
    whole = path.read_bytes()
    for limit in (0, 1, 40, 100, 4096, len(whole) // 2, len(whole) - 100, len(whole) - 1):
        with largest_file(limit), pytest.raises(UserError) as caught:
            audio.write(path, noise(16000), 16000)
        assert str(caught.value) == (
            f"{path}: cannot be written: File too large; choose a folder that allows larger files, "
            "or raise the limit with ulimit -f"
        )
        assert (names(tmp_path), path.read_bytes()) == ([path.name], whole)
    with largest_file(len(whole)):
        audio.write(path, noise(16000), 16000)


def test_a_full_disk_ends_a_long_recording_early(tmp_path, noise):
    with (
        largest_file(40000),
        pytest.raises(UserError, match="File too large"),
        audio.writer(tmp_path / "a.wav", 16000, 1) as write_chunk,
    ):
        write_chunk(noise(16000))
        write_chunk(noise(16000))
        raise AssertionError("the second chunk does not fit")


@contextmanager
def largest_file(size):
    """Limits the size of the files that this process writes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_that_cannot_be_read_back_is_not_kept(tmp_path, noise, monkeypatch):
    def lose_the_end(path):
        os.truncate(path, path.stat().st_size - 100)
        return audio.info(path)

    monkeypatch.setattr(writing, "info", lose_the_end)
    with pytest.raises(UserError, match=r"cannot be written .*16000 samples cannot be read back"):
        audio.write(tmp_path / "a.wav", noise(16000), 16000)
    assert names(tmp_path) == []


def test_a_folder_that_vanishes_is_named_as_the_cause(tmp_path, noise):
    path = tmp_path / "out" / "a.wav"
    with (
        pytest.raises(UserError, match=r"a\.wav: cannot be written: No such file or directory"),
        audio.writer(path, 16000, 1) as write_chunk,
    ):
        write_chunk(noise(16000))
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_nan_and_infinity_are_refused(tmp_path, noise, bad, subtype):
    wave = noise(16000)
    wave[5000] = bad
    with pytest.raises(UserError, match=r"a\.wav: the wave contains NaN or infinity; check the"):
        audio.write(tmp_path / "a.wav", wave, 16000, subtype)
    assert names(tmp_path) == []


def test_huge_samples_are_clipped_in_integers_and_kept_in_floats(tmp_path):
    wave = np.array([1e38, -1e38, 0.5], np.float32)
    audio.write(tmp_path / "a.wav", wave, 16000)
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav")[0][:, 0], [1, -1, 0.5], atol=1e-4)
    audio.write(tmp_path / "b.wav", wave, 16000, "FLOAT")
    np.testing.assert_array_equal(audio.read(tmp_path / "b.wav")[0][:, 0], wave)


@pytest.mark.parametrize(
    ("suffix", "subtype", "frames", "container"),
    [
        (".wav", None, 2**30, "WAV"),
        (".wav", None, 2**31, "RF64"),
        (".wav", "DOUBLE", 2**29, "RF64"),
        (".flac", None, 2**31, "FLAC"),
    ],
)
def test_a_wav_of_more_than_4_gib_has_another_header(tmp_path, suffix, subtype, frames, container):
    path = tmp_path / f"a{suffix}"
    with audio.writer(path, 16000, 1, subtype, frames) as write_chunk:
        write_chunk(np.zeros(10, np.float32))
    assert soundfile.info(path).format == container


def test_an_aiff_of_more_than_4_gib_is_refused_at_once(tmp_path):
    with (
        pytest.raises(UserError, match="AIFF files end at 4 GiB; choose wav or flac"),
        audio.writer(tmp_path / "a.aif", 16000, 2, "PCM_24", frames=2**30),
    ):
        pass


def test_a_failed_write_leaves_the_old_file_unchanged(tmp_path, noise):
    path = tmp_path / "a.wav"
    audio.write(path, noise(16000), 16000)
    before = path.read_bytes()
    with pytest.raises(UserError):
        audio.write(path, noise(16000), 16000, subtype="NONSENSE")
    assert (names(tmp_path), path.read_bytes()) == (["a.wav"], before)
