"""The interpolations, compared with SciPy and plain NumPy."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import interpolate as scipy_interpolate
from wideband.audio import interpolate
from wideband.command import UserError

RATIOS = range(2, 9)


def tones(n, rate, frequencies):
    """A sum of cosines with whole numbers of periods in n samples at `rate` 1."""
    instants = np.arange(round(n * rate)) / rate
    return sum(np.cos(2 * np.pi * k * instants / n + k) for k in frequencies)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", [40, 41])
def test_hold_repeats_samples_and_linear_connects_them(noise, ratio, n):
    low = noise(n)
    high_hold, high_linear = interpolate.hold(low, ratio), interpolate.linear(low, ratio)
    for k in range(n):
        after = low[min(k + 1, n - 1)]
        for j in range(ratio):
            assert high_hold[k * ratio + j] == low[k]
            expected = low[k] + (after - low[k]) * j / ratio
            assert high_linear[k * ratio + j] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", [4, 5, 300])
def test_spline_equals_scipys_splrep_and_splev(noise, ratio, n):
    low = noise(n)
    coefficients = scipy_interpolate.splrep(np.arange(n) * ratio, low, k=3, s=0)
    expected = scipy_interpolate.splev(np.arange(n * ratio), coefficients)
    high = interpolate.spline(low, ratio)
    # Past the last sample a cubic reaches hundreds, where float32 has errors of a few 1e-5.
    np.testing.assert_allclose(high, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_spline_of_too_few_samples_is_linear(noise, n):
    low = noise(n)
    np.testing.assert_array_equal(interpolate.spline(low, 4), interpolate.linear(low, 4))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", [64, 65])
def test_fft_pads_the_spectrum_with_zeros(noise, ratio, n):
    low = noise(n)
    spectrum = np.zeros(n * ratio // 2 + 1, complex)
    spectrum[: n // 2 + 1] = np.fft.rfft(low.astype(np.float64))
    if n % 2 == 0:
        # The Nyquist bin of the low side becomes two bins of the high side.
        spectrum[n // 2] /= 2
    expected = np.fft.irfft(spectrum, n * ratio) * ratio
    np.testing.assert_allclose(interpolate.fft(low, ratio), expected, atol=2e-6)


@pytest.mark.parametrize("ratio", RATIOS)
def test_sinc_restores_a_band_limited_wave(ratio):
    # The Nyquist frequency of the low side is 500 periods. Near it, soxr leaves images at ratio 7.
    for frequencies, tolerance in (([3, 101, 277], 2e-6), ([450], 1e-3)):
        high = interpolate.sinc(tones(1000, 1, frequencies).astype(np.float32), ratio)
        inner = slice(200 * ratio, -200 * ratio)
        expected = tones(1000, ratio, frequencies)
        np.testing.assert_allclose(high[inner], expected[inner], atol=tolerance)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", ["hold", "linear", "spline", "fft"])
def test_the_low_rate_samples_are_among_the_high_rate_samples(noise, name, ratio):
    low = noise(97)
    np.testing.assert_allclose(interpolate.get(name)(low, ratio)[::ratio], low, atol=1e-6)


@pytest.mark.parametrize("name", interpolate.METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
def test_every_method_returns_float32_of_n_times_ratio(noise, name, n):
    for ratio in RATIOS:
        for dtype in (np.float32, np.float64):
            high = interpolate.get(name)(noise(n).astype(dtype), ratio)
            assert high.shape == (n * ratio,)
            assert high.dtype == np.float32
            assert np.isfinite(high).all()


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'cubic'.*hold, linear, spline, sinc, fft"):
        interpolate.get("cubic")


@pytest.mark.parametrize("name", interpolate.QUOTIENTS)
@pytest.mark.parametrize("ratio", [Fraction(441, 160), Fraction(3, 2), Fraction(16, 3)])
def test_a_quotient_restores_a_band_limited_wave(name, ratio):
    n = 320 * ratio.denominator
    frequencies = [3, n // 10, n // 4]
    high = interpolate.get(name)(tones(n, 1, frequencies).astype(np.float32), ratio)
    assert high.shape == (n * ratio,)
    inner = slice(round(100 * ratio), -round(100 * ratio))
    expected = tones(n, float(ratio), frequencies)
    # torchaudio's short sinc has a ripple of 0.03 dB, and images of -45 dB.
    tolerance = 2e-2 if name == "hann_sinc" else 1e-5
    np.testing.assert_allclose(high[inner], expected[inner], atol=tolerance)


@pytest.mark.parametrize("name", interpolate.QUOTIENTS)
@pytest.mark.parametrize("n", [1, 7, 100])
def test_the_length_at_a_quotient_is_rounded_to_the_nearest(name, n):
    high = interpolate.get(name)(np.ones(n, np.float32), Fraction(441, 160))
    assert high.shape == (int(n * 441 / 160 + 0.5),)


@pytest.mark.parametrize(
    "name", [name for name in interpolate.METHODS if name not in interpolate.QUOTIENTS]
)
def test_the_other_methods_refuse_a_quotient(name, noise):
    with pytest.raises(
        UserError, match=rf"ratio 5/2: .* {name} needs a whole number; .* sinc, fft"
    ):
        interpolate.get(name)(noise(100), Fraction(5, 2))
