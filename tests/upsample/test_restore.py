"""A recording is restored from file to file: sample formats, unusual rates, files that change."""

import os
import re

import numpy as np
import pytest
import soundfile
import soxr
from wideband import audio
from wideband.audio import measure
from wideband.upsample import load
from wideband.upsample.__main__ import command


@pytest.fixture
def restore(call, tmp_path):
    """Returns a function that restores a file with an interpolation: (exit code, out, err)."""

    def restore(source, *arguments, ratio=2, target="new.wav"):
        output = f"--output={tmp_path / target}"
        return call(command, source, "--model=spline", f"--ratio={ratio}", output, *arguments)

    return restore


@pytest.fixture(scope="module")
def low():
    """Two seconds of noise up to 3 kHz at 8 kHz, (n,) float32."""
    noise = np.random.default_rng(0).normal(0, 0.1, 12000)
    return soxr.resample(noise, 6000, 8000, quality="VHQ").astype(np.float32)


def kept_band_db(source, target):
    """Returns the level of the error below 2.5 kHz relative to the recording, in dB."""
    (wave, rate), (found, high_rate) = audio.read(source), audio.read(target)
    wave, found = wave[:, 0], found[:, 0]
    expected = soxr.resample(wave, rate, high_rate, quality="VHQ")
    assert len(found) == round(len(wave) * high_rate / rate)
    error, reference = np.fft.rfft(found - expected), np.fft.rfft(expected)
    band = np.fft.rfftfreq(len(found), 1 / high_rate) < 2500
    return 10 * np.log10(np.sum(np.abs(error[band]) ** 2) / np.sum(np.abs(reference[band]) ** 2))


@pytest.mark.parametrize(
    "subtype", ["ULAW", "ALAW", "GSM610", "MS_ADPCM", "IMA_ADPCM", "G721_32", "PCM_U8"]
)
def test_a_recording_in_a_lossy_code_is_restored_in_16_bits(subtype, low, restore, tmp_path):
    source, target = tmp_path / "old.wav", tmp_path / "new.wav"
    soundfile.write(source, low, 8000, subtype=subtype)
    # Codes with noise above 4.4 kHz of their own are taken for wide.
    code, _, err = restore(source, "--force")
    assert code == 0, err
    assert soundfile.info(target).subtype == "PCM_16"
    assert kept_band_db(source, target) < -55


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".mp3", "MPEG_LAYER_III"), (".ogg", "VORBIS"), (".flac", "PCM_16")]
)
def test_the_content_of_a_file_counts_not_its_suffix(suffix, kind, low, restore, tmp_path):
    soundfile.write(tmp_path / f"old{suffix}", low, 8000)
    (tmp_path / f"old{suffix}").rename(tmp_path / "old.wav")
    assert soundfile.info(tmp_path / "old.wav").subtype == kind
    code, _, err = restore(tmp_path / "old.wav")
    assert code == 0, err
    assert soundfile.info(tmp_path / "new.wav").subtype == "PCM_16"
    assert kept_band_db(tmp_path / "old.wav", tmp_path / "new.wav") < -55


@pytest.mark.parametrize(
    ("old", "subtype", "new", "expected"),
    [
        ("old.wav", "PCM_24", "new.flac", "PCM_24"),
        ("old.wav", "PCM_32", "new.wav", "PCM_32"),
        ("old.wav", "FLOAT", "new.flac", "PCM_16"),
        ("old.aiff", "PCM_24", "new.wav", "PCM_24"),
        ("old.caf", "FLOAT", "new.wav", "FLOAT"),
        ("old.ogg", "OPUS", "new.ogg", "VORBIS"),
    ],
)
def test_the_sample_format_is_kept_if_the_output_can_have_it(
    old, subtype, new, expected, low, restore, tmp_path
):
    soundfile.write(tmp_path / old, low, 8000, subtype=subtype)
    code, _, err = restore(tmp_path / old, "--force", target=new)
    assert code == 0, err
    assert soundfile.info(tmp_path / new).subtype == expected


