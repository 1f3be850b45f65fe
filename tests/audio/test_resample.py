"""Resampling between any two rates, and ratios of rates."""

from fractions import Fraction

import numpy as np
import pytest
from wideband import audio
from wideband.command import UserError


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(44100, 16000), (16000, 44100), (8000, 16000), (48000, 16000)]
)
def test_a_resampled_tone_is_the_tone_at_the_other_rate(tone, from_hz, to_hz):
    found = audio.resample(tone(2 * from_hz, 440, from_hz), from_hz, to_hz)
    assert (found.shape, found.dtype) == ((2 * to_hz,), np.float32)
    inner = slice(to_hz // 4, -to_hz // 4)
    np.testing.assert_allclose(found[inner], tone(2 * to_hz, 440, to_hz)[inner], atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 441, 1000, 1001, 44099])
def test_the_resampled_length_is_rounded_to_the_nearest(n):
    for from_hz, to_hz in ((44100, 16000), (16000, 44100), (16000, 16000), (16000, 48000)):
        expected = int(np.floor(n * to_hz / from_hz + 0.5))
        assert audio.resampled_length(n, from_hz, to_hz) == expected
        wave = np.zeros((n, 2), np.float32)
        assert audio.resample(wave, from_hz, to_hz).shape == (expected, 2)


@pytest.mark.parametrize("shape", [(5,), (5, 2)])
def test_a_wave_is_padded_with_zeros_or_cut_at_its_end(shape):
    wave = np.ones(shape, np.float32)
    np.testing.assert_array_equal(audio.fit_length(wave, 3), wave[:3])
    longer = audio.fit_length(wave, 7)
    assert longer.shape == (7, *shape[1:])
    np.testing.assert_array_equal(longer[:5], wave)
    assert not longer[5:].any()


@pytest.mark.parametrize(
    ("value", "ratio"),
    [
        (4, 4),
        ("4", 4),
        (4.0, 4),
        ("16000/4000", 4),
        (2.5, Fraction(5, 2)),
        ("2.5", Fraction(5, 2)),
        ("768", 768),
        ("1/768", Fraction(1, 768)),
        ("22050/8000", Fraction(441, 160)),
        (Fraction(8, 2), 4),
    ],
)
def test_a_ratio_is_a_whole_number_or_a_reduced_fraction(value, ratio):
    found = audio.quotient(value)
    assert (found, type(found)) == (ratio, type(ratio))


@pytest.mark.parametrize(
    "value",
    [
        *("four", "", "1/0", "-2", 0, float("nan"), float("inf"), [4], None),
        *("1e999999999", "9" * 5000, 10**400, 769, "1/769"),
    ],
)
def test_a_ratio_that_is_not_a_number_or_far_from_1_is_refused_at_once(value):
    with pytest.raises(UserError, match=r"^ratio ") as caught:
        audio.quotient(value)
    assert "\n" not in str(caught.value)


def test_tones_above_the_end_are_removed_and_others_are_kept():
    kept, removed = (np.sin(2 * np.pi * hz * np.arange(16000) / 16000) for hz in (1000, 3010))
    found = audio.remove_above(kept + removed, 16000, 3000)
    np.testing.assert_allclose(found, kept, atol=1e-6)
    assert found.dtype == np.float32
