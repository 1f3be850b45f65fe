"""Random recordings of limited band: aligned, as long as the wave, and without its high band."""

import numpy as np
import pytest
from wideband.data_gen import band_limit
from wideband.data_gen.band_limit import KINDS, filter_randomly, limit_band

RATE = 16000


@pytest.fixture
def only(monkeypatch):
    """Returns a function that lets `limit_band` draw one kind only."""

    def only(kind):
        monkeypatch.setattr(band_limit, "KINDS", {kind: 1.0})

    return only


@pytest.fixture(scope="module")
def wave():
    """A second of noise whose spectrum falls as that of speech, with pauses, in float32."""
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.normal(size=RATE))
    spectrum /= 1 + (np.fft.rfftfreq(RATE, 1 / RATE) / 800) ** 1.5
    wave = np.fft.irfft(spectrum) * (1 - np.cos(2 * np.pi * 5 * np.arange(RATE) / RATE))
    return (0.3 * wave / np.abs(wave).max()).astype(np.float32)


def lag(wave, other):
    """Returns by how many samples `other` comes later than `wave`."""
    size = 2 * len(wave)
    product = np.conj(np.fft.rfft(wave, size)) * np.fft.rfft(other, size)
    at = int(np.argmax(np.fft.irfft(product)))
    return at if at < len(wave) else at - size


@pytest.mark.parametrize("kind", KINDS)
def test_every_recording_is_aligned_and_as_long_as_the_wave(kind, only, wave):
    only(kind)
    lags = []
    for seed in range(12):
        limited = limit_band(wave, RATE, np.random.default_rng(seed))
        assert (limited.dtype, limited.shape) == (np.float32, wave.shape)
        assert np.isfinite(limited).all()
        lags.append(abs(lag(wave, limited)))
    assert max(lags) <= 16, lags


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_make_equal_recordings(kind, only, wave):
    only(kind)
    first, again, other = (
        limit_band(wave, RATE, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


@pytest.mark.parametrize("cutoff_hz", [1000.0, 3000.0, 5500.0])
def test_a_random_filter_ends_the_band(cutoff_hz, wave):
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    noise = np.random.default_rng(0).normal(0, 0.1, len(wave))
    before = np.abs(np.fft.rfft(noise)) ** 2
    for seed in range(30):
        limited = filter_randomly(noise, cutoff_hz, RATE, np.random.default_rng(seed))
        gains = np.abs(np.fft.rfft(limited)) ** 2
        passed, stopped = (
            10 * np.log10(gains[each].sum() / before[each].sum())
            for each in (hz < 0.5 * cutoff_hz, hz > 1.45 * cutoff_hz)
        )
        assert passed > -3
        assert stopped < -12


def test_the_bands_end_everywhere_between_the_limits(wave):
    noise = np.random.default_rng(0).normal(0, 0.1, len(wave)).astype(np.float32)
    hz = np.fft.rfftfreq(len(wave), 1 / RATE)
    ends = []
    for seed in range(60):
        limited = limit_band(noise, RATE, np.random.default_rng(seed))
        power = np.cumsum(np.abs(np.fft.rfft(limited)) ** 2)
        ends.append(hz[np.searchsorted(power, 0.98 * power[-1])])
    counts, _ = np.histogram(ends, [0, 2000, 4000, 6000, 8000])
    assert (counts > 3).all(), counts
    # Codecs without a filter keep some of the high band.
    assert np.mean(np.array(ends) < 7600) > 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 16, 27, 39, 64, 200, 500])
def test_short_waves_are_taken(kind, n, only, wave):
    only(kind)
    for seed in range(6):
        limited = limit_band(wave[4000 : 4000 + n], RATE, np.random.default_rng(seed))
        assert limited.shape == (n,)
        assert np.isfinite(limited).all()


@pytest.mark.parametrize("kind", KINDS)
def test_silence_stays_silent(kind, only):
    only(kind)
    for seed in range(4):
        limited = limit_band(np.zeros(4000, np.float32), RATE, np.random.default_rng(seed))
        assert np.abs(limited).max() < 1e-3
