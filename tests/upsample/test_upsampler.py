"""The upsampler: its output is aligned and of the right length, and bad input is refused."""

from fractions import Fraction

import numpy as np
import pytest
import soxr
from scipy import signal
from wideband import models
from wideband.audio import interpolate
from wideband.command import UserError
from wideband.upsample import Upsampler, load
from wideband.upsample.baselines import Interpolation


@pytest.mark.parametrize("name", ["hold", "linear", "spline"])
def test_a_baseline_is_its_interpolation_except_for_its_last_samples(name, noise):
    wave, sample_rate = load(name, 16000, 4).upsample(noise(500), 4000, keep_low_band=False)
    assert (len(wave), sample_rate) == (2000, 16000)
    expected = interpolate.METHODS[name](noise(500), 4)
    np.testing.assert_allclose(wave[:-64], expected[:-64], rtol=0, atol=1e-6)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_a_spline_does_not_diverge_at_the_end(ratio, noise):
    upsampler = load("spline", 16000, ratio)
    for seed in range(50):
        wave, _ = upsampler.upsample(noise(200, seed), 16000 / ratio, keep_low_band=False)
        assert np.abs(wave[-ratio:]).max() < 1.5 * np.abs(wave[:-ratio]).max()


@pytest.mark.parametrize("ratio", [2, 4])
def test_a_network_that_wants_the_low_rate_gets_the_wave_without_interpolation(ratio, noise):
    network = models.build("keras_unet", width=0.05, ratio=ratio)
    wave = noise(1001)
    upsampler = Upsampler(network, 16000, ratio, "spline")
    restored, _ = upsampler.upsample(wave, 16000 / ratio, keep_low_band=False)
    assert restored.shape == (1001 * ratio,)
    context = network.context
    padded = np.zeros(2 * context + 1024 + network.multiple, np.float32)
    # The upsampler mirrors the end of the wave.
    padded[context : context + 1033] = np.pad(wave, (0, 32), mode="symmetric")
    padded = padded[: len(padded) // network.multiple * network.multiple]
    output = np.asarray(network(padded[np.newaxis, :, np.newaxis]))[0, ratio * context :, 0]
    np.testing.assert_allclose(restored, output[: len(restored)], rtol=0, atol=1e-5)


@pytest.mark.parametrize("sample_rate", [4000, 8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("n", [1, 2, 4411, 10000])
def test_the_output_lasts_as_long_as_the_input(sample_rate, n, noise):
    wave, rate = load("spline", 16000, 4).upsample(noise(n), sample_rate)
    assert rate == 16000
    assert len(wave) == (2 * n * 16000 + sample_rate) // (2 * sample_rate)
    assert wave.dtype == np.float32


@pytest.mark.parametrize("ratio", [2, 3, 4, 6, Fraction(441, 160)])
@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000])
def test_the_output_is_aligned_with_the_input_to_the_sample(sample_rate, ratio):
    """A chirp below every model's cutoff is compared with a single resampling with soxr."""
    instants = np.arange(sample_rate) / sample_rate
    chirp = (0.3 * np.sin(2 * np.pi * (100 * instants + 300 * instants**2))).astype(np.float32)
    wave, _ = load("sinc", 16000, ratio).upsample(chirp, sample_rate, keep_low_band=False)
    middle = slice(2000, 14000)
    expected = soxr.resample(chirp, sample_rate, 16000, quality="VHQ")[middle]
    np.testing.assert_allclose(wave[middle], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("keep_low_band", [True, False])
def test_a_quotient_of_rates_is_exact_over_a_long_wave(keep_low_band, tone):
    """In a minute from 8000 to 22050 Hz, a ratio that is slightly off would drift."""
    low, high = tone(60 * 8000, 1000, 8000), tone(60 * 22050, 1000, 22050)
    upsampler = load("sinc", 22050, Fraction(22050, 8000))
    assert upsampler.low_rate == 8000
    wave, _ = upsampler.upsample(low, 8000, keep_low_band)
    assert len(wave) == len(high)
    np.testing.assert_allclose(wave[2000:-2000], high[2000:-2000], rtol=0, atol=1e-4)


def test_a_network_that_takes_the_low_rate_needs_a_whole_ratio():
    network = models.build("keras_unet", width=0.05)
    with pytest.raises(UserError, match=r"ratio 3/2: keras_unet needs a whole number"):
        Upsampler(network, 16000, Fraction(3, 2), "spline")


def test_channels_are_restored_separately(run, noise):
    upsampler = load(run)
    left, right = noise(1000, 1), noise(1000, 2)
    both, _ = upsampler.upsample(np.stack([left, right], axis=1), 4000, keep_low_band=False)
    assert both.shape == (4000, 2)
    for channel, wave in enumerate((left, right)):
        alone, _ = upsampler.upsample(wave, 4000, keep_low_band=False)
        np.testing.assert_allclose(both[:, channel], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("wave", "sample_rate", "message"),
    [
        (np.zeros(0), 4000, "empty"),
        (np.array([0.0, np.nan]), 4000, "NaN"),
        (np.array([0.0, np.inf]), 4000, "infinity"),
        (np.zeros(100), 999, "^sample_rate=999: must be a number from 1000 to 768000 Hz$"),
        (np.zeros(100), 0, "^sample_rate=0: "),
        (np.zeros(100), -4000, "^sample_rate=-4000: "),
        (np.zeros(100), np.nan, "^sample_rate=nan: "),
        (np.zeros(100), np.inf, "^sample_rate=inf: "),
        (np.zeros(100), "4000", "^sample_rate='4000': "),
        (np.zeros((10, 2, 2)), 4000, r"wave of shape \(10, 2, 2\)"),
        (np.zeros((10, 0)), 4000, r"wave of shape \(10, 0\).*with 1 to 64 channels"),
        (np.float32(0.5), 4000, r"wave of shape \(\)"),
        (np.zeros((2, 4000)), 4000, r"wave of shape \(2, 4000\).*transpose"),
        (np.ones(9, np.int16), 4000, r"integers \(int16\); .* in \[-1, 1\], e.g. wave / 32768$"),
        ([0, 1, 0], 4000, r"integers \(int64\); convert it to floats in \[-1, 1\]$"),
        (np.ones(9, complex), 4000, "values of type complex128; convert it to floats"),
        (["a", "b"], 4000, "values of type <U1; convert it to floats"),
        (None, 4000, "values of type object; convert it to floats"),
        ([[0.0], [0.0, 0.1]], 4000, "rows of different lengths; pass one of shape"),
        (
            np.full(9, 1e38),
            4000,
            r"samples up to 1e\+38; scale it to \[-1, 1\], with at most 1e\+06$",
        ),
        (np.full(9, 1e300), 4000, r"samples up to 1e\+300; scale it"),
    ],
)
@pytest.mark.parametrize("keep_low_band", [True, False])
def test_a_wave_that_cannot_be_restored_is_refused(wave, sample_rate, message, keep_low_band):
    with pytest.raises(UserError, match=message):
        load("spline", 16000, 4).upsample(wave, sample_rate, keep_low_band)


def test_a_wave_may_be_a_list():
    found, _ = load("spline", 16000, 4).upsample([0.0] * 100, 4000)
    assert found.shape == (400,)


@pytest.mark.parametrize("from_rate", [4000, 16000])
def test_the_own_band_of_the_wave_is_kept_by_default(from_rate):
    """The baseline damages the whole band; the wave's band ends at 1.7 of 2 kHz."""
    rng = np.random.default_rng(3)
    wave = soxr.resample(rng.normal(0, 0.1, 3400 * 4), 3400, from_rate, quality="VHQ")
    upsampler = Upsampler(Interpolation("hold"), 16000, 4, "linear")
    kept, _ = upsampler.upsample(wave, from_rate)
    damaged, _ = upsampler.upsample(wave, from_rate, keep_low_band=False)
    expected = soxr.resample(wave, from_rate, 16000, quality="VHQ")
    low = signal.firwin(2001, 1450, fs=16000)

    def error_db(found):
        error = signal.oaconvolve(found - expected, low, mode="same")[4000:-4000]
        return 20 * np.log10(np.std(error) / np.std(expected))

    assert error_db(kept) < -70
    assert error_db(damaged) > -30
    # Above the band, both have the baseline's output.
    high = signal.firwin(2001, 2100, fs=16000, pass_zero=False)
    above = [signal.oaconvolve(each, high, mode="same")[4000:-4000] for each in (kept, damaged)]
    np.testing.assert_allclose(above[0], above[1], rtol=0, atol=1e-4)
