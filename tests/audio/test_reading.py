"""Reading recordings, compared with soundfile."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from wideband import audio
from wideband.audio import reading
from wideband.audio.spliced import Spliced
from wideband.command import UserError


@pytest.fixture
def stereo(noise):
    """Returns a function that makes two channels of noise, (n, 2)."""
    return lambda n: noise(2 * n).reshape(n, 2)


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


def test_a_section_of_an_mp3_equals_that_of_the_whole(tmp_path, noise):
    path = tmp_path / "a.mp3"
    audio.write(path, noise(320000), 16000)
    whole, _ = audio.read(path)
    for second in range(1, 19, 3):
        start, stop = second * 16000, second * 16000 + 20000
        np.testing.assert_allclose(audio.read(path, start, stop)[0], whole[start:stop], atol=1e-6)


@pytest.mark.parametrize("suffix", [".wav", ".ogg", ".mp3"])
def test_joined_blocks_equal_the_whole(tmp_path, noise, suffix):
    path = tmp_path / f"a{suffix}"
    audio.write(path, noise(315200), 16000)
    blocks = list(audio.blocks(path, seconds=1.0))
    assert [len(block) for block in blocks] == 19 * [16000] + [11200]
    np.testing.assert_allclose(np.concatenate(blocks), audio.read(path)[0], atol=1e-6)


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


def message_of(path):
    """The message that every reader refuses a file with, without its name."""
    messages = set()
    for read in (audio.info, audio.read, audio.subtype, lambda path: list(audio.blocks(path))):
        with pytest.raises(UserError) as caught:
            read(path)
        messages.add(str(caught.value).removeprefix(f"{path}: "))
    assert len(messages) == 1, messages
    return messages.pop()


def test_folders_and_pipes_are_not_recordings(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert message_of(tmp_path) == "a folder, not a recording; name a file"
    assert message_of(tmp_path / "a.wav") == "not a file; save it to one first"


def test_a_file_that_the_system_does_not_open_is_refused(tmp_path, monkeypatch):
    assert (
        message_of(tmp_path / ("x" * 300))
        == "cannot be read: File name too long; choose a shorter name"
    )

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.wav").write_bytes(b"RIFF")
    monkeypatch.setattr(Path, "open", refuse)
    assert (
        message_of(tmp_path / "a.wav") == "cannot be read: Permission denied; allow it to be read"
    )


def test_a_disk_error_in_the_middle_is_refused(tmp_path, noise, monkeypatch):
    class BadDisk(io.BytesIO):
        def read(self, count=-1):
            if self.tell() > 50000:
                raise OSError(5, "Input/output error")
            return super().read(count)

    audio.write(tmp_path / "a.flac", noise(160000), 16000)
    content = (tmp_path / "a.flac").read_bytes()
    monkeypatch.setattr(reading, "Spliced", lambda _, pieces: Spliced(BadDisk(content), pieces))
    with pytest.raises(UserError, match="cannot be read: Input/output error; check the disk"):
        audio.read(tmp_path / "a.flac")


def test_a_name_that_is_not_utf8_can_be_read(tmp_path, noise):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    audio.write(tmp_path / "a.wav", noise(16000), 16000)
    (tmp_path / "a.wav").rename(path)
    assert audio.info(path) == (16000, 16000, 1)
    np.testing.assert_allclose(audio.read(path)[0][:, 0], noise(16000), atol=1 / 32768)


def test_a_file_that_is_not_audio_is_refused_with_its_conversion(tmp_path):
    path = tmp_path / "my talk.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0")
    assert message_of(path) == (
        "not readable as audio (Format not recognised); if it is, convert it: "
        f"ffmpeg -i '{path}' '{tmp_path}/my talk.wav'"
    )


@pytest.mark.parametrize("sample_rate", [1, 999, 768_001, 2_000_000_000])
def test_an_impossible_rate_in_a_header_is_refused(tmp_path, noise, sample_rate):
    audio.write(tmp_path / "a.wav", noise(16000), 16000)
    content = (tmp_path / "a.wav").read_bytes()
    changed = content[:24] + sample_rate.to_bytes(4, "little") + content[28:]
    (tmp_path / "a.wav").write_bytes(changed)
    assert message_of(tmp_path / "a.wav") == (
        f"its header says {sample_rate} Hz; readable are 1000 to 768000 Hz; correct the rate"
    )


def test_a_block_of_many_channels_is_shorter(tmp_path, noise, monkeypatch):
    monkeypatch.setattr(reading, "_BLOCK_SAMPLES", 1000)
    audio.write(tmp_path / "a.wav", noise(2500).reshape(250, 10), 16000)
    assert [len(block) for block in audio.blocks(tmp_path / "a.wav")] == [100, 100, 50]


@pytest.mark.parametrize("code", ["GSM610", "G721_32", "IMA_ADPCM", "ULAW", "DWVW_16", "ALAC_24"])
def test_a_section_in_any_code_equals_that_of_the_whole(tmp_path, noise, code):
    path, container = tmp_path / "a", {"D": "AIFF", "A": "CAF"}.get(code[0], "WAV")
    soundfile.write(path, noise(50000), 8000, subtype=code, format=container)
    whole, _ = audio.read(path)
    for start, stop in ((0, 100), (20011, 30000), (len(whole) - 5, None)):
        np.testing.assert_array_equal(audio.read(path, start, stop)[0], whole[start:stop])


def test_a_section_in_the_last_page_of_an_ogg_file_is_in_place(tmp_path, noise):
    audio.write(tmp_path / "a.ogg", noise(100000), 16000)
    whole, _ = audio.read(tmp_path / "a.ogg")
    np.testing.assert_array_equal(audio.read(tmp_path / "a.ogg", 99000)[0], whole[99000:])


def test_a_file_in_which_libsndfile_cannot_seek_is_decoded_from_its_beginning(
    tmp_path, noise, monkeypatch
):
    """As some FLAC files with damaged bytes, whose samples can all be decoded."""
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(9000), 8000)
    whole, _ = audio.read(path)

    def seek(*_):
        raise soundfile.LibsndfileError(38)

    monkeypatch.setattr(soundfile.SoundFile, "seek", seek)
    np.testing.assert_array_equal(audio.read(path, 5000, 8000)[0], whole[5000:8000])
