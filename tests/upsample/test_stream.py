"""Streams: the same outcome however a wave was cut, no seams, and a latency that is kept."""

from functools import cache

import keras
import numpy as np
import pytest
import soxr
from scipy import signal
from wideband import models
from wideband.audio import interpolate
from wideband.command import UserError
from wideband.data_gen import degrade
from wideband.upsample import Upsampler, windows
from wideband.upsample.stages import Crossover, Interpolator

PATCH = 512


@cache
def build(name):
    """A small network whose every weight counts, built and compiled once for all tests."""
    patch = {"patch": PATCH} if "patch" in models.arguments(name) else {}
    depth = {"depth": 1} if name == "afilm" else {}
    keras.utils.set_random_seed(0)
    network = models.build(name, width=0.05, **patch, **depth)
    rng = np.random.default_rng(1)
    network.set_weights([w + rng.normal(0, 0.05, w.shape) for w in network.get_weights()])
    return network


@pytest.mark.parametrize("name", models.names())
def test_the_outcome_does_not_depend_on_how_the_wave_was_cut(name, noise, pushed):
    upsampler, wave = Upsampler(build(name), 16000, 4), noise(5003)
    whole, _ = upsampler.upsample(wave, 4000)
    assert whole.shape == (20012,)
    cut, _, _ = pushed(upsampler, wave, [1, 700, 0, 64, 2500], sample_rate=4000)
    np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("interpolation", interpolate.METHODS)
@pytest.mark.parametrize(
    ("sample_rate", "keep_hz"), [(4000, None), (4000, 0.0), (16000, 1500.0), (11025, None)]
)
def test_nor_do_resampling_interpolation_and_crossover(
    interpolation, sample_rate, keep_hz, noise, pushed
):
    wave = np.stack([noise(3 * sample_rate, seed) for seed in (1, 2)], axis=1)
    upsampler = Upsampler(interpolation, 16000, 4)
    options = {"sample_rate": sample_rate, "keep_hz": keep_hz}
    whole, _, _ = pushed(upsampler, wave, [len(wave)], **options)
    assert whole.shape == (48000, 2)
    cut, _, _ = pushed(upsampler, wave, [1, 64, 0, 5000], **options)
    np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["audiounet", "tfnet", "keras_unet"])
@pytest.mark.parametrize(("sample_rate", "keep_hz"), [(4000, None), (4000, 0.0), (11025, 1500.0)])
def test_the_latency_is_kept_and_not_overstated(name, sample_rate, keep_hz, noise, pushed):
    upsampler, step = Upsampler(build(name), 16000, 4), 50
    options = {"sample_rate": sample_rate, "keep_hz": keep_hz, "window": 2048}
    _, lag, latency = pushed(upsampler, noise(3 * sample_rate), [step], **options)
    assert lag <= latency
    # Stages that wait for blocks of different sizes need not wait at the same time.
    assert lag > 0.7 * latency


def test_shorter_windows_give_the_same_with_less_latency(noise, pushed):
    upsampler, wave = Upsampler(build("audiounet"), 16000, 4), noise(4000)
    options = {"sample_rate": 4000}
    long, _, slow = pushed(upsampler, wave, [4000], **options)
    short, _, fast = pushed(upsampler, wave, [4000], window=2048, **options)
    np.testing.assert_allclose(short, long, rtol=0, atol=1e-5)
    assert fast < 0.1 < slow
    with pytest.raises(UserError, match=r"window of 1000 samples.*multiples of 32 above 1536"):
        upsampler.stream(4000, window=1000)


@pytest.mark.parametrize("n", [1, 7936, 7937, 30001])
def test_windows_of_limited_context_give_what_the_network_gives_for_the_whole_wave(n, noise):
    network = build("audiounet")
    upsampler = Upsampler(network, 16000, 4)
    low = noise(n)
    found, _ = upsampler.upsample(low, 4000)
    interpolated = interpolate.spline(np.pad(low, (0, 32), mode="symmetric"), 4)[: 4 * n]
    context = network.context
    padded = np.pad(interpolated, (context, context + -4 * n % network.multiple))
    whole = np.asarray(network(padded[np.newaxis, :, np.newaxis]))[0, :, 0]
    np.testing.assert_allclose(found, whole[context : context + 4 * n], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["dnn", "tfnet", "tfilm"])
