"""The interpolations, compared with SciPy and plain NumPy."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import interpolate as scipy_interpolate
from scipy import signal
from wideband.audio import interpolate
from wideband.command import UserError

RATIOS = (*range(2, 9), 12)
# 8 to 22.05 kHz, and an extreme one.
QUOTIENTS = [Fraction(441, 160), Fraction(3, 2), Fraction(16, 3)]
SPLINES = {"quadratic": 2, "spline": 3, "quintic": 5}


def scipys(name):
    """Returns SciPy's interpolation: samples (n,) to a function of instants."""
    holding = {"hold": "previous", "nearest": "nearest", "linear": "linear"}
    hermite = {
        "pchip": scipy_interpolate.PchipInterpolator,
        "akima": scipy_interpolate.Akima1DInterpolator,
        "makima": lambda x, y: scipy_interpolate.Akima1DInterpolator(x, y, method="makima"),
        "catmull_rom": lambda x, y: scipy_interpolate.CubicHermiteSpline(x, y, np.gradient(y)),
    }

    def curve(y):
        x = np.arange(len(y))
        if name in holding:
            ends = {"bounds_error": False, "fill_value": (y[0], y[-1])}
            return scipy_interpolate.interp1d(x, y, holding[name], **ends)
        if name in hermite:
            found = hermite[name](x, y)
        else:
            found = scipy_interpolate.make_interp_spline(x, y, SPLINES[name])
        return lambda instants: found(instants, extrapolate=True)

    return curve


def tones(n, rate, frequencies):
    """A sum of cosines with whole numbers of periods in n samples at `rate` 1."""
    instants = np.arange(round(n * rate)) / rate
    return sum(np.cos(2 * np.pi * k * instants / n + k) for k in frequencies)


# In the longer waves, the ends of a spline do not influence each other.
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 40, 96, 97, 320])
@pytest.mark.parametrize(
    "name", ["hold", "nearest", "linear", *SPLINES, "pchip", "akima", "makima", "catmull_rom"]
)
def test_the_output_is_that_of_scipy_at_the_instants_of_the_high_rate(name, n, noise):
    low = noise(n)
    if n <= SPLINES.get(name, 0):
        return
    curve = scipys(name)(low.astype(np.float64))
    for ratio in (2, 3, 4, 8, *QUOTIENTS):
        high = interpolate.get(name)(low, ratio)
        expected = curve(np.arange(len(high)) / float(ratio))
        # Past the last sample, a polynomial may reach hundreds.
        np.testing.assert_allclose(high, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["pchip", "akima", "makima"])
@pytest.mark.parametrize(
    "low", [[0, 0, 0, 1, 1, 1, 0.5, 0, 0, 0], [0, 1, 2, 3, 3, 3], [1, 0, 3], [0, 1, -5, 0, 0.1]]
)
def test_steps_and_ramps_are_those_of_scipy(name, low):
    low = np.array(low, np.float64)
    high = interpolate.get(name)(low, 4)
    expected = scipys(name)(low)(np.arange(len(high)) / 4)
    np.testing.assert_allclose(high, expected, atol=1e-6)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("n", [4, 5, 300])
def test_spline_equals_scipys_splrep_and_splev(noise, ratio, n):
    low = noise(n)
    coefficients = scipy_interpolate.splrep(np.arange(n) * ratio, low, k=3, s=0)
    expected = scipy_interpolate.splev(np.arange(n * ratio), coefficients)
    high = interpolate.spline(low, ratio)
    # Past the last sample a cubic reaches hundreds, where float32 has errors of a few 1e-5.
    np.testing.assert_allclose(high, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SPLINES)
@pytest.mark.parametrize("n", range(1, 6))
def test_a_spline_of_too_few_samples_is_linear(noise, name, n):
    low = noise(n)
    if n <= SPLINES[name]:
        found = interpolate.get(name)(low, 4)
        np.testing.assert_array_equal(found, interpolate.linear(low, 4))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 300])
