"""Stereo, pauses and levels around AudioSR, each with waves whose answer is known."""

import numpy as np
import pytest
from wideband.models import audiosr_repair as repair

RATE, N = 48000, 9600


@pytest.fixture(scope="module")
def noise():
    """Two independent noises, (2, n)."""
    return np.random.default_rng(0).normal(0, 0.1, (2, N))


@pytest.mark.parametrize(
    ("gains", "is_mid", "share"),
    [
        ((1, 1), True, 0),
        ((1, 0), True, 1),
        ((0, 1), True, -1),
        ((0.75, 0.25), True, 0.5),
        ((1, -1), False, 0),
    ],
)
def test_a_panned_sound_has_a_known_share(gains, is_mid, share, noise):
    left, right = (gain * noise[0] for gain in gains)
    pair = repair.pair(left, right)
    assert pair.is_mid == is_mid
    np.testing.assert_allclose(pair.share, share, atol=1e-9)
    # What is made of the main channel goes where the sound is.
    total = gains[0] + gains[1] if is_mid else gains[0] - gains[1]
    made = pair.channels(noise[1])
    np.testing.assert_allclose(made, np.outer(gains, 2 * noise[1] / total), atol=1e-9)


def test_independent_channels_share_nothing(noise):
    pair = repair.pair(*noise)
    assert np.abs(pair.share).max() < 0.2


def test_a_sound_that_moves_takes_its_share_with_it(noise):
    first = np.arange(N) < N // 2
    pair = repair.pair(noise[0] * first, noise[0] * ~first)
    assert pair.share[N // 8] > 0.9 and pair.share[-N // 8] < -0.9


def test_two_silent_channels_have_no_share():
    pair = repair.pair(np.zeros(N), np.zeros(N))
    assert not pair.main.any() and not pair.share.any()


def test_the_gate_opens_between_90_and_80_db(noise):
    for level_db, expected in ((-95, 0.0), (-85, 0.5), (-75, 1.0)):
        wave = 10 ** (level_db / 20) * np.tile([1, -1], N // 2)
        np.testing.assert_allclose(repair.gate(wave), expected, atol=1e-6)
    assert not repair.gate(np.zeros(N)).any()


def test_nothing_is_generated_for_an_offset():
    np.testing.assert_array_equal(repair.gate(np.full(N, 0.5)), 0)


def test_the_gate_closes_within_a_tenth_of_a_second(noise):
    wave = np.where(np.arange(N) < 960, noise[0], 0)
    gain = repair.gate(wave)
    assert (gain[:1500] == 1).all() and not gain[960 + 4800 :].any()


@pytest.mark.parametrize(("gain", "found"), [(0.8, 1.25), (1.5, 1 / 1.5), (0.1, 2.0), (9.0, 0.5)])
def test_levels_are_matched_below_the_end_of_the_band(gain, found, noise):
    spectrum = np.fft.rfft(noise[0])
    spectrum[N * 8000 // RATE :] = 0
    original = np.fft.irfft(spectrum)
    # Above the band, the generated wave may be as loud as it likes.
    spectrum = gain * spectrum
    spectrum[N * 8000 // RATE :] = 100.0
    wave = np.fft.irfft(spectrum)
    assert repair.level_gain(wave, original, RATE, 8000.0) == pytest.approx(found, rel=1e-6)


def test_silence_has_no_level_to_match(noise):
    assert repair.level_gain(noise[0], np.zeros(N), RATE, 8000.0) == 1.0
