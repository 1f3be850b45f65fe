"""Streams: the output does not depend on the chunks, and lags by at most the latency."""

from fractions import Fraction

import numpy as np
import pytest
from wideband import audio
from wideband.audio import interpolate, measure
from wideband.command import UserError
from wideband.upsample import load

# Networks of every kind, in many chunks.
pytestmark = pytest.mark.slow

# A network of each kind: with a context at the high rate, with a context at the low rate, with a
# patch, and with a patch and an LSTM.
KINDS = ["audiounet", "framenet", "dnn", "tfilm"]


@pytest.mark.parametrize("name", KINDS)
def test_the_output_does_not_depend_on_the_chunks(
    name, noise, upsampler, push, one_window_at_a_time
):
    # Four windows of FrameNet, or thirty patches.
    wave = noise({"audiounet": 2003, "framenet": 5003}.get(name, 1003))
    whole, _ = upsampler(name).upsample(wave, 4000, keep_low_band=False)
    assert whole.shape == (4 * len(wave),)
    chunked, _, _ = push(upsampler(name), wave, [1, 700, 0, 64, 1000], sample_rate=4000)
    np.testing.assert_allclose(chunked, whole, rtol=0, atol=1e-5)


def test_the_output_does_not_depend_on_the_batch_of_windows(noise, upsampler, monkeypatch):
    wave = noise(1003)
    batched, _ = upsampler("dnn").upsample(wave, 4000)
    monkeypatch.setattr("wideband.upsample.windows.SAMPLES_AT_ONCE", 1)
    single, _ = upsampler("dnn").upsample(wave, 4000)
    np.testing.assert_allclose(single, batched, rtol=0, atol=1e-5)


