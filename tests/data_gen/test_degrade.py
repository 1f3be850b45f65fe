"""The published protocols, against SciPy and against what a filter must do."""

import numpy as np
import pytest
from scipy import interpolate, signal
from wideband.command import UserError
from wideband.data_gen import degrade

RATIOS = range(2, 9)
# With their filters, all but the one that aliases.
FILTERED = [name for name in degrade.PROTOCOLS if name != "subsample_spline"]


def noise(n, seed=0):
    return np.random.default_rng(seed).standard_normal(n)


def tone(frequency, n=8000):
    """A sine; frequency 1 is the Nyquist frequency. It swells and fades, so has no borders."""
    return np.sin(np.pi * frequency * np.arange(n)) * np.hanning(n)


def gain_db(wave, degraded):
    n = len(degraded)
    return 10 * np.log10(np.sum(np.square(degraded, dtype=float)) / np.sum(wave[:n] ** 2))


def spline(low, ratio):
    """Kuleshov's way up: a cubic through the low samples at their instants."""
    coefficients = interpolate.splrep(np.arange(len(low)) * ratio, low, k=3, s=0)
    return interpolate.splev(np.arange(len(low) * ratio), coefficients)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("zero_phase", [True, False])
def test_decimate_spline_is_that_of_scipy(ratio, zero_phase):
    wave = noise(1000)
    n = 1000 - 1000 % ratio
    low = signal.decimate(wave[:n], ratio, zero_phase=zero_phase)
    degraded = degrade.decimate_spline(wave, ratio, zero_phase)
    np.testing.assert_allclose(degraded, spline(low, ratio), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ratio", RATIOS)
def test_decimate_is_a_chebyshev_filter_of_order_8_both_ways(ratio):
    wave = noise(160 * ratio)
    sections = signal.cheby1(8, 0.05, 0.8 / ratio, output="sos")
    low = degrade.decimate(wave, ratio)
    np.testing.assert_allclose(low, signal.sosfiltfilt(sections, wave)[::ratio], atol=1e-6)
    low = degrade.decimate_lagged(wave, ratio)
    np.testing.assert_allclose(low, signal.sosfilt(sections, wave)[::ratio], atol=1e-6)


@pytest.mark.parametrize("ratio", RATIOS)
def test_subsample_spline_keeps_every_rth_sample_unfiltered(ratio):
    wave = noise(500)
    low = wave[: 500 - 500 % ratio : ratio]
    np.testing.assert_allclose(
        degrade.subsample_spline(wave, ratio), spline(low, ratio), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", [840, 1680])
def test_fft_cuts_the_spectrum_of_the_whole_wave(ratio, n):
    wave = noise(n)
    low = signal.resample(wave, n // ratio)
    np.testing.assert_allclose(degrade.fft(wave, ratio), signal.resample(low, n), atol=5e-6)
    # The same, by its bins: those below the low side's Nyquist frequency stay as they are.
    kept = (n // ratio + 1) // 2
    spectrum = np.fft.rfft(degrade.fft(wave, ratio))
    np.testing.assert_allclose(spectrum[:kept], np.fft.rfft(wave)[:kept], atol=1e-3)
    assert np.abs(spectrum[n // ratio // 2 + 1 :]).max() < 1e-3


@pytest.mark.parametrize("ratio", RATIOS)
def test_sinc_agrees_with_a_long_windowed_sinc_of_scipy(ratio):
    # Band-limited to 0.85 of what the low side holds, where both filters pass all.
    sections = signal.ellip(14, 0.1, 120, 0.8 / ratio, output="sos")
    wave = signal.sosfiltfilt(sections, noise(6000)) * np.hanning(6000)
    taps = signal.firwin(2 * 200 * ratio + 1, 0.95 / ratio, window=("kaiser", 14.0))
    wave = wave[: len(wave) - len(wave) % ratio]
    low = signal.resample_poly(wave, 1, ratio, window=taps)
    expected = signal.resample_poly(low, ratio, 1, window=taps)
    np.testing.assert_allclose(degrade.sinc_down(wave, ratio), low, atol=1e-4)
    np.testing.assert_allclose(degrade.sinc(wave, ratio), expected, atol=2e-4)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", FILTERED)
def test_the_pass_band_passes(name, ratio):
    wave = tone(0.5 / ratio)
    # Ripple: 0.05 dB for each way of the filter. A cubic droops by 0.2 dB at half of the band.
    tolerance_db = 0.001 if name in ("sinc", "fft") else 0.35
    assert gain_db(wave, degrade.get(name)(wave, ratio)) == pytest.approx(0, abs=tolerance_db)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", FILTERED)
def test_the_stop_band_is_stopped(name, ratio):
    frequency = 1.25 / ratio
    # The Chebyshev filter of order 8, cutoff 0.8 / r: some -60 dB here, one way.
    sections = signal.cheby1(8, 0.05, 0.8 / ratio, output="sos")
    _, response = signal.sosfreqz(sections, [np.pi * frequency])
    filter_db = 20 * np.log10(abs(response[0]))
    limits_db = {
        "decimate_spline": 2 * filter_db,
        "decimate_lagged_spline": filter_db,
        "decimate_fft": 2 * filter_db,
    }
    # Waves are float32: -130 dB is as good as nothing.
    limit_db = max(-130, limits_db.get(name, -130)) + 1
    assert gain_db(tone(frequency), degrade.get(name)(tone(frequency), ratio)) < limit_db


@pytest.mark.parametrize("ratio", RATIOS)
def test_subsampling_aliases(ratio):
    # A tone a quarter above the low side's band comes back a quarter below its end, as strong.
    wave = tone(1.25 / ratio)
    low = degrade.subsample(wave, ratio)
    spectrum = np.abs(np.fft.rfft(low))
    assert np.argmax(spectrum) / (len(spectrum) - 1) == pytest.approx(0.75, abs=0.01)
    assert np.mean(low**2) == pytest.approx(np.mean(wave**2), rel=0.01)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", degrade.PROTOCOLS)
def test_an_impulse_stays_where_it_was_unless_the_protocol_lags(name, ratio):
    instants = np.arange(4000)
    wave = np.exp(-0.5 * ((instants - 2001) / 40) ** 2)
    degraded = degrade.get(name)(wave, ratio).astype(float)
    place = degraded @ instants[: len(degraded)] / degraded.sum()
    lag = 0.0
    if name == "decimate_lagged_spline":
        # The group delay of the one-way filter at low frequencies, from its slope of phase.
        sections = signal.cheby1(8, 0.05, 0.8 / ratio, output="sos")
        _, response = signal.sosfreqz(sections, [0.0, 1e-3])
        lag = -np.angle(response[1]) / 1e-3
    assert place - 2001 == pytest.approx(lag, abs=0.01)


def test_the_lag_at_ratio_4_is_some_ten_samples_as_in_the_published_files():
    wave = signal.sosfiltfilt(signal.butter(4, 0.15, output="sos"), noise(8000))
    lagged = degrade.decimate_spline(wave, 4, zero_phase=False)
    correlation = [lagged[100:-100] @ wave[100 - lag : -100 - lag] for lag in range(30)]
    assert np.argmax(correlation) in (9, 10, 11)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", degrade.PROTOCOLS)
def test_lengths_are_cropped_to_a_multiple_of_the_ratio(name, ratio):
    for n in (ratio, 3 * ratio + 1, 27, 256, 1000, 1001):
        wave = noise(n).astype(np.float32)
        degraded = degrade.get(name)(wave, ratio)
        low = degrade.get(name).down(degrade.crop(wave, ratio), ratio)
        assert len(degraded) == n // ratio * ratio
        assert len(low) == n // ratio
        assert degraded.dtype == low.dtype == np.float32
        assert np.isfinite(degraded).all()


def test_a_cropped_wave_loses_its_end_only():
    np.testing.assert_array_equal(degrade.crop(np.arange(11), 4), np.arange(8))


def test_the_functions_are_the_protocols_of_the_same_names():
    wave = noise(400)
    for function, name in (
        (degrade.decimate_spline, "decimate_spline"),
        (degrade.subsample_spline, "subsample_spline"),
        (degrade.sinc, "sinc"),
        (degrade.fft, "fft"),
    ):
        np.testing.assert_array_equal(function(wave, 4), degrade.get(name)(wave, 4))


@pytest.mark.parametrize("ratio", [0, 1, 9, -2])
def test_a_ratio_beyond_2_to_8_is_refused(ratio):
    with pytest.raises(UserError, match=f"ratio {ratio} is not a whole number from 2 to 8"):
        degrade.sinc(noise(100), ratio)


def test_an_unknown_protocol_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'mp3'.*decimate_spline.*sinc, fft"):
        degrade.get("mp3")


@pytest.mark.parametrize("ratio", RATIOS)
def test_random_filters_pass_the_band_without_lag_and_stop_what_would_alias(ratio):
    passed, stopped = tone(0.4 / ratio, 1600 * ratio), tone(1.6 / ratio, 1600 * ratio)
    for seed in range(20):
        low = degrade.decimate_randomly(passed, ratio, np.random.default_rng(seed))
        assert low.dtype == np.float32 and len(low) == 1600
        scale = np.dot(low, passed[::ratio]) / np.dot(passed[::ratio], passed[::ratio])
        np.testing.assert_allclose(low, scale * passed[::ratio], atol=1e-3)
        # Half a dB of ripple, twice.
        assert 10 ** (-1.01 / 20) < scale < 1.01
        low = degrade.decimate_randomly(stopped, ratio, np.random.default_rng(seed))
        assert np.std(low) < 0.1 * np.std(stopped)


def test_random_filters_differ_near_the_end_of_the_band_and_follow_from_their_seed():
    wave = noise(8000)

    def level(seed, edge):
        low = degrade.decimate_randomly(wave, 4, np.random.default_rng(seed))
        power = np.abs(np.fft.rfft(low)) ** 2
        return 10 * np.log10(np.mean(power[edge]))

    edge, middle = slice(900, 1000), slice(300, 400)
    levels = [level(seed, edge) - level(seed, middle) for seed in range(20)]
    assert np.ptp(levels) > 20
    assert levels == [level(seed, edge) - level(seed, middle) for seed in range(20)]


def test_random_filters_take_waves_of_any_length():
    for n in (4, 40, 400):
        for seed in range(4):
            low = degrade.decimate_randomly(noise(n), 4, np.random.default_rng(seed))
            assert low.shape == (n // 4,)
            assert np.isfinite(low).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_faster_wave_is_higher_and_fills_its_band(steps):
    speed = 1 + 0.05 * steps
    wave = np.sin(0.3 * np.arange(2**14))
    faster = degrade.hasten(wave, steps)
    assert faster.dtype == np.float32
    assert len(faster) == pytest.approx(len(wave) / speed, abs=1)
    expected = np.sin(0.3 * speed * np.arange(len(faster)))
    np.testing.assert_allclose(faster[100:-100], expected[100:-100], atol=2e-3)
    _, power = signal.welch(degrade.hasten(noise(2**18), steps), nperseg=512)
    level_db = 10 * np.log10(power / power[10:100].mean())
    # What is folded back is added, and a filter against that would leave 20 dB less and lower.
    assert level_db[5:-1].min() > -3 and level_db[5:-1].max() < 4
