"""Errors over frequency, compared with the LSD and with known changes of a wave."""

import itertools
import math

import numpy as np
import pytest
from wideband.command import UserError
from wideband.evaluate import metrics
from wideband.evaluate.metrics import bands

SAMPLE_RATE = 16000


def test_a_gain_is_the_same_difference_at_every_frequency(noise):
    wave = noise(SAMPLE_RATE)
    differences = bands.level_differences(wave, 0.5 * wave)
    np.testing.assert_allclose(differences, np.full(1025, 20 * math.log10(0.5)), atol=1e-9)


def test_a_missing_band_is_negative_in_that_band(noise):
    wave = noise(SAMPLE_RATE)
    spectrum = np.fft.rfft(wave)
    spectrum[4000:] = 0  # above 4 kHz
    differences = bands.level_differences(wave, np.fft.irfft(spectrum))
    hz = np.linspace(0, 8000, 1025)
    # Within a decibel: the frames at the ends have the ringing of the cut.
    assert np.abs(differences[hz < 3900]).max() < 1
    assert differences[hz > 4100].max() < -20


@pytest.mark.parametrize("n", [1, 300, 5000])
def test_one_band_over_all_frequencies_has_the_modern_lsd(monkeypatch, noise, n):
    monkeypatch.setattr(bands, "BANDS", ((0, 8000, "all"),))
    reference, estimate = noise(n, 0), noise(n, 1)
    [distance] = bands.lsd_by_band(reference, estimate, SAMPLE_RATE).values()
    assert distance == pytest.approx(metrics.lsd(reference, estimate), rel=1e-6)


def test_two_bands_at_the_cutoff_have_the_distances_below_and_above(monkeypatch, noise):
    monkeypatch.setattr(bands, "BANDS", ((0, 2000, "low"), (2000, 8000, "high")))
    reference = noise(SAMPLE_RATE)
    estimate = reference + 0.1 * noise(SAMPLE_RATE, 1)
    low, high = bands.lsd_by_band(reference, estimate, SAMPLE_RATE).values()
    given = {"cutoff_hz": 2000, "sample_rate": SAMPLE_RATE}
    assert low == pytest.approx(metrics.lsd_lf(reference, estimate, **given), rel=1e-6)
    assert high == pytest.approx(metrics.lsd_hf(reference, estimate, **given), rel=1e-6)


def test_bands_end_at_half_the_rate_and_have_no_gaps(noise):
    for sample_rate, count in ((4000, 3), (16000, 6), (44100, 8)):
        found = list(bands.lsd_by_band(noise(5000, 0), noise(5000, 1), sample_rate))
        assert len(found) == count
        assert found[0][0] == 0
        assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
        assert found[-1][0] < sample_rate / 2 <= found[-1][1]


def test_waves_that_cannot_be_compared_are_refused(noise):
    for function in (bands.level_differences, lambda *waves: bands.lsd_by_band(*waves, 8000)):
        with pytest.raises(UserError, match="must be equal"):
            function(noise(100), noise(99))
