"""Measured properties of recordings, and which recordings are unfit for training."""

from itertools import product

import numpy as np
import pytest
import soundfile
import soxr
from scipy import interpolate, signal
from wideband import audio
from wideband.audio import measure
from wideband.command import UserError

RATE = 16000


def voice(seconds=3.0, rate=RATE, seed=0, tilt_db=-55.0):
    """Noise that falls by `tilt_db` from 500 Hz to Nyquist, in syllables, with room noise."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    frequencies = np.fft.rfftfreq(n, 1 / rate)
    slope = np.clip((frequencies - 500) / (rate / 2 - 500), 0, 1)
    shaped = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * 10 ** (tilt_db * slope / 20), n)
    syllables = np.clip(np.sin(2 * np.pi * 3 * np.arange(n) / rate), 0, 1)
    wave = shaped / np.abs(shaped).max() * syllables
    return (0.5 * wave + 1e-4 * rng.standard_normal(n)).astype(np.float32)


def narrow(low_rate, method, rate=RATE):
    """A voice recorded at a lower rate and stored at `rate`."""
    low = audio.from_int16(audio.to_int16(voice(rate=low_rate, tilt_db=-40.0)))
    n = len(low) * rate // low_rate
    if method == "soxr":
        return soxr.resample(low, low_rate, rate, quality="VHQ")
    if method == "fft":
        return signal.resample(low, n)
    # These interpolations leave images, fewer if the recorder's filter leaves room for their slope.
    low = signal.sosfiltfilt(signal.cheby1(8, 0.05, 0.9, output="sos"), low)
    if method == "poly":
        return signal.resample_poly(low, rate, low_rate)
    curve = interpolate.make_interp_spline(np.arange(len(low)) / low_rate, low, k=3)
    return curve(np.arange(n) / rate)


def facts(tmp_path, wave, rate=RATE, name="a.wav", subtype=None):
    soundfile.write(tmp_path / name, wave, rate, subtype=subtype)
    return measure.measure(tmp_path / name)


def test_the_measurements_equal_those_of_numpy(tmp_path):
    rng = np.random.default_rng(0)
    # Longer than a block of the pass over the file, and not a multiple of one.
    wave = (0.1 * rng.standard_normal((23 * 8000 + 17, 2)) + [0.05, 0.01]).astype(np.float32)
    wave[100:140, 0] = 1.0
    wave[7, 1] = -1.25
    found = facts(tmp_path, wave, 8000, subtype="FLOAT")
    mix = wave.astype(np.float64).mean(axis=1)
    assert (found.frames, found.sample_rate, found.channels) == (len(wave), 8000, 2)
    assert found.seconds == len(wave) / 8000
    assert found.peak == 1.25
    assert found.rms == pytest.approx(np.sqrt(np.mean(mix**2)), rel=1e-6)
    assert found.dc == pytest.approx(mix.mean(), rel=1e-5)
    assert found.clipped == 41 / wave.size
    assert found.finite


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_found_and_affect_no_other_measurement(tmp_path, bad):
    wave = voice()
    clean = facts(tmp_path, wave, subtype="FLOAT")
    wave[1000] = bad
    found = facts(tmp_path, wave, subtype="FLOAT")
    assert not found.finite
    assert np.isfinite([found.peak, found.rms, found.dc, found.bandwidth_hz]).all()
    assert found.rms == pytest.approx(clean.rms, rel=1e-3)
    assert measure.reason_to_skip(found, RATE, 256) == "not finite: holds NaN or infinity"


def test_an_unreadable_file_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("words")
    with pytest.raises(UserError, match="not readable as audio"):
        measure.measure(tmp_path / "a.wav")


# bandwidth


@pytest.mark.parametrize("tilt_db", [0, -55])
@pytest.mark.parametrize("gain_db", [0, -20])
@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_a_voice_with_a_weak_high_band_or_a_low_level_fills_its_band(
    tmp_path, tilt_db, gain_db, rate
):
    wave = voice(rate=rate, tilt_db=tilt_db) * 10 ** (gain_db / 20)
    found = facts(tmp_path, wave, rate)
    assert found.bandwidth_hz == rate / 2
    assert measure.reason_to_skip(found, rate, 256) == ""


@pytest.mark.parametrize(
    ("method", "low_rate", "gain_db"),
    [
        *product(("soxr", "fft"), (4000, 8000, 11025, 12000), (0, -40)),
        *product(("poly", "spline"), (4000, 8000), (0, -10)),
    ],
)
def test_an_upsampled_voice_ends_at_the_nyquist_frequency_of_the_lower_rate(
    tmp_path, method, low_rate, gain_db
):
    found = facts(tmp_path, narrow(low_rate, method) * 10 ** (gain_db / 20))
    # A filter may remove a tenth, or its slope may reach a little beyond.
    assert 0.85 * low_rate / 2 <= found.bandwidth_hz <= 1.08 * low_rate / 2
    assert measure.reason_to_skip(found, RATE, 256).startswith("narrow: bandwidth ")


def test_a_narrow_voice_is_found_without_the_rounding_noise_of_16_bits(tmp_path):
    found = facts(tmp_path, narrow(8000, "soxr"), subtype="FLOAT")
    assert found.bandwidth_hz == pytest.approx(4000, abs=150)


@pytest.mark.parametrize("fault", ["dither", "clipping", "clicks"])
def test_noise_above_the_edge_does_not_hide_it(tmp_path, fault):
    wave = narrow(8000, "soxr")
    rng = np.random.default_rng(1)
    if fault == "dither":
        wave = wave + (rng.random(len(wave)) - rng.random(len(wave))) / 32768
    elif fault == "clipping":
        wave = np.clip(1.6 * wave, -0.7, 0.7)
    else:
        wave = wave.copy()
        wave[8000] += 0.3
    assert facts(tmp_path, wave).bandwidth_hz == pytest.approx(4000, abs=250)


def test_a_coder_that_cuts_the_high_band_is_found(tmp_path):
    soundfile.write(
        tmp_path / "a.mp3", voice(rate=44100, tilt_db=-30), 44100, compression_level=0.9
    )
    found = measure.measure(tmp_path / "a.mp3")
    assert found.bandwidth_hz < 17000
    assert measure.reason_to_skip(found, 44100, 256).startswith("narrow: ")
    # For a dataset at 16 kHz, this bandwidth suffices.
    assert measure.reason_to_skip(found, 16000, 256) == ""


def test_a_whistle_a_hum_and_a_notch_are_not_an_edge(tmp_path):
    wave = voice()
    seconds = np.arange(len(wave)) / RATE
    wave += (0.2 * np.sin(2 * np.pi * 3100 * seconds)).astype(np.float32)
    wave += (0.2 * np.sin(2 * np.pi * 100 * seconds)).astype(np.float32)
    wave = signal.lfilter(*signal.iirnotch(2000, 100, RATE), wave)
    assert facts(tmp_path, wave).bandwidth_hz == RATE / 2


def test_digital_silence_between_words_does_not_matter(tmp_path):
    silence = np.zeros(20 * RATE, np.float32)
    assert facts(tmp_path, np.r_[silence, voice(), silence]).bandwidth_hz == RATE / 2
    found = facts(tmp_path, np.r_[silence, narrow(8000, "soxr"), silence])
    assert found.bandwidth_hz == pytest.approx(4000, abs=300)


@pytest.mark.parametrize("n", [1, 100, 511, 513])
def test_the_shortest_recordings_are_measured(tmp_path, n):
    found = facts(tmp_path, voice()[4000 : 4000 + n])
    assert found.frames == n
    assert 0 <= found.bandwidth_hz <= RATE / 2


def test_a_recording_without_samples_is_short_not_an_error(tmp_path):
    found = facts(tmp_path, np.zeros(0))
    assert measure.reason_to_skip(found, RATE, 256) == "short: 0 samples, a patch has 256"


# fitness for training


def reason_for(**changes):
    good = measure.Facts(32000, 16000, 1, 0.5, 0.1, 0.0, 0.0, True, 8000.0)
    return measure.reason_to_skip(good._replace(**changes), 16000, 256)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"frames": 255}, "short: 255 samples, a patch has 256"),
        ({"frames": 256}, ""),
        # 703 samples at 44.1 kHz are 255 at 16 kHz.
        (
            {"frames": 703, "sample_rate": 44100, "bandwidth_hz": 22050},
            "short: 255 samples, a patch has 256",
        ),
        ({"frames": 705, "sample_rate": 44100, "bandwidth_hz": 22050}, ""),
        ({"rms": 9e-5}, "silent: RMS 0.00009, DC 0.00000"),
        ({"rms": 2e-4}, ""),
        # An offset alone is silence.
        ({"rms": 0.05, "dc": 0.05}, "silent: RMS 0.05000, DC 0.05000"),
        ({"clipped": 0.032}, "clipped: 3.2 % of samples at full scale"),
        ({"clipped": 0.0009}, ""),
        (
            {"sample_rate": 8000, "bandwidth_hz": 4000},
            "low rate: 8000 Hz, the dataset has 16000 Hz",
        ),
        ({"bandwidth_hz": 3900}, "narrow: bandwidth 3900 Hz of 8000 Hz"),
        ({"bandwidth_hz": 6390}, "narrow: bandwidth 6390 Hz of 8000 Hz"),
        ({"bandwidth_hz": 6410}, ""),
        # The dataset does not need the band of a 44.1 kHz recording above 8 kHz.
        ({"sample_rate": 44100, "bandwidth_hz": 7500}, ""),
        (
            {"sample_rate": 44100, "bandwidth_hz": 6000},
            "narrow: bandwidth 6000 Hz of 8000 Hz",
        ),
        ({"finite": False}, "not finite: holds NaN or infinity"),
    ],
)
def test_the_reason_to_skip_a_recording_has_the_measured_value(changes, reason):
    assert reason_for(**changes) == reason
