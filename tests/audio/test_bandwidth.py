"""Where the content of recordings ends."""

from itertools import product

import numpy as np
import pytest
import soundfile
import soxr
from scipy import fft, interpolate, signal
from wideband import audio
from wideband.audio import bandwidth, measure

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


# Channels, and parts of a recording


def telephone(wave):
    """The wave with the band of a telephone, with the same rate and length."""
    low = soxr.resample(wave, RATE, 8000, quality="VHQ")
    return audio.fit_length(soxr.resample(low, 8000, RATE, quality="VHQ"), len(wave))


def band_of(tmp_path, wave, **options):
    """The bandwidth of a file and of the wave in it, which are the same."""
    found = facts(tmp_path, wave, **options)
    wave, rate = audio.read(tmp_path / "a.wav")
    assert measure.wave_band(wave, rate) == found.band
    return found.bandwidth_hz


def test_channels_that_cancel_have_their_own_band(tmp_path):
    wave = voice()
    assert band_of(tmp_path, np.stack([wave, -wave], axis=1)) == RATE / 2
    wave = narrow(8000, "soxr")
    assert band_of(tmp_path, np.stack([wave, -wave], axis=1)) == pytest.approx(4000, abs=300)


@pytest.mark.parametrize("channels", [2, 6])
def test_the_widest_channel_counts(tmp_path, channels):
    waves = [telephone(voice())] * channels
    waves[1] = 0.1 * voice(seed=1)
    assert band_of(tmp_path, np.stack(waves, axis=1)) == RATE / 2


def test_a_silent_channel_does_not_count(tmp_path):
    wave = narrow(8000, "soxr")
    stereo = np.stack([wave, np.zeros_like(wave)], axis=1)
    assert band_of(tmp_path, stereo) == pytest.approx(4000, abs=300)


@pytest.mark.parametrize(("share", "wide"), [(0.03, False), (0.3, True)])
@pytest.mark.parametrize("turn", [1, 3])
def test_a_wide_voice_counts_if_it_speaks_now_and_then(tmp_path, share, wide, turn):
    rng = np.random.default_rng(0)
    turns = 60 // turn
    speaks = rng.permutation(turns) < round(share * turns)
    waves = [voice(turn, seed=number) for number in range(turns)]
    wave = np.concatenate(
        [
            each if speaking else telephone(each)
            for each, speaking in zip(waves, speaks, strict=True)
        ]
    )
    found = facts(tmp_path, wave)
    assert found.bandwidth_hz == (RATE / 2 if wide else pytest.approx(4000, abs=250))
    # It does not make the recording fit for training.
    assert found.usual_bandwidth_hz == pytest.approx(4000, abs=250)
    assert measure.reason_to_skip(found, RATE, 256).startswith("narrow: bandwidth ")


# Quiet recordings


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
@pytest.mark.parametrize("peak_db", [-40, -65])
def test_a_quiet_recording_with_fine_steps_has_the_band_of_a_loud_one(tmp_path, subtype, peak_db):
    for wave in (voice(), narrow(8000, "soxr")):
        wave = wave / np.abs(wave).max()
        loud = band_of(tmp_path, 0.1 * wave, subtype=subtype)
        quiet = band_of(tmp_path, 10 ** (peak_db / 20) * wave, subtype=subtype)
        assert quiet == pytest.approx(loud, abs=250)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_digital_silence_has_no_band(tmp_path, subtype):
    assert band_of(tmp_path, np.zeros(RATE), subtype=subtype) == 0


def test_noise_below_24_bits_is_silence(tmp_path):
    noise = np.random.default_rng(0).normal(0, 2.0**-22, RATE)
    assert band_of(tmp_path, noise, subtype="FLOAT") == 0


# Long recordings


def test_the_moments_of_a_long_recording_are_kept_evenly(monkeypatch):
    monkeypatch.setattr(bandwidth, "_MOMENTS", 64)
    n = 20 * RATE
    # 3 dB louder every second.
    wave = 10 ** (np.arange(n) / RATE * 3 / 20 - 4) * np.sin(np.arange(n))
    moments = bandwidth._Moments(RATE, np.fft.rfft)
    for start in range(0, n, RATE):
        moments.add(wave[start : start + RATE])
    steps = np.diff(np.concatenate(moments._loudness))
    assert 32 <= len(steps) + 1 <= 64
    np.testing.assert_allclose(steps, 60 / len(steps), rtol=0.1)


def test_a_long_recording_has_the_band_of_a_short_one(monkeypatch):
    wave = np.concatenate([telephone(voice(10)), voice(10)])
    assert measure.wave_band(wave, RATE).end_hz == RATE / 2
    monkeypatch.setattr(bandwidth, "_MOMENTS", 64)
    assert measure.wave_band(wave, RATE).end_hz == RATE / 2


def test_a_rate_need_not_be_whole():
    assert measure.wave_band(voice(), 16000.5).end_hz == pytest.approx(8000, abs=20)


# Float32


@pytest.mark.parametrize("low_rate", [None, 8000])
def test_the_transforms_of_scipy_and_numpy_find_the_same_band(low_rate):
    wave = narrow(low_rate, "soxr") if low_rate else voice()
    found = [
        measure.measure_wave(wave[:, np.newaxis].astype(np.float32), RATE, rfft)
        for rfft in (np.fft.rfft, fft.rfft)
    ]
    assert found[0].bandwidth_hz == pytest.approx(found[1].bandwidth_hz, abs=32)
    assert found[0].highest_hz == pytest.approx(found[1].highest_hz, abs=32)


@pytest.mark.parametrize("peak", [1e19, 3e38])
@pytest.mark.parametrize("rfft", [np.fft.rfft, fft.rfft])
def test_samples_whose_powers_are_infinite_are_measured_without_a_warning(peak, rfft):
    wave = (voice() * peak).astype(np.float32)[:, np.newaxis]
    found = measure.measure_wave(wave, RATE, rfft)
    assert found.finite and found.peak == pytest.approx(np.abs(wave).max())
    assert measure.reason_to_skip(found, RATE, 256).startswith("damaged: peak of ")
