"""Reading and writing recordings, compared with soundfile and plain NumPy."""

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


@pytest.mark.parametrize("suffix", [".wav", ".ogg", ".flac"])
def test_a_section_of_a_recording_equals_that_of_the_whole(tmp_path, stereo, suffix):
    path = tmp_path / f"a{suffix}"
    audio.write(path, stereo(192000), 16000)
    whole, _ = audio.read(path)
    for start, stop in ((0, 100), (70001, 140003), (191990, 300000), (192000, 192010)):
        section, _ = audio.read(path, start, stop)
        np.testing.assert_array_equal(section, whole[start:stop])
    np.testing.assert_array_equal(audio.read(path, 5)[0], whole[5:])
    assert len(audio.read(path, 500000, 500010)[0]) == 0


def test_a_section_of_an_mp3_is_aligned_with_the_whole(tmp_path, noise):
    path = tmp_path / "a.mp3"
    audio.write(path, noise(320000), 16000)
    whole, _ = audio.read(path)
    for second in range(1, 19):
        start, stop = second * 16000, second * 16000 + 20000
        section, _ = audio.read(path, start, stop)
        # A decoder that starts in the middle lacks some bits of its first frames.
        np.testing.assert_allclose(section[2000:], whole[start + 2000 : stop], atol=1e-6)


@pytest.mark.parametrize("suffix", [".wav", ".ogg", ".mp3"])
def test_joined_blocks_equal_the_whole(tmp_path, noise, suffix):
    path = tmp_path / f"a{suffix}"
    audio.write(path, noise(315200), 16000)
    blocks = list(audio.blocks(path, seconds=1.0))
    assert [len(block) for block in blocks] == 19 * [16000] + [11200]
    np.testing.assert_allclose(np.concatenate(blocks), audio.read(path)[0], atol=1e-6)


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
    ("name", "content", "message"),
    [
        ("missing.wav", None, "there is no such file"),
        ("empty.wav", b"", "the file is empty"),
        ("text.wav", b"these are words\n", "not readable as audio"),
        ("cut.flac", b"fLaC\x00\x00\x00\x22", "not readable as audio"),
    ],
)
def test_a_file_without_audio_is_refused_in_one_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    for read in (audio.info, audio.read, lambda path: list(audio.blocks(path))):
        with pytest.raises(UserError, match=message) as caught:
            read(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert "\n" not in str(caught.value)


def test_a_folder_is_not_a_recording(tmp_path):
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(UserError, match="no such file"):
        audio.read(tmp_path / "a.wav")


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


def test_mono_is_the_mean_of_the_channels(stereo):
    wave = stereo(16000)
    np.testing.assert_allclose(audio.mono(wave), (wave[:, 0] + wave[:, 1]) / 2, atol=1e-8)
    np.testing.assert_array_equal(audio.mono(wave[:, 0]), wave[:, 0])


def test_samples_are_rounded_to_16_bits_clipped_and_restored_exactly():
    wave = np.array([0, 0.4, 0.6, -0.6, 32767, 32767.6, 40000, -32768, -40000]) / 32768
    samples = audio.to_int16(wave.astype(np.float32))
    assert samples.dtype == np.int16
    assert samples.tolist() == [0, 0, 1, -1, 32767, 32767, 32767, -32768, -32768]
    every = np.arange(-32768, 32768).astype(np.int16)
    assert audio.from_int16(every).dtype == np.float32
    np.testing.assert_array_equal(audio.to_int16(audio.from_int16(every)), every)
