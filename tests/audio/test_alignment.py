"""Delays found by cross-correlation, and no delays where there are none."""

import tracemalloc

import numpy as np
import pytest
from scipy import signal
from wideband.audio import alignment
from wideband.data_gen import degrade

SAMPLE_RATE = 16000


def speech(seed=0, seconds=1.0):
    """Voiced syllables of gliding pitch through two resonances, with hiss between them."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 1.5 * t + seed)) / SAMPLE_RATE
    voice = sum(np.sin(k * pitch) / k for k in range(1, 30))
    for formant in (600, 1700):
        voice = voice + signal.lfilter(*signal.iirpeak(formant, 6, SAMPLE_RATE), voice)
    syllables = np.clip(np.sin(2 * np.pi * 3 * t), 0, 1)
    hiss = 0.1 * rng.standard_normal(len(t)) * np.clip(-np.sin(2 * np.pi * 3 * t), 0, 1)
    return (0.1 * (voice * syllables + hiss)).astype(np.float32)[:, np.newaxis]


def delayed(wave, samples):
    """Shifts a wave to later samples, with zeros before it, at the same length."""
    out = np.roll(wave, samples, axis=0)
    out[: max(0, samples)] = 0
    out[len(out) + min(0, samples) :] = 0
    return out


def delay(reference, estimate):
    return alignment.delay(reference, estimate, SAMPLE_RATE)


def degraded(wave, protocol, ratio):
    return degrade.get(protocol)(wave[:, 0], ratio)[:, np.newaxis]


@pytest.mark.parametrize("samples", [-12000, -37, -1, 0, 1, 10, 8191])
@pytest.mark.parametrize("seconds", [1.0, 5.3])
def test_a_known_delay_is_found_at_any_gain(samples, seconds):
    noise = np.random.default_rng(0).standard_normal((round(seconds * SAMPLE_RATE), 1))
    assert delay(noise, -0.2 * delayed(noise, samples)) == samples


@pytest.mark.parametrize("peak", [1e-30, 1e30, 3e38])
def test_a_known_delay_is_found_for_tiny_and_huge_samples(peak):
    noise = np.random.default_rng(0).uniform(-peak, peak, (SAMPLE_RATE, 1)).astype(np.float32)
    assert delay(noise, delayed(noise, 37)) == 37


@pytest.mark.parametrize("ratio", [2, 4, 8])
@pytest.mark.parametrize("protocol", ["decimate_spline", "subsample_spline", "sinc", "fft"])
def test_band_limited_speech_has_no_delay(protocol, ratio):
    for seed in range(3):
        wave = speech(seed)
        wave = wave[: len(wave) // 8 * 8]
        assert delay(wave, degraded(wave, protocol, ratio)) == 0


def test_noise_and_hum_are_not_mistaken_for_a_delay():
    wave = speech()
    rng = np.random.default_rng(9)
    hum = np.sin(2 * np.pi * 50 * np.arange(len(wave)) / SAMPLE_RATE)[:, np.newaxis]
    for added in (hum, 0.3 * rng.standard_normal(wave.shape)):
        assert delay(wave, degraded(wave, "sinc", 4) + added) == 0


@pytest.mark.parametrize(("ratio", "lag"), [(2, 5), (4, 10), (8, 21)])
def test_the_lag_of_the_one_way_filter_is_found(ratio, lag):
    for seed in range(3):
        wave = speech(seed)
        wave = wave[: len(wave) // 8 * 8]
        found = delay(wave, degraded(wave, "decimate_lagged_spline", ratio))
        assert found == pytest.approx(lag, abs=2)


def test_the_delay_of_a_band_limited_estimate_is_found():
    wave = speech()
    assert delay(wave, delayed(degraded(wave, "decimate_spline", 4), 10)) == 10


def test_silence_and_unrelated_waves_have_no_delay():
    wave = speech(seconds=3)
    noise = np.random.default_rng(9).standard_normal(wave.shape)
    assert delay(wave, np.zeros_like(wave)) == 0
    assert delay(np.zeros_like(wave), np.zeros_like(wave)) == 0
    assert delay(wave, noise) == 0
    assert delay(wave, speech(4, seconds=3)[::-1]) == 0


def test_waves_may_differ_in_length_and_have_a_single_sample():
    noise = np.random.default_rng(0).standard_normal((SAMPLE_RATE, 1))
    assert delay(noise, np.vstack([np.zeros((25, 1)), noise])) == 25
    assert delay(noise, noise[40:]) == -40
    assert delay(noise[:10_000], noise[300:3300]) == -300
    assert delay(noise[300:3300], noise[:10_000]) == 300
    assert delay(noise[:1], noise[:1]) == 0


def test_channels_of_opposite_polarity_have_one_delay():
    noise = np.random.default_rng(0).standard_normal((SAMPLE_RATE, 1))
    both = np.hstack([noise, -noise])
    assert delay(both, delayed(both, 7)) == 7


@pytest.mark.parametrize("samples", [-3, 0, 5])
def test_aligned_waves_are_cut_to_the_samples_that_both_have(samples):
    wave = np.arange(1.0, 21)[:, np.newaxis]
    reference, estimate = alignment.align(wave, delayed(wave, samples), samples)
    assert len(reference) == 20 - abs(samples)
    np.testing.assert_array_equal(reference, estimate)
    reference, estimate = alignment.align(wave, wave[:-4], 0)
    np.testing.assert_array_equal(reference, estimate)
    assert len(reference) == 16


def test_memory_does_not_grow_with_the_spectrum_of_a_long_wave():
    wave = np.random.default_rng(0).standard_normal((60 * SAMPLE_RATE, 1)).astype(np.float32)
    tracemalloc.start()
    assert delay(wave, wave) == 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The padded estimate and pieces of two seconds; one transform would take ten times the wave.
    assert peak < 3 * wave.nbytes
