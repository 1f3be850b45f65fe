"""The distance of log mel spectra, compared with the front end of Whisper in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from wideband.train.losses import LOSSES
from wideband.train.recognizer_loss import recognizer_mel


@pytest.fixture
def pair():
    """Two patches of noise, one of them almost silent for its second half, and other noise."""
    rng = np.random.default_rng(0)
    reference = rng.normal(0, 0.1, (2, 4000, 1)).astype(np.float32)
    reference[1, 2000:] *= 1e-7
    return reference, rng.normal(0, [[[0.1]], [[1e-5]]], (2, 4000, 1)).astype(np.float32)


def log_mel(wave):
    """Triangles of equal area, centred on Slaney's scale, in frames of 400 samples every 160."""
    hz = [k * 200 / 3 for k in range(15)]
    hz += [1000 * 6.4 ** (k / 27) for k in range(60)]
    highest = 15 + 27 * np.log(8000 / 1000) / np.log(6.4)
    edges = np.interp(np.linspace(0, highest, 82), np.arange(75), hz)
    padded = np.pad(wave[:, 0].astype(np.float64), 256, "reflect")
    hann = np.zeros(512)
    hann[56:456] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = [padded[at : at + 512] * hann for at in range(0, len(wave) + 1, 160)]
    power = np.abs(np.fft.rfft(frames)) ** 2
    bins = np.arange(257) * 16000 / 512
    bands = [
        power @ np.interp(bins, edges[k : k + 3], [0, 2 / (edges[k + 2] - edges[k]), 0], 0, 0)
        for k in range(80)
    ]
    return np.log10(np.maximum(np.transpose(bands), 1e-10))


def test_it_is_the_mean_difference_of_levels_down_to_80_db_below_the_loudest(pair):
    expected = []
    for reference, estimate in zip(*pair, strict=True):
        left, right = log_mel(reference), log_mel(estimate)
        floor = left.max() - 8
        expected.append(np.abs(np.maximum(left, floor) - np.maximum(right, floor)).mean())
    np.testing.assert_allclose(recognizer_mel(*pair), expected, rtol=2e-3)


def test_a_gain_of_20_db_is_two_and_silence_is_free(pair):
    reference = pair[0][:1]
    np.testing.assert_allclose(recognizer_mel(reference, 0.1 * reference), [2.0], rtol=1e-3)
    np.testing.assert_array_equal(recognizer_mel(0 * reference, 1e-7 * reference), [0.0])
    assert LOSSES["recognizer_mel"].compares == "wave"


@pytest.mark.parametrize("level", [0.0, 1e-9, 0.1])
def test_gradients_are_finite_for_silence_and_for_a_perfect_estimate(level):
    reference = tf.constant(level * np.sin(np.arange(1000.0))[np.newaxis, :, np.newaxis], "float32")
    estimate = tf.Variable(reference)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(recognizer_mel(reference, estimate))
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, estimate)).all()
