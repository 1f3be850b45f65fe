"""The pass band of a recording: from 300 Hz after a telephone, up to the slope of its filter."""

import numpy as np
import pytest
import soundfile
import soxr
from scipy import signal
from wideband.audio import measure

RATE = 16000


def voice(f0_hz=120.0, seconds=4.0, room_db=-50.0):
    """A gliding voice in syllables, with the noise of a room, which is strongest below 200 Hz."""
    n = round(seconds * RATE)
    rng = np.random.default_rng(0)
    instants = np.arange(n) / RATE
    pitch_hz = f0_hz * (1 + 0.15 * np.sin(2 * np.pi * 1.7 * instants))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    tilt = [1 / (1 + (k * f0_hz / 700) ** 2) for k in range(1, int(7000 / f0_hz))]
    wave = sum(level * np.cos(k * phase) for k, level in enumerate(tilt, 1))
    wave *= np.clip(np.sin(2 * np.pi * 2 * instants), 0, 1)
    room = np.fft.rfft(rng.standard_normal(n))
    room /= 1 + np.fft.rfftfreq(n, 1 / RATE) / 200
    room = np.fft.irfft(room, n)
    return 0.3 * wave / np.std(wave) / 3 + 10 ** (room_db / 20) * room / np.std(room)


def high_pass(wave, hz, order, rate=RATE):
    sos = signal.butter(order, hz, "highpass", fs=rate, output="sos")
    return signal.sosfilt(sos, wave)


def telephone(wave, hz=300, order=4):
    line = signal.sosfilt(signal.ellip(8, 0.1, 60, 3400, fs=RATE, output="sos"), wave)
    return high_pass(line, hz, order)[::2]


def lowest_hz(wave, rate=8000):
    return measure.wave_band(wave.astype(np.float32), rate).lowest_hz


@pytest.mark.parametrize("f0_hz", [100, 130, 210])
@pytest.mark.parametrize("order", [4, 8])
@pytest.mark.parametrize("subtype", ["ULAW", "ALAW", "PCM_16"])
def test_a_telephone_recording_begins_near_its_high_pass_filter(f0_hz, order, subtype, tmp_path):
    soundfile.write(tmp_path / "a.wav", telephone(voice(f0_hz), order=order), 8000, subtype=subtype)
    facts = measure.measure(tmp_path / "a.wav")
    assert 150 <= facts.lowest_hz <= 350
    assert 3300 <= facts.bandwidth_hz <= 4000


def test_the_content_begins_higher_after_a_higher_filter():
    found = [lowest_hz(telephone(voice(100), hz, 8)) for hz in (250, 320, 420)]
    assert found == sorted(set(found))
    assert found[0] > 180


@pytest.mark.parametrize("rate", [16000, 44100])
def test_the_rate_of_the_file_does_not_matter(rate):
    wave = soxr.resample(telephone(voice()), 8000, rate, quality="VHQ")
    assert 150 <= lowest_hz(wave, rate) <= 350


@pytest.mark.parametrize("gain_db", [-20, -50])
def test_the_level_does_not_matter(gain_db):
    wave = telephone(voice())
    assert lowest_hz(10 ** (gain_db / 20) * wave) == lowest_hz(wave)


# The upper edge


@pytest.mark.parametrize("cutoff_hz", [1500, 3000, 5000])
@pytest.mark.parametrize("gain_db", [0, -40])
def test_the_slope_of_a_gentle_filter_is_no_part_of_the_pass_band(cutoff_hz, gain_db):
    sos = signal.butter(5, cutoff_hz, fs=RATE, output="sos")
    wave = 10 ** (gain_db / 20) * signal.sosfiltfilt(sos, voice(room_db=-40))
    band = measure.wave_band(wave.astype(np.float32), RATE)
    assert 0.9 * cutoff_hz < band.highest_hz < 1.35 * cutoff_hz
    assert band.end_hz > band.highest_hz + 500


@pytest.mark.parametrize("rate", [4000, 8000, 11025])
def test_a_sharp_filter_passes_the_band_up_to_its_end(rate):
    wave = soxr.resample(voice(room_db=-40), RATE, rate, quality="VHQ")
    for stored in (wave, soxr.resample(wave, rate, RATE, quality="VHQ")):
        band = measure.wave_band(stored.astype(np.float32), RATE if stored is not wave else rate)
        assert 0.9 * rate / 2 < band.highest_hz <= band.end_hz


def test_a_weak_high_band_is_part_of_the_pass_band():
    """It falls by 50 dB, but nowhere steeply."""
    noise = np.fft.rfft(np.random.default_rng(0).normal(0, 1, 4 * RATE))
    wave = np.fft.irfft(noise * 10 ** (-50 / 20 * np.linspace(0, 1, len(noise)))) * 0.1
    assert measure.wave_band(wave.astype(np.float32), RATE) == (0, 8000, 8000)


# The lower edge


ORDINARY = {
    "a low voice": voice(90),
    "a high voice": voice(280),
    "a rumble filter": high_pass(voice(), 80, 4),
    "a steep rumble filter": high_pass(voice(160), 100, 8),
    "hum": voice(200) + 0.02 * np.sin(2 * np.pi * 50 * np.arange(4 * RATE) / RATE),
    "noise": np.random.default_rng(1).normal(0, 0.1, 4 * RATE),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_an_ordinary_recording_of_a_narrow_band_begins_at_0(kind):
    assert lowest_hz(soxr.resample(ORDINARY[kind], RATE, 8000, quality="VHQ")) == 0


def test_a_wide_recording_did_not_come_through_a_telephone():
    wave = high_pass(voice(), 300, 8) + np.random.default_rng(0).normal(0, 1e-3, 4 * RATE)
    assert measure.wave_band(wave.astype(np.float32), RATE) == (0, 8000, 8000)


def test_a_short_sound_without_low_frequencies_is_no_telephone():
    assert lowest_hz(telephone(voice())[:7000]) == 0
    assert lowest_hz(telephone(voice())[:12000]) > 0


def test_silence_begins_at_0():
    assert measure.wave_band(np.zeros(8000, np.float32), 8000) == (0, 0, 0)
    assert measure.wave_band(np.zeros(80, np.float32), 1000) == (0, 0, 0)


def test_the_lowest_channel_counts_and_a_silent_one_does_not():
    low, high = soxr.resample(voice(), RATE, 8000, quality="VHQ"), telephone(voice())
    assert lowest_hz(np.stack([high, low[: len(high)]], axis=1)) == 0
    assert lowest_hz(np.stack([high, 0 * high], axis=1)) == lowest_hz(high) > 0