def test_kaiser_equals_scipys_resample_poly(noise, n):
    low = noise(n).astype(np.float64)
    for ratio in (*RATIOS, *QUOTIENTS):
        high = interpolate.get("kaiser")(low, ratio)
        expected = signal.resample_poly(low, ratio.numerator, ratio.denominator)
        np.testing.assert_allclose(high, expected[: len(high)], rtol=0, atol=1e-7)


@pytest.mark.parametrize("a", [3, 8])
@pytest.mark.parametrize("n", [1, 2, 3, 40])
def test_lanczos_is_a_weighted_mean_of_the_samples_around(noise, a, n):
    low = noise(n).astype(np.float64)
    for ratio in (2, 3, 8, Fraction(441, 160)):
        high = interpolate.get(f"lanczos{a}")(low, ratio)
        for k, found in enumerate(high):
            # Samples beyond the ends are 0.
            around = range(int(k / ratio) - a, int(k / ratio) + a + 2)
            t = np.array([k / float(ratio) - i for i in around])
            weights = np.where(abs(t) < a, np.sinc(t) * np.sinc(t / a), 0)
            samples = np.array([low[i] if 0 <= i < n else 0 for i in around])
            assert found == pytest.approx(weights @ samples / weights.sum(), abs=1e-7)


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
    np.testing.assert_allclose(signal.resample(low, n * ratio), expected, atol=2e-6)


@pytest.mark.parametrize("ratio", RATIOS)
def test_sinc_restores_a_band_limited_wave(ratio):
    # The Nyquist frequency of the low side is 500 periods. Near it, soxr leaves images at ratio 7.
    for frequencies, tolerance in (([3, 101, 277], 2e-6), ([450], 1e-3)):
        high = interpolate.sinc(tones(1000, 1, frequencies).astype(np.float32), ratio)
        inner = slice(200 * ratio, -200 * ratio)
        expected = tones(1000, ratio, frequencies)
        np.testing.assert_allclose(high[inner], expected[inner], atol=tolerance)


@pytest.mark.parametrize(
    "name", [name for name in interpolate.METHODS if name not in ("sinc", "hann_sinc")]
)
def test_the_low_rate_samples_are_among_the_high_rate_samples(noise, name):
    low = noise(97)
    # The weights of Kaiser's window add up to 1 on average only.
    atol = 1e-3 if name == "kaiser" else 1e-6
    for ratio in RATIOS:
        np.testing.assert_allclose(interpolate.get(name)(low, ratio)[::ratio], low, atol=atol)


@pytest.mark.parametrize("name", interpolate.METHODS)
def test_a_constant_wave_remains_one(name):
    for ratio in (3, 8, Fraction(441, 160)):
        high = interpolate.get(name)(np.full(640, 0.5), ratio)
        # soxr and torchaudio's sinc have a ripple, Kaiser's window has images of a constant.
        atol = 3e-3 if name in ("kaiser", "hann_sinc") else 1e-6
        inner = slice(round(300 * ratio), round(340 * ratio))
        np.testing.assert_allclose(high[inner], 0.5, atol=atol)


@pytest.mark.parametrize("name", interpolate.METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
def test_every_method_returns_float32_of_n_times_ratio_rounded(noise, name, n):
    for ratio in (*RATIOS, *QUOTIENTS):
        for dtype in (np.float32, np.float64):
            high = interpolate.get(name)(noise(n).astype(dtype), ratio)
            assert high.shape == (int(n * ratio + Fraction(1, 2)),)
            assert high.dtype == np.float32
            assert np.isfinite(high).all()


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'cubic'.*hold, nearest, linear, quadratic, spline"):
        interpolate.get("cubic")


@pytest.mark.parametrize("name", ["sinc", "fft", "hann_sinc"])
@pytest.mark.parametrize("ratio", QUOTIENTS)
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
