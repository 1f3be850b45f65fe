"""The losses, compared with the papers' formulas."""

import numpy as np
import pytest
import tensorflow as tf
from wideband.evaluate import metrics
from wideband.train.losses import (
    log_spectral,
    log_spectral_distance,
    mse,
    multi_resolution_stft,
    patch_log_rmse,
    patch_rmse,
    relative_l1,
    weighted,
)


def test_patch_rmse_matches_values_computed_by_hand():
    reference = np.array([[0.0, 0.0], [1.0, 1.0]])[..., np.newaxis]
    estimate = np.array([[3.0, 4.0], [1.0, 1.0]])[..., np.newaxis]
    # sqrt((9 + 16) / 2 + 1e-6) and sqrt(0 + 1e-6).
    np.testing.assert_allclose(patch_rmse(reference, estimate), [12.500001**0.5, 1e-3], rtol=1e-6)


def test_patch_log_rmse_falls_by_log_10_when_the_error_falls_by_20_db():
    rng = np.random.default_rng(0)
    reference, noise = rng.normal(size=(2, 3, 4096, 1))
    losses = [patch_log_rmse(reference, reference + gain * noise) for gain in (0.1, 1.0)]
    np.testing.assert_allclose(losses[1] - losses[0], np.full(3, np.log(10)), rtol=1e-4)


def test_mse_is_the_mean_square_error_of_each_patch():
    reference = np.array([[0.0, 0.0], [1.0, 1.0]])[..., np.newaxis]
    estimate = np.array([[3.0, 4.0], [1.0, 1.0]])[..., np.newaxis]
    np.testing.assert_allclose(mse(reference, estimate), [12.5, 0.0])


def test_relative_l1_does_not_depend_on_the_level():
    reference = np.array([[3.0, 4.0], [0.3, 0.4]])[..., np.newaxis]
    estimate = np.array([[4.0, 4.0], [0.4, 0.4]])[..., np.newaxis]
    # A mean error of 0.5 over an RMS of sqrt(12.5).
    np.testing.assert_allclose(relative_l1(reference, estimate), [0.5 / 12.5**0.5] * 2, rtol=1e-6)
    assert float(relative_l1(0 * reference, 0 * estimate)[0]) == 0


def test_patch_rmse_is_not_the_root_of_the_mean_over_the_batch():
    rng = np.random.default_rng(0)
    reference, estimate = rng.normal(size=(2, 4, 16, 1)) * np.arange(1, 5)[:, None, None]
    each = np.sqrt(((reference - estimate) ** 2).mean(axis=(1, 2)) + 1e-6)
    whole = np.sqrt(((reference - estimate) ** 2).mean() + 1e-6)
    loss = float(np.mean(patch_rmse(reference, estimate)))
    assert loss == pytest.approx(each.mean(), rel=1e-6)
    assert abs(loss - whole) > 0.05


@pytest.fixture
def pair():
    """Two patches of noise, and estimates with 0.5 and 2.5 times their amplitude."""
    reference = np.random.default_rng(1).normal(0, 0.1, (2, 8192, 1)).astype(np.float32)
    return reference, reference * np.array([0.5, 2.5], np.float32)[:, np.newaxis, np.newaxis]


def test_log_spectral_distance_is_the_modern_lsd(pair):
    reference, estimate = pair
    expected = [metrics.lsd(y[:, 0], p[:, 0]) for y, p in zip(reference, estimate, strict=True)]
    actual = log_spectral_distance(reference, estimate, 2048, 512)
    np.testing.assert_allclose(actual, expected, rtol=1e-3)
    # A gain of g shifts every level by 2 log10(g).
    np.testing.assert_allclose(actual, [2 * np.log10(2), 2 * np.log10(2.5)], rtol=1e-3)


def test_log_spectral_is_the_sum_of_two_resolutions(pair):
    distances = [log_spectral_distance(*pair, *sizes) for sizes in ((512, 128), (2048, 512))]
    np.testing.assert_allclose(log_spectral(*pair), np.sum(distances, axis=0), rtol=1e-6)


def test_multi_resolution_stft_averages_the_published_terms(pair):
    reference, estimate = pair
    expected = []
    for fft, window, hop in ((1024, 600, 120), (2048, 1200, 240), (512, 240, 50)):
        magnitudes = []
        for wave in pair:
            padded = np.pad(wave[..., 0].astype(np.float64), ((0, 0), 2 * (fft // 2,)), "reflect")
            frames = np.lib.stride_tricks.sliding_window_view(padded, fft, axis=1)[:, ::hop]
            hann = np.zeros(fft)
            start = (fft - window) // 2
            hann[start : start + window] = np.sin(np.pi * np.arange(window) / window) ** 2
            power = np.abs(np.fft.rfft(hann * frames)) ** 2
            magnitudes.append(np.sqrt(np.maximum(power, 1e-7)))
        left, right = magnitudes
        convergence = np.linalg.norm(left - right, axis=(1, 2)) / np.linalg.norm(left, axis=(1, 2))
        expected.append(convergence + np.abs(np.log(left / right)).mean(axis=(1, 2)))
    np.testing.assert_allclose(
        multi_resolution_stft(reference, estimate), np.mean(expected, axis=0), rtol=1e-3
    )


def test_weighted_losses_are_added_patch_by_patch(pair):
    outputs = [{"wave": wave} for wave in pair]
    total = weighted({"patch_rmse": 1.0, "log_spectral": 0.3})(*outputs)
    expected = np.asarray(patch_rmse(*pair)) + 0.3 * np.asarray(log_spectral(*pair))
    assert total.shape == (2,)
    np.testing.assert_allclose(total, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [patch_rmse, patch_log_rmse, mse, relative_l1, log_spectral, multi_resolution_stft],
    ids=lambda loss: loss.__name__,
)
@pytest.mark.parametrize("level", [0.0, 1e-9, 0.1])
def test_gradients_are_finite_for_silence_and_for_a_perfect_estimate(loss, level):
    reference = tf.constant(level * np.sin(np.arange(4096.0))[np.newaxis, :, np.newaxis], "float32")
    estimate = tf.Variable(reference)
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(loss(reference, estimate))
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, estimate)).all()