@pytest.mark.parametrize("interpolation", interpolate.METHODS)
@pytest.mark.parametrize(
    ("sample_rate", "keep_hz"), [(4000, None), (4000, 0.0), (16000, 1500.0), (11025, None)]
)
def test_resampling_interpolation_and_crossover_do_not_depend_on_the_chunks(
    interpolation, sample_rate, keep_hz, noise, push
):
    wave = np.stack([noise(3 * sample_rate, seed) for seed in (1, 2)], axis=1)
    options = {"sample_rate": sample_rate, "keep_hz": keep_hz}
    whole, _, _ = push(load(interpolation, 16000, 4), wave, [len(wave)], **options)
    assert whole.shape == (48000, 2)
    chunked, _, _ = push(load(interpolation, 16000, 4), wave, [1, 64, 0, 5000], **options)
    np.testing.assert_allclose(chunked, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("interpolation", ["hold", "quintic", "kaiser", "sinc", "fft", "hann_sinc"])
@pytest.mark.parametrize("keep_hz", [None, 0.0])
@pytest.mark.parametrize("n", [1, 100, 24001])
def test_quotients_of_rates_do_not_depend_on_the_chunks(interpolation, keep_hz, n, noise, push):
    wave, options = noise(n), {"sample_rate": 8000, "keep_hz": keep_hz}
    upsampler = load(interpolation, 22050, Fraction(22050, 8000))
    whole, _, _ = push(upsampler, wave, [n], **options)
    assert len(whole) == round(n * 22050 / 8000)
    chunked, _, _ = push(upsampler, wave, [1, 64, 0, 5000], **options)
    np.testing.assert_allclose(chunked, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["audiounet", "tfnet", "keras_unet"])
@pytest.mark.parametrize(("sample_rate", "keep_hz"), [(4000, None), (4000, 0.0), (11025, 1500.0)])
def test_the_lag_stays_within_the_latency_and_comes_close_to_it(
    name, sample_rate, keep_hz, noise, upsampler, push, one_window_at_a_time, graphs
):
    options = {"sample_rate": sample_rate, "keep_hz": keep_hz, "window": 2048}
    _, lag, latency = push(upsampler(name), noise(sample_rate), [50], **options)
    assert lag <= latency
    # Stages with blocks of different sizes do not always wait at the same time.
    assert lag > 0.7 * latency


def test_the_lag_with_a_quotient_of_rates_stays_within_the_latency(noise, push):
    upsampler = load("sinc", 22050, Fraction(22050, 8000))
    _, lag, latency = push(upsampler, noise(8000), [20], sample_rate=8000)
    assert 0.7 * latency < lag <= latency < 0.2


@pytest.mark.parametrize("output_rate", [44100, 8000])
def test_a_stream_is_resampled_to_the_rate_of_the_output(output_rate, noise, upsampler, push):
    wave, options = noise(9000), {"sample_rate": 4000, "keep_hz": 0.0}
    restored, _, _ = push(upsampler("audiounet"), wave, [1000], **options)
    expected = audio.resample(restored, 16000, output_rate)
    options["output_rate"] = output_rate
    found, lag, latency = push(upsampler("audiounet"), wave, [1, 700, 64], **options)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert 0.5 * latency < lag <= latency
    whole, rate = upsampler("audiounet").upsample(wave, 4000, output_rate=output_rate)
    assert (rate, len(whole)) == (output_rate, len(expected))


def test_shorter_windows_have_the_same_output_and_less_latency(noise, upsampler, push):
    wave, options = noise(4000), {"sample_rate": 4000}
    long, _, slow = push(upsampler("audiounet"), wave, [4000], **options)
    short, _, fast = push(upsampler("audiounet"), wave, [4000], window=2048, **options)
    np.testing.assert_allclose(short, long, rtol=0, atol=1e-5)
    assert fast < 0.1 < slow
    with pytest.raises(UserError, match=r"window of 1000 samples.*multiples of 32 above 1536"):
        upsampler("audiounet").stream(4000, window=1000)


def test_a_stream_equals_upsample_if_it_keeps_the_same_band(noise, push):
    upsampler, wave = load("spline", 16000, 4), noise(4000)
    keep_hz = measure.wave_band(wave, 4000).end_hz
    for keep_low_band, options in ((True, {"keep_hz": keep_hz}), (False, {})):
        whole, _ = upsampler.upsample(wave, 4000, keep_low_band)
        found, _, _ = push(upsampler, wave, [700], sample_rate=4000, **options)
        np.testing.assert_allclose(found, whole, rtol=0, atol=1e-5)


def test_a_stream_keeps_at_most_95_percent_of_the_low_band(noise, push):
    upsampler, wave = load("hold", 16000, 4), noise(4000)
    outputs = [
        push(upsampler, wave, [4000], sample_rate=4000, keep_hz=keep_hz)[0]
        for keep_hz in (0.0, 1900.0, 2000.0, 1500.0)
    ]
    np.testing.assert_array_equal(outputs[1], outputs[0])
    np.testing.assert_array_equal(outputs[2], outputs[0])
    assert np.abs(outputs[3] - outputs[0]).max() > 1e-3


def test_a_stream_keeps_at_most_95_percent_of_the_band_of_a_low_rate(noise, push):
    upsampler, wave = load("hold", 16000, 2), noise(6000)
    whole, limited, less = (
        push(upsampler, wave, [6000], sample_rate=6000, keep_hz=keep_hz)[0]
        for keep_hz in (0.0, 0.95 * 3000, 2500.0)
    )
    np.testing.assert_array_equal(whole, limited)
    assert np.abs(whole - less).max() > 1e-3


@pytest.mark.parametrize(
    ("channels", "samples", "message"),
    [
        (2, np.zeros(10), r"shape \(n, 2\), not \(10,\)"),
        (None, np.zeros((10, 2)), r"shape \(n,\), not \(10, 2\)"),
        (None, 0.5, r"shape \(n,\), not \(\)"),
        (2, np.full((3, 2), np.nan), "NaN"),
        (None, np.ones(9, np.int16), r"integers \(int16\); convert it to floats in \[-1, 1\]"),
    ],
)
def test_a_stream_refuses_samples_that_it_cannot_restore(channels, samples, message):
    stream = load("spline", 16000, 4).stream(4000, channels)
    with pytest.raises(UserError, match=message):
        stream.push(samples)


def test_chunks_may_be_lists():
    stream = load("spline", 16000, 4).stream(4000)
    assert len(stream.push([0.1, 0.2])) + len(stream.push([])) + len(stream.flush()) == 8


def test_an_empty_stream_has_an_empty_output():
    assert load("spline", 16000, 4).stream(4000).flush().shape == (0,)
    assert load("spline", 16000, 4).stream(4000, channels=2).flush().shape == (0, 2)
