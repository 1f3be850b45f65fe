"""Reading and writing of files in JavaScript: wav, the rates of other recordings, exports."""

import io
import zipfile

import numpy as np
import pytest
import soundfile
from wideband.models import pretrained
from wideband.upsample import tflite

SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW"]
READ = """(m, bytes) => {
    try { return m.readWav(Uint8Array.from(bytes)); } catch (error) { return error.message; }
}"""


def written(wave, sample_rate, kind="WAV", subtype=None):
    """Returns the bytes of a recording."""
    file = io.BytesIO()
    soundfile.write(file, wave, sample_rate, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", SUBTYPES)
def test_a_wav_file_is_read_without_change(kind, subtype, noise, javascript):
    content = written(np.stack([noise(50), noise(50, 1)], axis=1), 11025, kind, subtype)
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    found = javascript("wav.js", READ, list(content))
    assert found["sampleRate"] == 11025
    np.testing.assert_array_equal(np.transpose(found["channels"]), expected)


@pytest.mark.parametrize(
    ("name", "subtype", "bits"), [("16", "PCM_16", 16), ("24", "PCM_24", 24), ("float", "FLOAT", 0)]
)
def test_a_written_wav_file_is_read_by_libsndfile(name, subtype, bits, noise, javascript):
    wave = np.stack([noise(51), noise(51, 1)], axis=1)
    wave[:2, 0] = 1.5, -1.5
    code = "(m, channels, name) => m.writeWav(channels.map(f32), 8000, name)"
    file = io.BytesIO(bytes(javascript("wav.js", code, wave.T, name)))
    assert soundfile.info(file).subtype == subtype
    file.seek(0)
    found, rate = soundfile.read(file)
    assert rate == 8000
    expected = np.clip(wave, -1, 1) if bits else wave
    np.testing.assert_allclose(found, expected, rtol=0, atol=2.0 ** (1 - bits) if bits else 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:-180], "breaks off after 0.0 of 0.1 s; get a complete copy"),
        (lambda x: x[:12], "damaged: it has no samples; get a complete copy"),
        (lambda x: x[:20] + b"\x07" + x[21:], "has samples of another format (code 7, 16 bits)"),
        (lambda x: x[:20] + b"\x11" + x[21:], "has samples of another format (code 17, 16 bits)"),
        (lambda x: x[:22] + b"\0\0" + x[24:], "damaged: its header has no channels or no rate"),
        (lambda x: x[:12] + b"junk" + x[16:], "damaged: it has no format before its samples"),
    ],
)
def test_a_damaged_wav_file_is_refused(change, message, noise, javascript):
    content = change(written(noise(100), 1000))
    assert message in javascript("wav.js", READ, list(content))


def test_every_code_of_a_telephone_is_read_without_change(javascript):
    for subtype in ("ALAW", "ULAW"):
        content = written(np.zeros(256), 8000, subtype=subtype)
        content = content.removesuffix(content[-256:]) + bytes(range(256))
        found = javascript("wav.js", READ, list(content))["channels"][0]
        expected, _ = soundfile.read(io.BytesIO(content), dtype="float32")
        assert len(set(found)) > 250
        np.testing.assert_array_equal(found, expected)


DECODE = """(m, bytes) => m.decode(Uint8Array.from(bytes)).then(
    ({format}) => format, (error) => error.message)"""


@pytest.mark.parametrize("place", [0, 50, 99])
@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (np.nan, "the recording contains NaN or infinity; repair it first"),
        (-np.inf, "the recording contains NaN or infinity; repair it first"),
        (-2e6, "the recording has samples up to 2.00e+6; scale it to [-1, 1]"),
    ],
)
def test_samples_that_are_no_sound_are_refused(place, sample, message, noise, javascript):
    wave = noise(100)
    wave[place] = sample
    content = written(wave, 8000, subtype="FLOAT")
    assert javascript("decode.js", DECODE, list(content)) == message


def test_the_restored_recording_has_the_sample_format_of_the_recording(noise, javascript):
    formats = {"PCM_U8": "16", "ULAW": "16", "PCM_16": "16", "PCM_24": "24", "FLOAT": "float"}
    for subtype, name in formats.items():
        content = written(noise(100), 8000, subtype=subtype)
        assert javascript("decode.js", DECODE, list(content)) == name


def test_other_chunks_of_a_wav_file_are_left_out(noise, javascript):
    content = written(noise(100), 8000)
    # A chunk of an odd length is padded.
    content = content[:36] + b"LIST\x03\0\0\0abc\0" + content[36:]
    found = javascript("wav.js", READ, list(content))["channels"][0]
    np.testing.assert_array_equal(found, soundfile.read(io.BytesIO(content), dtype="float32")[0])


