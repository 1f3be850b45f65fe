"""AudioSR's low-pass filters, compared with their analog prototypes and with direct formulas."""

import numpy as np
import pytest
from scipy import signal
from wideband.data_gen import low_pass

RATE = 48000


@pytest.fixture(scope="module")
def click():
    """A click in the middle of 8192 samples, whose spectrum is flat."""
    wave = np.zeros(8192, np.float32)
    wave[4096] = 1.0
    return wave


def response(wave):
    return np.abs(np.fft.rfft(wave.astype(np.float64)))


def test_a_butterworth_filter_has_its_formula_four_times(click):
    """The filter runs forwards and backwards, before and after the resampler."""
    found = response(low_pass.filter_at_inference(click, 6000.9, RATE, "butter"))
    frequencies = np.fft.rfftfreq(8192, 1 / RATE)
    ratio = np.tan(np.pi * frequencies / RATE) / np.tan(np.pi * 6000 / RATE)
    expected = (1 + ratio**16) ** -2.0
    # The resampler has ripples and a slope of its own.
    below = frequencies < 5000
    np.testing.assert_allclose(found[below], expected[below], atol=0.01)
    above = frequencies > 8500
    assert found[above].max() < 1e-4


@pytest.mark.parametrize("family", low_pass.INFERENCE)
def test_filters_keep_what_is_below_and_remove_what_is_above(family, click):
    found = response(low_pass.filter_at_inference(click, 6000, RATE, family))
    frequencies = np.fft.rfftfreq(8192, 1 / RATE)
    # Bessel filters have long slopes.
    passed, stopped = (1000, 14000) if family == "bessel" else (5000, 8000)
    assert (20 * np.log10(found[frequencies < passed]) > -1.5).all()
    assert (20 * np.log10(found[frequencies > stopped] + 1e-12) < -70).all()


def test_the_input_is_filtered_resampled_and_filtered_again(noise):
    wave = noise(3000)
    sos = signal.ellip(8, 0.1, 60, 12000, fs=RATE, output="sos")
    once = signal.sosfiltfilt(sos, wave.astype(np.float64))
    # Half the rate: the kernel of the resampler is known.
    kernel = signal.firwin(2 * 10 * 2 + 1, 0.5, window=("kaiser", 5.0))
    low = np.convolve(once, kernel, mode="same")[::2]
    back = np.zeros(3000)
    back[::2] = low
    expected = signal.sosfiltfilt(sos, 2 * np.convolve(back, kernel, mode="same"))
    found = low_pass.filter_at_inference(wave, 12000, RATE, "ellip")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert found.dtype == np.float32 and found.shape == wave.shape


def test_random_filters_have_all_families_and_remain_aligned(click):
    rng, ends = np.random.default_rng(0), []
    for _ in range(24):
        wave = low_pass.filter_for_training(click, RATE, rng)
        assert wave.shape == click.shape and np.abs(wave).argmax() == 4096
        power = response(wave) ** 2
        assert power[8192 * 20000 // RATE :].max() < 0.1
        ends.append(np.flatnonzero(power > 0.25)[-1] * RATE / 8192)
    assert 1900 < min(ends) < 4000 and 13000 < max(ends) < 17000


def test_a_boxcar_empties_all_bins_above_its_cutoff(click):
    class Draws:
        """Draws the boxcar at 5 kHz."""

        choice = staticmethod(lambda families: "boxcar")
        uniform = staticmethod(lambda low, high: 5000.0)
        integers = staticmethod(lambda low, high, endpoint: 2)

    found = response(low_pass.filter_for_training(click, RATE, Draws()))
    frequencies = np.fft.rfftfreq(8192, 1 / RATE)
    np.testing.assert_allclose(found, frequencies <= 5000, atol=1e-5)
