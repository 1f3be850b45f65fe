"""Recordings whose length is missing or wrong in the header, and damaged recordings."""

import os
import re
import struct

import numpy as np
import pytest
import soundfile
from wideband import audio
from wideband.command import UserError

RATE = 16000
# A tag of 256 kB, with bytes that look like frames.
PICTURE = b"ID3\x03\x00\x00\x00\x10\x00\x00" + b"\xff\xfb" * (1 << 17)
W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0O\x8e\xdb\x8a"


@pytest.fixture(scope="module")
def wave():
    """Six seconds, the first of noise and the rest of a quiet tone, (n,)."""
    rng = np.random.default_rng(0)
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(6 * RATE + 123) / RATE)
    tone[:RATE] += rng.normal(0, 0.1, RATE)
    return tone.astype(np.float32)


@pytest.fixture
def make(tmp_path, wave):
    """Returns a function that writes the wave and changes the bytes of the file."""

    def make(name, change=bytes, subtype=None, container=None, **options):
        path = tmp_path / name
        soundfile.write(path, wave, RATE, subtype=subtype, format=container, **options)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def all_of(path):
    """The wave (n,), which is the same from all readers."""
    whole, rate = audio.read(path)
    assert (rate, audio.info(path)) == (RATE, (len(whole), RATE, 1))
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks(path, 1.0))), whole)
    for start, stop in ((0, 10), (RATE, 2 * RATE), (len(whole) - 9, len(whole) + 9)):
        np.testing.assert_allclose(audio.read(path, start, stop)[0], whole[start:stop], atol=1e-6)
    assert len(audio.read(path, len(whole), None)[0]) == 0
    return whole[:, 0]


def refusal(path):
    """The message that all readers of a whole recording refuse it with."""
    messages = set()
    for read in (audio.read, lambda path: list(audio.blocks(path))):
        with pytest.raises(UserError) as caught:
            read(path)
        messages.add(str(caught.value).removeprefix(f"{path}: "))
    assert len(messages) == 1, messages
    return messages.pop()


def set_length(name, length, order="little", width=4):
    """Writes a length into the header of a chunk."""

    def change(content):
        at = content.index(name) + len(name)
        return content[:at] + length.to_bytes(width, order) + content[at + width :]

    return change


# Without a length


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_a_wav_file_from_a_pipe_is_read_to_its_end(make, wave, length):
    path = make("a.wav", set_length(b"data", length))
    np.testing.assert_allclose(all_of(path), wave, atol=1 / 32768)


