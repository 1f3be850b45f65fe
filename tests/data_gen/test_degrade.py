"""The published protocols, compared with SciPy and with the properties of their filters."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import interpolate, signal
from wideband.command import UserError
from wideband.data_gen import degrade

RATIOS = (*range(2, 9), 12)
# Protocols with a low-pass filter.
FILTERED = [name for name in degrade.PROTOCOLS if name != "subsample_spline"]
QUOTIENTS = [name for name, protocol in degrade.PROTOCOLS.items() if protocol.takes_quotients]


def normal(n, seed=0):
    """White noise of variance 1, in float64."""
    return np.random.default_rng(seed).standard_normal(n)


def gain_db(wave, degraded):
    n = len(degraded)
    return 10 * np.log10(np.sum(np.square(degraded, dtype=float)) / np.sum(wave[:n] ** 2))


def spline(low, ratio):
    """Kuleshov's interpolation: a cubic spline through the low-rate samples at their instants."""
    coefficients = interpolate.splrep(np.arange(len(low)) * ratio, low, k=3, s=0)
    return interpolate.splev(np.arange(len(low) * ratio), coefficients)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("zero_phase", [True, False])
def test_decimate_spline_matches_scipy(ratio, zero_phase):
    wave = normal(1000)
    n = 1000 - 1000 % ratio
    low = signal.decimate(wave[:n], ratio, zero_phase=zero_phase)
    name = "decimate_spline" if zero_phase else "decimate_lagged_spline"
    degraded = degrade.get(name)(wave, ratio)
    np.testing.assert_allclose(degraded, spline(low, ratio), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ratio", RATIOS)
def test_decimate_is_a_chebyshev_filter_of_order_8_both_ways(ratio):
    sections = signal.cheby1(8, 0.05, 0.8 / ratio, output="sos")
    for n in (28 // ratio * ratio + ratio, 160 * ratio):
        wave = normal(n)
        low = degrade.decimate(wave, ratio)
        expected = signal.sosfiltfilt(sections, wave)[::ratio]
        np.testing.assert_array_equal(low, expected.astype(np.float32))
        low = degrade.decimate_lagged(wave, ratio)
        expected = signal.sosfilt(sections, wave)[::ratio]
        np.testing.assert_array_equal(low, expected.astype(np.float32))


@pytest.mark.parametrize("ratio", RATIOS)
def test_subsample_spline_keeps_every_rth_sample_unfiltered(ratio):
    wave = normal(500)
    low = wave[: 500 - 500 % ratio : ratio]
    np.testing.assert_allclose(
        degrade.get("subsample_spline")(wave, ratio), spline(low, ratio), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", [840, 1680])
def test_fft_cuts_the_spectrum_of_the_whole_wave(ratio, n):
    wave = normal(n)
    low = signal.resample(wave, n // ratio)
    np.testing.assert_allclose(degrade.get("fft")(wave, ratio), signal.resample(low, n), atol=5e-6)
    # The bins below the Nyquist frequency of the low side are unchanged.
    kept = (n // ratio + 1) // 2
    spectrum = np.fft.rfft(degrade.get("fft")(wave, ratio))
    np.testing.assert_allclose(spectrum[:kept], np.fft.rfft(wave)[:kept], atol=1e-3)
    assert np.abs(spectrum[n // ratio // 2 + 1 :]).max() < 1e-3


@pytest.mark.parametrize("ratio", RATIOS)
def test_sinc_agrees_with_a_long_windowed_sinc_of_scipy(ratio):
    # Band-limited to 0.8 of the low band, which both filters pass.
    sections = signal.ellip(14, 0.1, 120, 0.8 / ratio, output="sos")
    wave = signal.sosfiltfilt(sections, normal(6000)) * np.hanning(6000)
    taps = signal.firwin(2 * 200 * ratio + 1, 0.95 / ratio, window=("kaiser", 14.0))
    wave = wave[: len(wave) - len(wave) % ratio]
    low = signal.resample_poly(wave, 1, ratio, window=taps)
    expected = signal.resample_poly(low, ratio, 1, window=taps)
    np.testing.assert_allclose(degrade.sinc_down(wave, ratio), low, atol=1e-4)
    np.testing.assert_allclose(degrade.get("sinc")(wave, ratio), expected, atol=2e-4)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", FILTERED)
def test_the_pass_band_is_passed(faded_tone, name, ratio):
    wave = faded_tone(0.5 / ratio)
    # The ripple is 0.05 dB per pass of the filter. A cubic drops by 0.2 dB at half of the band.
    tolerance_db = {"sinc": 0.001, "fft": 0.001, "hann_sinc": 0.05}.get(name, 0.35)
    assert gain_db(wave, degrade.get(name)(wave, ratio)) == pytest.approx(0, abs=tolerance_db)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", FILTERED)
def test_the_stop_band_is_stopped(faded_tone, name, ratio):
    # The spectrum of a faded tone falls below the precision within 1/32 of the band.
    frequency = max(1.25 / ratio, 1 / ratio + 1 / 32)
    # The Chebyshev filter of order 8, cutoff 0.8 / r: about -60 dB here, in one direction.
    sections = signal.cheby1(8, 0.05, 0.8 / ratio, output="sos")
    _, response = signal.sosfreqz(sections, [np.pi * frequency])
    filter_db = 20 * np.log10(abs(response[0]))
    limits_db = {
        "decimate_spline": 2 * filter_db,
        "decimate_lagged_spline": filter_db,
        "decimate_fft": 2 * filter_db,
        # The side lobe that is nearest to the slope.
        "hann_sinc": -45.0,
    }
    # The precision of float32 is about -130 dB.
    limit_db = max(-130, limits_db.get(name, -130)) + 1
    wave = faded_tone(frequency)
    assert gain_db(wave, degrade.get(name)(wave, ratio)) < limit_db


@pytest.mark.parametrize("ratio", RATIOS)
def test_subsampling_aliases(faded_tone, ratio):
    # A tone a quarter above the low band appears a quarter below its end, at the same level.
    wave = faded_tone(1.25 / ratio)
    low = degrade.subsample(wave, ratio)
    spectrum = np.abs(np.fft.rfft(low))
    assert np.argmax(spectrum) / (len(spectrum) - 1) == pytest.approx(0.75, abs=0.01)
    assert np.mean(low**2) == pytest.approx(np.mean(wave**2), rel=0.01)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", degrade.PROTOCOLS)
def test_an_impulse_keeps_its_position_unless_the_protocol_lags(name, ratio):
    instants = np.arange(4000)
    wave = np.exp(-0.5 * ((instants - 2001) / 40) ** 2)
    degraded = degrade.get(name)(wave, ratio).astype(float)
    place = degraded @ instants[: len(degraded)] / degraded.sum()
    lag = 0.0
    if name == "decimate_lagged_spline":
        # The group delay of the filter at low frequencies, from the slope of its phase.
        sections = signal.cheby1(8, 0.05, 0.8 / ratio, output="sos")
        _, response = signal.sosfreqz(sections, [0.0, 1e-3])
        lag = -np.angle(response[1]) / 1e-3
    assert place - 2001 == pytest.approx(lag, abs=0.01)


def test_the_lag_at_ratio_4_is_about_ten_samples_as_in_the_published_files():
    wave = signal.sosfiltfilt(signal.butter(4, 0.15, output="sos"), normal(8000))
    lagged = degrade.get("decimate_lagged_spline")(wave, 4)
    correlation = [lagged[100:-100] @ wave[100 - lag : -100 - lag] for lag in range(30)]
    assert np.argmax(correlation) in (9, 10, 11)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", degrade.PROTOCOLS)
def test_lengths_are_cropped_to_a_multiple_of_the_ratio(name, ratio):
    for n in (ratio, 3 * ratio + 1, 27, 256, 1000, 1001):
        wave = normal(n).astype(np.float32)
        degraded = degrade.get(name)(wave, ratio)
        low = degrade.get(name).down(degrade.crop(wave, ratio), ratio)
        assert len(degraded) == n // ratio * ratio
        assert len(low) == n // ratio
        assert degraded.dtype == low.dtype == np.float32
        assert np.isfinite(degraded).all()


def test_a_wave_is_cropped_at_its_end():
    np.testing.assert_array_equal(degrade.crop(np.arange(11), 4), np.arange(8))


@pytest.mark.parametrize("ratio", [0, 1, 13, -2, Fraction(25, 2), Fraction(2, 3)])
@pytest.mark.parametrize("name", degrade.PROTOCOLS)
def test_a_ratio_out_of_range_is_refused(name, ratio):
    with pytest.raises(UserError, match=f"ratio {ratio} is not a whole number from 2 to 12"):
        degrade.get(name)(normal(100), ratio)


def test_an_unknown_protocol_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'mp3'.*decimate_spline.*sinc, fft"):
        degrade.get("mp3")


# quotients


@pytest.mark.parametrize("name", [name for name in degrade.PROTOCOLS if name not in QUOTIENTS])
def test_a_protocol_that_needs_a_whole_ratio_refuses_a_quotient(name):
    message = rf"ratio 441/160: the protocol {name} needs a whole number .* are sinc, fft"
    with pytest.raises(UserError, match=message) as caught:
        degrade.get(name).down(normal(882), Fraction(441, 160))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", QUOTIENTS)
@pytest.mark.parametrize("ratio", [Fraction(441, 160), Fraction(3, 2)])
def test_lengths_at_a_quotient_are_exact_after_cropping(name, ratio):
    for n in (ratio.numerator, 5000, 22050):
        high = degrade.crop(normal(n).astype(np.float32), ratio)
        assert len(high) == n - n % ratio.numerator
        low = degrade.get(name).down(high, ratio)
        assert len(low) == len(high) / ratio
        assert len(degrade.get(name)(high, ratio)) == len(high)


@pytest.mark.parametrize("name", QUOTIENTS)
def test_a_quotient_passes_the_low_band_and_stops_the_high_band(faded_tone, name):
    ratio, n = Fraction(441, 160), 441 * 40
    passed, stopped = faded_tone(0.7 / float(ratio), n), faded_tone(1.2 / float(ratio), n)
    # torchaudio's short sinc has a ripple of 0.05 dB, images of -45 dB, and -28 dB at 1.2 times the
    # cutoff, by the integral of its kernel.
    ripple, lobe = (1.3e-2, 4e-2) if name == "hann_sinc" else (2e-4, 1e-4)
    np.testing.assert_allclose(degrade.get(name)(passed, ratio), passed, atol=ripple)
    assert np.abs(degrade.get(name)(stopped, ratio)).max() < lobe