def test_a_wav_file_without_a_length_is_read_to_its_end(noise, javascript):
    content = written(noise(100), 8000)
    content = content[:40] + b"\xff\xff\xff\xff" + content[44:]
    assert len(javascript("wav.js", READ, list(content))["channels"][0]) == 100


def test_the_rate_of_a_compressed_recording_is_in_its_header(noise, javascript):
    wave = noise(12000)
    kinds = [("FLAC", "PCM_16", 11025), ("OGG", "VORBIS", 22050), ("OGG", "OPUS", 24000)]
    kinds += [("MP3", None, rate) for rate in (8000, 16000, 22050, 44100, 48000)]
    files = [list(written(wave, rate, kind, subtype)) for kind, subtype, rate in kinds]
    # A tag of 16 * 128 + 5 bytes, which hold frames of another rate.
    tagged = [*b"ID3\x04\0\0\0\0\x10\x05", *files[4][:2053], *files[-1]]
    mp4 = b"\0\0\0\x10ftypM4A \0\0\0\0"
    mp4 += b"\0\0\0\x20mdhd\0\0\0\0" + bytes(8) + (32000).to_bytes(4, "big") + bytes(8)
    mp4 += b"\0\0\0\x20hdlr" + bytes(8) + b"soun" + bytes(12)
    files += [tagged, list(mp4), list(b"no recording at all"), []]
    code = "(m, files) => files.map((bytes) => m.headerRate(Uint8Array.from(bytes)))"
    # Opus is decoded at 48 kHz, whatever the original had.
    expected = [11025, 22050, 48000, 8000, 16000, 22050, 44100, 48000, 48000, 32000, None, None]
    assert javascript("rates.js", code, files) == expected


EXPORT = """async (m, bytes) => {
    try {
        const {model, metadata} = m.readExport(Uint8Array.from(bytes));
        const sum = await crypto.subtle.digest("SHA-256", model);
        return [metadata, Buffer.from(sum).toString("hex")];
    } catch (error) {
        return error.message;
    }
}"""


@pytest.fixture(scope="module")
def export():
    """Returns a function that writes an export with changed metadata, without a real model."""
    _, metadata = tflite.read(pretrained.find("phone-4x") / pretrained.TFLITE_FILE)

    def export(folder, **changes):
        path = folder / "x.tflite"
        fields = {field: getattr(metadata, field) for field in metadata.__dataclass_fields__}
        tflite.write(path, b"\0\0\0\0TFL3" + bytes(100), tflite.Metadata(**fields | changes))
        return path.read_bytes()

    return export


def test_the_metadata_of_an_export_are_read(export, tmp_path, javascript):
    quotient = {"wants": "interpolated", "ratio": "441/160", "interpolation": "hann_sinc"}
    content = export(tmp_path, sample_rate=12345, band_hz=(500.0, 6000.0), **quotient)
    metadata, checksum = javascript("metadata.js", EXPORT, list(content))
    assert (metadata["sample_rate"], metadata["ratio"]) == (12345, "441/160")
    assert metadata["band_hz"] == [500, 6000]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.getinfo(tflite.MEMBER).header_offset
    assert checksum == tflite.hashlib.sha256(content[:start]).hexdigest()


@pytest.mark.parametrize(
    ("changes", "change", "message"),
    [
        ({}, lambda x: b"RIFF" + x[8:], "not a TFLite file"),
        ({}, lambda x: x[:50], "truncated, or not written by wideband-export; export it again"),
        ({}, lambda x: x[:-1], "truncated, or not written by wideband-export; export it again"),
        ({"window": 0}, lambda x: x, "truncated, or not written by wideband-export"),
        ({"shorter_windows": 5}, lambda x: x, "truncated, or not written by wideband-export"),
        ({"shorter_windows": [1]}, lambda x: x, "truncated, or not written by wideband-export"),
        ({"shorter_windows": [9999]}, lambda x: x, "truncated, or not written by wideband-export"),
        ({"wants": "mel"}, lambda x: x, "truncated, or not written by wideband-export"),
        ({"ratio": "441/160"}, lambda x: x, "truncated, or not written by wideband-export"),
        (
            {"wants": "interpolated", "interpolation": "fft"},
            lambda x: x,
            "needs the interpolation fft, which this page does not have; use wideband-upsample",
        ),
    ],
)
def test_what_is_no_export_is_refused(changes, change, message, export, tmp_path, javascript):
    content = change(export(tmp_path, **changes))
    assert message in javascript("metadata.js", EXPORT, list(content))
