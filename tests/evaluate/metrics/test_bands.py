"""The errors along frequency, against the LSD and against known changes of a wave."""

import itertools
import math

import numpy as np
import pytest
from wideband.evaluate import metrics
from wideband.evaluate.metrics import bands

SAMPLE_RATE = 16000


def noise(seed=0, n=SAMPLE_RATE):
    return 0.1 * np.random.default_rng(seed).standard_normal(n)


def test_a_gain_is_the_same_difference_at_every_frequency():
    differences = bands.level_differences(noise(), 0.5 * noise())
    np.testing.assert_allclose(differences, np.full(1025, 20 * math.log10(0.5)), atol=1e-9)


def test_what_is_missing_lies_below_zero_where_it_is_missing():
    spectrum = np.fft.rfft(noise())
    spectrum[4000:] = 0  # above 4 kHz
    differences = bands.level_differences(noise(), np.fft.irfft(spectrum))
    hz = np.linspace(0, 8000, 1025)
    # Within a decibel: the frames at the ends hold the cut's ringing.
    assert np.abs(differences[hz < 3900]).max() < 1
    assert differences[hz > 4100].max() < -20


@pytest.mark.parametrize("n", [1, 300, 5000])
def test_one_band_over_all_frequencies_has_the_modern_lsd(monkeypatch, n):
    monkeypatch.setattr(bands, "BANDS", ((0, 8000, "all"),))
    reference, estimate = noise(0, n), noise(1, n)
    [distance] = bands.lsd_by_band(reference, estimate, SAMPLE_RATE).values()
    assert distance == pytest.approx(metrics.lsd(reference, estimate), rel=1e-6)


def test_two_bands_at_the_cutoff_have_the_distances_below_and_above_it(monkeypatch):
    monkeypatch.setattr(bands, "BANDS", ((0, 2000, "low"), (2000, 8000, "high")))
    reference, estimate = noise(0), noise(0) + 0.1 * noise(1)
    low, high = bands.lsd_by_band(reference, estimate, SAMPLE_RATE).values()
    given = {"cutoff_hz": 2000, "sample_rate": SAMPLE_RATE}
    assert low == pytest.approx(metrics.lsd_lf(reference, estimate, **given), rel=1e-6)
    assert high == pytest.approx(metrics.lsd_hf(reference, estimate, **given), rel=1e-6)


def test_bands_end_at_half_the_rate_and_have_no_gaps():
    for sample_rate, count in ((4000, 3), (16000, 6), (44100, 8)):
        found = list(bands.lsd_by_band(noise(0), noise(1), sample_rate))
        assert len(found) == count
        assert found[0][0] == 0
        assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
        assert found[-1][0] < sample_rate / 2 <= found[-1][1]


def test_waves_that_cannot_be_compared_are_refused():
    for function in (bands.level_differences, lambda *waves: bands.lsd_by_band(*waves, 8000)):
        with pytest.raises(ValueError, match="must be equal"):
            function(noise(), noise()[:-1])
