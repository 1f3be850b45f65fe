"""The losses of mel spectrograms, compared with their formulas."""

import numpy as np
import pytest
import tensorflow as tf
from wideband.train.losses import mel_convergence, mel_l1, mel_mse


@pytest.fixture
def pair():
    """Two log mels of speech's mean and deviation, and estimates with an error of 1 and of 3."""
    rng = np.random.default_rng(0)
    reference = rng.normal(-6, 2.7, (2, 5, 4)).astype(np.float32)
    sign = np.where(rng.random(reference.shape) < 0.5, 1, -1)
    return reference, (reference + sign * np.float32([1, 3])[:, None, None]).astype(np.float32)


def test_differences_are_averaged_over_each_spectrogram(pair):
    np.testing.assert_allclose(mel_l1(*pair), [1, 3], rtol=1e-5)
    np.testing.assert_allclose(mel_mse(*pair), [1, 9], rtol=1e-5)


def test_the_convergence_takes_the_norms_of_the_whole_batch(pair):
    reference, estimate = pair
    expected = np.linalg.norm(estimate - reference) / np.linalg.norm(reference)
    np.testing.assert_allclose(mel_convergence(*pair), [expected, expected], rtol=1e-5)
    each = [np.linalg.norm(e - r) / np.linalg.norm(r) for r, e in zip(*pair, strict=True)]
    assert abs(np.mean(each) - expected) > 0.01


@pytest.mark.parametrize("loss", [mel_l1, mel_mse, mel_convergence], ids=lambda loss: loss.__name__)
def test_gradients_are_finite_for_a_perfect_estimate_and_for_zeros(loss):
    for level in (0.0, -6.0):
        reference = tf.fill((1, 3, 4), level)
        estimate = tf.Variable(reference)
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(loss(reference, estimate))
        assert np.isfinite(value)
        assert np.isfinite(tape.gradient(value, estimate)).all()