@pytest.mark.parametrize(
    ("container", "change"),
    [
        ("AIFF", set_length(b"SSND", 0, "big")),
        ("CAF", set_length(b"data", 2**64 - 1, "big", 8)),
        (
            "W64",
            set_length(b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0O\x8e\xdb\x8a", 2**63 - 1, width=8),
        ),
        ("RF64", lambda content: content[:28] + bytes(8) + content[36:]),
        ("AU", lambda content: content[:8] + b"\xff\xff\xff\xff" + content[12:]),
    ],
)
def test_other_containers_from_a_pipe_are_read_to_their_end(make, wave, container, change):
    np.testing.assert_allclose(all_of(make("a", change, container=container)), wave, atol=1 / 32768)


def test_a_wav_file_without_samples_stays_empty(make):
    def empty(content):
        at = content.index(b"data")
        return content[:at] + b"data" + bytes(4) + b"LIST" + struct.pack("<I", 4) + b"INFO"

    assert audio.info(make("a.wav", empty)).frames == 0


def no_count(content):
    """Takes the number of samples out of the header of a FLAC file."""
    return content[:21] + bytes([content[21] & 0xF0]) + bytes(4) + content[26:]


def test_a_flac_file_without_a_length_is_read_to_its_end(make, wave):
    np.testing.assert_allclose(all_of(make("a.flac", no_count)), wave, atol=1 / 32768)


def no_tag(content):
    """Takes the tag with the length, the first frame, out of an MP3 file."""
    assert b"Xing" in content[:200] or b"Info" in content[:200]
    return content[content.index(content[:2], 100) :]


@pytest.mark.parametrize("name", ["a.mp3", "mp3.wav"])
def test_a_vbr_mp3_without_a_length_is_read_to_its_end(make, wave, name):
    options = {"container": "MP3", "bitrate_mode": "VARIABLE", "compression_level": 0.5}
    tagged = all_of(make("tagged.mp3", **options))
    assert len(tagged) == len(wave)
    path = make(name, no_tag, **options)
    with soundfile.SoundFile(path) as file:
        assert file.frames < 0.5 * len(wave)
    found = all_of(path)
    # Without the tag, the delay of the encoder is unknown, but not that of the decoder.
    delay = int(np.argmax(np.correlate(found[:RATE], tagged[: RATE // 2], "valid")))
    assert delay == 576
    np.testing.assert_allclose(
        found[delay + 2000 :][: len(tagged) - 4000], tagged[2000:-2000], atol=1e-4
    )


def test_a_cbr_mp3_without_a_length_is_read_to_its_end(make, wave):
    options = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
    assert 0 <= len(all_of(make("a.mp3", no_tag, **options))) - len(wave) < 3 * 1152


def test_mp3_files_that_were_joined_are_read_to_the_end_of_the_last(make, wave):
    path = make("a.mp3", lambda content: 2 * content)
    assert 0 <= len(all_of(path)) - 2 * len(wave) < 3 * 1152


def test_joined_mp3_files_may_have_pictures(make, wave):
    plain = all_of(make("a.mp3", lambda content: 2 * content))
    found = all_of(make("b.mp3", lambda content: content + PICTURE + content))
    # The decoder starts anew behind the picture.
    np.testing.assert_allclose(found, plain, atol=1e-3)


def test_an_mp3_stream_in_a_wav_file_is_read_to_its_end(make, wave):
    def wav(content):
        form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 4000, 1, 0, 12, 1, 2, 144, 1, 1393)
        chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form
        chunks += b"data" + struct.pack("<I", len(content)) + content
        return b"RIFF" + struct.pack("<I", len(chunks)) + chunks

    options = {"container": "MP3", "bitrate_mode": "VARIABLE", "compression_level": 0.5}
    plain = all_of(make("a.mp3", no_tag, **options))
    found = all_of(make("a.wav", lambda content: wav(no_tag(content)), **options))
    np.testing.assert_array_equal(found, plain)


def test_a_big_picture_in_front_does_not_count_as_samples(make, wave):
    options = {"bitrate_mode": "VARIABLE", "compression_level": 0.5}
    plain = all_of(make("a.mp3", no_tag, **options))
    found = all_of(make("b.mp3", lambda content: PICTURE + no_tag(content), **options))
    np.testing.assert_array_equal(found, plain)


def test_zeros_in_front_of_an_mp3_are_skipped(make, wave):
    plain = all_of(make("a.mp3"))
    found = all_of(make("b.mp3", lambda content: bytes(700) + content))
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("code", ["MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_16"])
def test_the_padding_of_the_last_block_is_left_out(make, wave, code):
    path = make("a.wav", subtype=code)
    with soundfile.SoundFile(path) as file:
        assert file.frames > len(wave)
    assert len(all_of(path)) == len(wave)


# Damaged


def test_a_wav_file_with_more_samples_than_its_header_says_is_refused(make, wave):
    path = make("a.wav", set_length(b"data", 2 * RATE))
    assert refusal(path) == (
        "has more samples than its header says; convert it: "
        f"ffmpeg -ignore_length 1 -i {path} {path.with_name('a_converted.wav')}"
    )


@pytest.mark.parametrize("length", [0, 2**30, 0xFFFFFFFF])
def test_a_wav_file_of_more_than_4_gib_without_its_length_is_refused(make, length):
    path = make("a.wav", set_length(b"data", length))
    # The new part of the file takes no room on the disk.
    os.truncate(path, 5 * 2**30)
    with pytest.raises(UserError, match="has more samples than its header says; convert it"):
        audio.info(path)


def test_a_length_that_counts_the_header_is_accepted(make, wave):
    for extra in (1, 36, 44):
        path = make("a.wav", set_length(b"data", 2 * len(wave) + extra))
        np.testing.assert_allclose(all_of(path), wave, atol=1 / 32768)


def test_tags_and_little_else_behind_the_samples_are_skipped(make, wave):
    picture = b"id3 " + struct.pack("<I", 100_000) + bytes(100_000)
    for tail in (picture, bytes(1000)):
        path = make("a.wav", lambda content, tail=tail: content + tail)
        np.testing.assert_allclose(all_of(path), wave, atol=1 / 32768)


@pytest.mark.parametrize(
    ("name", "container"),
    [
        *(("a.wav", None), ("a.aiff", None), ("a.mp3", None)),
        *(("a.w64", "W64"), ("a.rf64", "RF64"), ("a.caf", "CAF"), ("a.au", "AU")),
    ],
)
def test_a_file_that_breaks_off_is_refused_with_the_share_that_is_left(make, name, container):
    path = make(name, lambda content: content[: len(content) * 6 // 10], container=container)
    # The first second of noise takes most bytes of an MP3.
    share = 40 if name == "a.mp3" else 59
    assert refusal(path).startswith(
        f"breaks off: it has {share} % of its samples; get the whole file, or convert what there "
        "is: ffmpeg -i "
    )
    with pytest.raises(UserError, match="breaks off"):
        audio.info(path)


def test_a_sphere_file_that_breaks_off_is_refused(make, wave):
    path = make("a.sph", lambda content: content[:-1000], container="NIST")
    assert refusal(path).startswith(f"breaks off: it has {len(wave) - 500} of {len(wave)} samples;")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_file_that_breaks_off_is_refused(make, subtype):
    path = make("a.ogg", lambda content: content[:-10], subtype=subtype)
    assert refusal(path).startswith("breaks off: its last page is missing; get the whole file")


@pytest.mark.parametrize("change", [bytes, no_count])
def test_a_flac_file_that_breaks_off_is_refused(make, change):
    path = make("a.flac", lambda content: change(content)[: len(content) * 6 // 10])
    assert refusal(path).startswith(("damaged (", "breaks off after "))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (1 << 35, r"breaks off after 6\.0 of 2147483\.6 s; get"),
        (RATE, "goes on after the end that its"),
    ],
)
def test_a_flac_file_with_a_wrong_length_is_refused(make, samples, message):
    def change(content):
        field = int.from_bytes(content[21:26], "big") & 0xF << 36 | samples
        return content[:21] + field.to_bytes(5, "big") + content[26:]

    assert re.match(message, refusal(make("a.flac", change)))


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_chain_of_ogg_streams_is_refused_with_its_conversion(make, subtype):
    path = make("a.ogg", lambda content: 2 * content, subtype=subtype)
    assert refusal(path) == (
        f"a chain of Ogg streams, of which one is readable; convert it: ffmpeg -i {path} "
        f"{path.with_suffix('.wav')}"
    )


def test_an_mp3_with_other_bytes_in_the_middle_is_refused(make, capfd):
    path = make("a.mp3", lambda content: content[:5000] + bytes(5000) + content[5000:])
    assert refusal(path).startswith("damaged (")
    # libmpg123 complains there.
    capfd.readouterr()


# Changed while it is read


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("grown", [True, False])
def test_a_file_that_changes_while_it_is_read_is_refused(make, capfd, name, grown):
    path = make(name)
    blocks = audio.blocks(path, 1.0)
    next(blocks)
    if grown:
        with path.open("ab") as file:
            file.write(bytes(10))
    else:
        os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UserError, match="changed while it was read; try again when it is complete"):
        list(blocks)
    capfd.readouterr()