def test_patches_are_half_a_patch_apart_and_cross_faded(name, noise):
    """By hand: every patch weighted by a window that is 0 in its outer eighths."""
    network, n = build(name), 5 * PATCH
    wave = noise(n)
    stage = windows.Windows(network, 1, 16000)
    found = np.concatenate([stage.push(wave[np.newaxis]), stage.flush()], axis=1)[0]
    eighth = PATCH // 8
    rise = np.sin(np.pi / 2 * (np.arange(2 * eighth) + 0.5) / (2 * eighth)) ** 2
    weights = np.concatenate(
        [np.zeros(eighth), rise, np.ones(2 * eighth), rise[::-1], np.zeros(eighth)]
    )
    padded = np.pad(wave, PATCH)
    starts = range(PATCH - 3 * eighth, n + PATCH, PATCH // 2)
    patches = np.stack([padded[start : start + PATCH] for start in starts])
    expected = np.zeros(n + 2 * PATCH)
    for start, output in zip(starts, np.asarray(network(patches[..., np.newaxis])), strict=True):
        expected[start : start + PATCH] += weights * output[:, 0]
    np.testing.assert_allclose(found, expected[PATCH:-PATCH], rtol=0, atol=1e-5)


def seam_db(name, noise):
    """Mean rise of the sharpness at the borders of windows, beside that between the borders.

    Patches of random networks agree in nothing but the wave, so that a cross-fade dips there: a
    fall is no seam.
    """
    network = build(name)
    window = max(2048, 4 * (network.context or 0))
    _, lead, fade = windows.grid(network, window)
    hop = PATCH - 2 * lead - fade if network.context is None else window - 2 * network.context
    wave = interpolate.spline(noise(16 * PATCH), 4)
    stage = windows.Windows(network, 1, 16000, window)
    found = np.concatenate([stage.push(wave[np.newaxis]), stage.flush()], axis=1)[0]
    step = network.factor
    # The middle of each fade, and of what lies between two.
    borders = step * (np.arange(2 * hop, len(wave) - hop, hop) - fade // 2)
    between = borders + step * hop // 2
    # Second differences are what clicks fill.
    sharp = np.diff(found, 2) ** 2

    def level_db(centres):
        return 10 * np.log10(np.mean([sharp[at - 16 : at + 16] for at in centres], axis=1))

    return np.mean(level_db(borders) - level_db(between))


@pytest.mark.parametrize("name", models.names())
def test_no_seams_are_heard_where_windows_meet(name, noise):
    assert seam_db(name, noise) < 1.0


def test_a_hard_cut_would_be_heard(monkeypatch, noise):
    monkeypatch.setattr(windows, "grid", lambda network, window: (PATCH, 0, 0))
    assert seam_db("gionet", noise) > 3.0


@pytest.mark.parametrize("method", ["spline", "linear", "hold", "sinc"])
def test_a_stage_interpolates_as_the_whole_wave_is(method, noise):
    low = noise(3000)
    stage = Interpolator(1, method, 4000, 4)
    pieces = [stage.push(low[np.newaxis, at : at + 77]) for at in range(0, 3000, 77)]
    found = np.concatenate([*pieces, stage.flush()], axis=1)[0]
    np.testing.assert_allclose(found, interpolate.METHODS[method](low, 4), rtol=0, atol=1e-6)


def test_a_fourier_interpolation_in_pieces_is_nearly_that_of_the_whole(noise):
    low = degrade.decimate(noise(160000), 4)
    stage = Interpolator(1, "fft", 4000, 4)
    found = np.concatenate([stage.push(low[np.newaxis]), stage.flush()], axis=1)[0]
    error = found - interpolate.fft(low, 4)
    assert np.std(error[8000:-8000]) < 1e-3 * np.std(low)


def test_a_crossover_keeps_one_wave_below_and_the_other_above():
    rng = np.random.default_rng(4)
    upper, lower = rng.normal(0, 0.1, (2, 1, 16000)).astype(np.float32)
    stage = Crossover(1, 16000, 1900.0, 2000.0)
    found = np.concatenate([stage.push(upper, lower), stage.flush()], axis=1)[0]
    assert len(found) == 16000
    # What SciPy's elliptic filters of 100 dB leave of the difference to either wave.
    for wave, kind, edge_hz in ((lower, "low", 1650), (upper, "high", 1950)):
        sos = signal.ellip(20, 0.1, 100, edge_hz, kind, fs=16000, output="sos")
        error = signal.sosfilt(sos, found - wave[0])[2000:]
        assert 20 * np.log10(np.std(error) / 0.1) < -55


def test_a_crossover_leaves_waves_that_agree_as_they_are_and_in_step(noise):
    wave = noise(3000)[np.newaxis]
    stage = Crossover(1, 16000, 1900.0, 2000.0)
    found = np.concatenate(
        [stage.push(wave[:, :1000], wave), stage.push(wave[:, 1000:], wave[:, :0]), stage.flush()],
        axis=1,
    )
    np.testing.assert_allclose(found, wave, rtol=0, atol=1e-6)


def test_an_impulse_stays_where_it_is():
    for sample_rate, keep_hz in ((4000, None), (4000, 0.0), (16000, 0.0), (44100, 1800.0)):
        wave = np.zeros(sample_rate, np.float32)
        wave[sample_rate // 2] = 0.5
        stream = Upsampler("sinc", 16000, 4).stream(sample_rate, keep_hz=keep_hz)
        found = np.concatenate([stream.push(wave), stream.flush()])
        assert len(found) == 16000
        assert np.argmax(np.abs(found)) == 8000
        np.testing.assert_allclose(found[7900:8000], found[8100:8000:-1], rtol=0, atol=1e-3)


def test_a_stream_refuses_what_does_not_fit(noise):
    stream = Upsampler("spline", 16000, 4).stream(4000, channels=2)
    with pytest.raises(UserError, match=r"shape \(10, 2\), not \(10,\)"):
        stream.push(noise(10))
    with pytest.raises(UserError, match="NaN"):
        stream.push(np.full((3, 2), np.nan, np.float32))


def test_nothing_pushed_is_nothing_out(noise):
    stream = Upsampler("spline", 16000, 4).stream(4000)
    assert stream.push(noise(0)).shape == (0,)
    assert stream.flush().shape == (0,)


def test_soxr_is_one_filter_however_it_is_fed(noise):
    """What the streams build on; a soxr that changes it would break them."""
    wave = noise(20000)
    stream = soxr.ResampleStream(11025, 4000, 1, dtype="float32", quality="VHQ")
    pieces = [stream.resample_chunk(wave[at : at + 333]) for at in range(0, 20000, 333)]
    pieces.append(stream.resample_chunk(wave[:0], last=True))
    whole = soxr.resample(wave, 11025, 4000, quality="VHQ")
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-7)
