"""The stages of a stream: resampling, interpolation and the crossover."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import signal
from wideband.audio import interpolate
from wideband.data_gen import degrade
from wideband.upsample import load
from wideband.upsample.stages import Crossover, Interpolator


def pass_through(stage, wave, length):
    """Passes a wave (n,) through a stage in chunks."""
    starts = range(0, len(wave), length)
    chunks = [stage.push(wave[np.newaxis, start : start + length]) for start in starts]
    return np.concatenate([*chunks, stage.flush()], axis=1)[0]


# A Fourier transform of the whole wave has no chunks.
LOCAL = [method for method in interpolate.METHODS if method != "fft"]


@pytest.mark.parametrize("method", LOCAL)
@pytest.mark.parametrize("ratio", [4, Fraction(441, 160)])
def test_interpolation_in_chunks_equals_that_of_the_whole_wave(method, ratio, noise):
    low = noise(1600)
    found = pass_through(Interpolator(1, method, 4000, ratio), low, 77)
    # Past the last sample, a polynomial may reach hundreds.
    expected = interpolate.METHODS[method](low, ratio)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("ratio", [Fraction(441, 160), Fraction(3, 2), Fraction(147, 80)])
@pytest.mark.parametrize("n", [3200, 3001, 100])
def test_sinc_interpolation_by_a_quotient_in_chunks_equals_that_of_the_whole_wave(ratio, n, noise):
    low = noise(n)
    expected = interpolate.sinc(low, ratio)
    for length in (77, 1000, n):
        found = pass_through(Interpolator(1, "sinc", 8000, ratio), low, length)
        assert 0 <= len(found) - len(expected) <= 1
        np.testing.assert_allclose(found[: len(expected)], expected, rtol=0, atol=1e-6)


# With the last ratio, a period is longer than a block of the transform.
@pytest.mark.parametrize(
    ("ratio", "rate"), [(4, 4000), (Fraction(441, 160), 8000), (Fraction(22051, 8000), 8000)]
)
def test_fourier_interpolation_in_chunks_is_close_to_that_of_the_whole_wave(ratio, rate, noise):
    low = degrade.decimate(noise(160000), 4)
    found = pass_through(Interpolator(1, "fft", rate, ratio), low, len(low))
    np.testing.assert_allclose(
        found, pass_through(Interpolator(1, "fft", rate, ratio), low, 5000), rtol=0, atol=1e-6
    )
    expected = interpolate.fft(low, ratio)
    error = (found[: len(expected)] - expected)[8000:-8000]
    assert np.std(error) < 1e-3 * np.std(low)


def test_a_crossover_keeps_one_wave_below_and_the_other_above():
    rng = np.random.default_rng(4)
    upper, lower = rng.normal(0, 0.1, (2, 1, 16000)).astype(np.float32)
    stage = Crossover(1, 16000, 1900.0, 2000.0)
    found = np.concatenate([stage.push(upper, lower), stage.flush()], axis=1)[0]
    assert len(found) == 16000
    # Elliptic filters of 100 dB select the band in which the output should equal the wave.
    for wave, kind, edge_hz in ((lower, "low", 1650), (upper, "high", 1950)):
        sos = signal.ellip(20, 0.1, 100, edge_hz, kind, fs=16000, output="sos")
        error = signal.sosfilt(sos, found - wave[0])[2000:]
        assert 20 * np.log10(np.std(error) / 0.1) < -55


def test_a_crossover_leaves_waves_that_agree_unchanged_and_aligned(noise):
    wave = noise(3000)[np.newaxis]
    stage = Crossover(1, 16000, 1900.0, 2000.0)
    found = np.concatenate(
        [stage.push(wave[:, :1000], wave), stage.push(wave[:, 1000:], wave[:, :0]), stage.flush()],
        axis=1,
    )
    np.testing.assert_allclose(found, wave, rtol=0, atol=1e-6)


def test_a_crossover_keeps_a_band_between_two_edges():
    rng = np.random.default_rng(4)
    other, kept = rng.normal(0, 0.1, (2, 1, 16000)).astype(np.float32)
    stage = Crossover(1, 16000, 3400.0, 3400.0, keep_from_hz=200.0)
    found = np.concatenate([stage.push(other, kept), stage.flush()], axis=1)[0]
    # 25 ms for a slope of 100 Hz.
    assert stage.latency == pytest.approx(0.025, abs=1e-3)
    assert len(found) == 16000
    for wave, lowest_hz, highest_hz in ((other, 10, 190), (kept, 310, 3050), (other, 3410, 7990)):
        edges = 2 * np.array([lowest_hz, highest_hz]) / 16000
        band = signal.firwin(4001, edges, window=("kaiser", 10), pass_zero=False)
        error = signal.oaconvolve(found - wave[0], band, mode="same")[2000:-2000]
        assert 20 * np.log10(np.std(error) / 0.1) < -70
    # Waves that agree are unchanged.
    stage = Crossover(1, 16000, 3400.0, 3400.0, keep_from_hz=200.0)
    found = np.concatenate([stage.push(kept, kept), stage.flush()], axis=1)
    np.testing.assert_allclose(found, kept, rtol=0, atol=1e-6)


def test_a_crossover_whose_edges_meet_keeps_nothing(noise):
    other, kept = noise(4000, 1)[np.newaxis], noise(4000, 2)[np.newaxis]
    stage = Crossover(1, 16000, 350.0, 1000.0, keep_from_hz=300.0)
    found = np.concatenate([stage.push(other, kept), stage.flush()], axis=1)
    # The slopes have different widths, so a little of the other wave remains around their middle.
    assert np.std(found - other) < 0.1 * np.std(kept)


@pytest.mark.parametrize(
    ("sample_rate", "keep_hz"), [(4000, None), (4000, 0.0), (16000, 0.0), (44100, 1800.0)]
)
def test_an_impulse_stays_in_its_place_and_symmetric(sample_rate, keep_hz):
    wave = np.zeros(sample_rate, np.float32)
    wave[sample_rate // 2] = 0.5
    stream = load("sinc", 16000, 4).stream(sample_rate, keep_hz=keep_hz)
    found = np.concatenate([stream.push(wave), stream.flush()])
    assert len(found) == 16000
    assert np.argmax(np.abs(found)) == 8000
    np.testing.assert_allclose(found[7900:8000], found[8100:8000:-1], rtol=0, atol=1e-3)
