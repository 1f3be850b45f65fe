"""The level of the high band: weak fricatives, other frames, and limits."""

import math

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from wideband.evaluate import metrics

SAMPLE_RATE, CUTOFF_HZ = 16000, 4000
HOP = 512


def hiss(frames, seed=0):
    """Noise above 5 kHz, whose length is a number of hops."""
    high_pass = butter(8, 5000, "high", fs=SAMPLE_RATE, output="sos")
    return sosfiltfilt(high_pass, np.random.default_rng(seed).normal(0, 0.1, frames * HOP))


def tones(frames):
    return 0.5 * np.sin(2 * np.pi * 500 * np.arange(frames * HOP) / SAMPLE_RATE)


def levels(reference, estimate):
    """Returns the level over all frames and over the loudest ones."""
    given = (CUTOFF_HZ, SAMPLE_RATE)
    return (
        metrics.level_hf(reference, estimate, *given),
        metrics.level_hf_loud(reference, estimate, *given),
    )


@pytest.fixture(scope="module")
def speech():
    """A voice with a faint hiss, in which 60 of 400 frames are a fricative."""
    fricative = np.zeros(400 * HOP)
    fricative[200 * HOP : 260 * HOP] = hiss(60)
    return tones(400), 0.05 * hiss(400, 1), fricative


def test_a_high_band_of_another_gain_has_its_level_whatever_the_low_band(speech):
    voice, faint, fricative = speech
    reference, high = voice + faint + fricative, faint + fricative
    assert levels(reference, 0.1 * voice + high / 2) == pytest.approx(
        [20 * math.log10(0.5)] * 2, abs=1e-3
    )
    assert levels(reference, voice + 2 * high) == pytest.approx([20 * math.log10(2)] * 2, abs=1e-3)
    assert levels(reference, reference) == (0, 0)


def test_a_weak_fricative_shows_where_the_reference_is_loudest_even_if_other_frames_hide_it(speech):
    voice, faint, fricative = speech
    estimate = voice + fricative * 10 ** (-10 / 20) + 7.5 * faint
    over_all, loud = levels(voice + faint + fricative, estimate)
    assert over_all == pytest.approx(0, abs=0.3)
    # The hiss of all frames adds to the weak fricative.
    weak, faint_power = 10 ** (-10 / 10), 0.05**2
    expected = 10 * math.log10((weak + 7.5**2 * faint_power) / (1 + faint_power))
    assert loud == pytest.approx(expected, abs=0.3)


def test_the_loudest_tenth_is_chosen_on_the_reference(speech):
    """A burst in a pause of the reference does not count there."""
    voice, faint, fricative = speech
    burst = np.roll(fricative, 100 * HOP)
    over_all, loud = levels(voice + faint + fricative, voice + faint + fricative + burst)
    assert over_all == pytest.approx(10 * math.log10(2), abs=0.1)
    assert loud == pytest.approx(0, abs=0.1)


def test_energies_are_summed_before_the_logarithm():
    """One of two loud frames 10 dB too weak is -2.6 dB, and not -5 dB."""
    wave = np.zeros(20 * HOP)
    for start in (4, 12):
        wave[start * HOP : (start + 4) * HOP] = hiss(4, 3)
    estimate = wave.copy()
    estimate[: 10 * HOP] *= 10 ** (-10 / 20)
    assert levels(wave, estimate)[0] == pytest.approx(10 * math.log10(0.55), abs=1e-3)


def test_a_missing_high_band_has_the_level_of_the_floor(speech):
    voice, faint, fricative = speech
    over_all, loud = levels(voice + faint + fricative, np.zeros_like(voice))
    assert -120 < loud < over_all < -60


def test_silence_has_a_level_too():
    assert levels(np.zeros(5000), np.zeros(5000)) == (0, 0)
    assert levels(np.zeros(5000), hiss(10)[:5000])[0] > 40