@pytest.mark.parametrize("rate", [1000, 4001, 5000, 6000, 7999, 8001, 11127, 44099, 192000])
def test_any_rate_is_restored_with_the_exact_length(rate, restore, noise, tmp_path):
    wave = soxr.resample(noise(round(0.3 * rate)), min(rate, 6000), rate)[: round(0.3 * rate)]
    soundfile.write(tmp_path / "old.wav", wave, rate)
    code, _, err = restore(tmp_path / "old.wav", "--force")
    assert code == 0, err
    info = soundfile.info(tmp_path / "new.wav")
    assert (info.samplerate, info.frames) == (16000, (2 * len(wave) * 16000 + rate) // (2 * rate))


@pytest.mark.parametrize("rate", [2500, 3000, 3999])
def test_a_low_rate_is_restored_as_the_same_wave_at_4_khz(rate, noise, snr):
    upsampler = load("phone-4x")
    wave = noise(rate)
    raised = audio.resample(wave, rate, 4000)
    for keep_low_band in (True, False):
        expected, _ = upsampler.upsample(raised, 4000, keep_low_band)
        found, _ = upsampler.upsample(wave, rate, keep_low_band)
        # The bands that are kept end at slightly different frequencies.
        middle = slice(2000, -2000)
        assert snr(expected[middle], found[middle]) > (20 if keep_low_band else 60)


@pytest.mark.parametrize("rate", [1500, 4001, 8000, 15000])
def test_the_default_network_restores_every_band(rate, noise, call, tmp_path):
    soundfile.write(tmp_path / "old.wav", noise(rate // 2), rate)
    code, out, err = call(command, tmp_path / "old.wav")
    assert code == 0, err
    assert "used speech, trained on English speech\n" in out
    assert soundfile.info(tmp_path / "old_wideband.wav").samplerate == 16000


def test_the_default_network_of_higher_rates_is_for_any_sound(noise, call, tmp_path):
    soundfile.write(tmp_path / "old.wav", audio.resample(noise(3000), 12000, 44100), 44100)
    code, out, err = call(command, tmp_path / "old.wav")
    assert code == 0, err
    assert "used fullband, trained on speech, music and sounds\n" in out
    assert soundfile.info(tmp_path / "old_wideband.wav").samplerate == 48000


def test_opposite_channels_have_the_band_of_each(low, call, tmp_path):
    """Their mean is silent."""
    soundfile.write(tmp_path / "old.wav", np.stack([low, -low], axis=1), 8000)
    code, out, err = call(
        command, tmp_path / "old.wav", "--model=audiounet-2x", "--model=audiounet-4x"
    )
    assert code == 0, err
    assert re.search(r"has a band up to (29|30)\d\d Hz; used audiounet-2x", out)
    assert kept_band_db(tmp_path / "old.wav", tmp_path / "old_wideband.wav") < -55
    wave, _ = load("spline", 16000, 2).upsample(np.stack([low, -low], axis=1), 8000)
    np.testing.assert_allclose(
        wave[:, 0], load("spline", 16000, 2).upsample(low, 8000)[0], atol=1e-6
    )


def test_a_voice_that_is_wide_part_of_the_time_is_complete(noise, call, error_line, tmp_path):
    """Nine seconds of full band, 21 seconds of telephone, in turns."""
    telephone = soxr.resample(noise(21 * 8000), 8000, 16000)
    wave = np.concatenate(
        [piece for k in range(3) for piece in (noise(48000, k), telephone[k * 112000 :][:112000])]
    )
    soundfile.write(tmp_path / "old.wav", wave, 16000)
    code, _, err = call(command, tmp_path / "old.wav", "--model=speech")
    assert code == 1
    assert "nothing for speech to restore; use --model=fullband" in error_line(err)
    assert [path.name for path in tmp_path.iterdir()] == ["old.wav"]


@pytest.mark.parametrize("channels", [2, 24, 65])
def test_many_channels_are_restored(channels, low, restore, tmp_path):
    scales = np.linspace(0.1, 1, channels)
    soundfile.write(tmp_path / "old.wav", low[:4000, None] * scales, 8000)
    code, _, err = restore(tmp_path / "old.wav")
    if channels > 64:
        assert (code, (tmp_path / "new.wav").exists()) == (1, False)
        assert re.match(r"error: .*old\.wav: channels=65: must be a whole number from 1 to 64", err)
    else:
        wave, _ = soundfile.read(tmp_path / "new.wav")
        np.testing.assert_allclose(wave, wave[:, -1:] * scales, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("peak", "message"), [(1e38, "samples up to 1e+38"), (np.inf, "infinity")])
def test_huge_samples_are_refused(peak, message, low, restore, error_line, tmp_path):
    wave = low.copy()
    wave[5000] = peak
    soundfile.write(tmp_path / "old.wav", wave, 8000, subtype="FLOAT")
    code, _, err = restore(tmp_path / "old.wav")
    assert code == 1
    assert message in error_line(err)
    assert not (tmp_path / "new.wav").exists()


CHANGES = {
    "truncated": lambda path: os.truncate(path, 20000),
    "continued": lambda path: path.write_bytes(path.read_bytes() + bytes(1000)),
    "replaced by stereo": lambda path: soundfile.write(path, np.zeros((900, 2)), 8000),
    "replaced by text": lambda path: path.write_text("not audio\n"),
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_recording_that_changes_between_its_two_readings_is_refused(
    change, low, restore, error_line, tmp_path, monkeypatch
):
    source = tmp_path / "old.wav"
    soundfile.write(source, low, 8000)
    original = measure.measure

    def measured(path, progress):
        facts = original(path, progress)
        CHANGES[change](path)
        return facts

    monkeypatch.setattr(measure, "measure", measured)
    code, _, err = restore(source)
    assert code == 1
    assert error_line(err) == (
        f"error: {source}: changed while it was read; restore it again when it is complete"
    )
    assert {path.name for path in tmp_path.iterdir()} <= {"old.wav"}


def test_a_recording_that_is_shorter_when_read_again_is_refused(
    low, restore, error_line, tmp_path, monkeypatch
):
    """A network file system may serve an old state of a file."""
    soundfile.write(tmp_path / "old.wav", low, 8000)
    blocks = audio.blocks

    def shortened(path, seconds):
        wave = np.concatenate([*blocks(path, seconds)])
        yield wave if seconds == measure.BLOCK_SECONDS else wave[:-1]

    monkeypatch.setattr(audio, "blocks", shortened)
    code, _, err = restore(tmp_path / "old.wav")
    assert code == 1
    assert "changed while it was read" in error_line(err)
