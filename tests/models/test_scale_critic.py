"""The multi-scale critic: its size, a reference in NumPy, and spectral normalization."""

import math

import keras
import numpy as np
import pytest
from scipy import signal
from wideband.models import critics
from wideband.models.critic_layers import SpectralNormConv2D

N = 120


@pytest.fixture(scope="module")
def critic():
    """A narrow critic, which tests must not change."""
    keras.utils.set_random_seed(0)
    return critics.build("multi_scale", (N, 1), 0.125)


def test_the_size_is_the_published_one():
    with keras.StatelessScope(initialize_variables=False):
        weights = critics.build("multi_scale", (8192, 1)).trainable_weights
    keras.utils.clear_session(free_memory=False)
    by_scale = dict.fromkeys("012", 0)
    for weight in weights:
        by_scale[weight.path.split("_")[1]] += math.prod(weight.shape)
    # Printed for all three: 29.6 M. The first one has no gains.
    assert list(by_scale.values()) == [9_870_209, 9_874_306, 9_874_306]


def convolve(x, layer):
    """Convolves x (n, c) to (n / stride, filters), group by group."""
    kernel = np.asarray(layer.kernel, np.float64)[:, 0]  # (taps, c / groups, filters)
    flat = kernel.reshape(-1, kernel.shape[-1])
    if isinstance(layer, SpectralNormConv2D):
        direction = flat @ np.asarray(layer.direction, np.float64)
        norm = np.linalg.norm(direction / np.linalg.norm(direction) @ flat)
        kernel = kernel / norm
    else:
        kernel = np.asarray(layer.gain, np.float64) * kernel / np.linalg.norm(flat, axis=0)
    bias = np.asarray(layer.bias, np.float64)
    taps, of_group, filters = kernel.shape
    x = np.pad(x, ((taps // 2, taps // 2), (0, 0)))
    columns = []
    for f in range(filters):
        first = f // (filters // layer.groups) * of_group
        columns.append(
            bias[f]
            + sum(
                signal.correlate(x[:, first + c], kernel[:, c, f], "valid")[:: layer.strides[0]]
                for c in range(of_group)
            )
        )
    return np.stack(columns, axis=-1)


def test_the_critic_equals_a_reference(critic, noise):
    wave = noise(N)
    x = wave[:, np.newaxis].astype(np.float64)
    for scale, member in enumerate(critic(wave.reshape(1, N, 1))):
        if scale:
            x = np.pad(x, ((2, 2), (0, 0)))
            x = np.stack([x[k : k + 4].mean(axis=0) for k in range(0, len(x) - 3, 2)])
        y = x
        for k, found in enumerate(member):
            name = f"scale_{scale}_score" if k == 7 else f"scale_{scale}_conv_{k}"
            y = convolve(y, critic.get_layer(name))
            y = y if k == 7 else np.where(y > 0, y, 0.1 * y)
            np.testing.assert_allclose(np.asarray(found)[0, :, 0], y, rtol=1e-3, atol=1e-5)


def test_each_call_in_training_brings_the_norm_of_a_kernel_closer_to_its_largest_singular_value():
    keras.utils.set_random_seed(0)
    layer = SpectralNormConv2D(6, (5, 1), 10)
    x = np.ones((1, 9, 1, 2), np.float32)
    layer(x)
    kernel, before = np.array(layer.kernel), np.array(layer.direction)
    largest = np.linalg.norm(kernel.reshape(-1, 6), 2)

    def norm():
        """The norm by which the kernel is divided, measured on an output."""
        impulse = np.zeros((1, 5, 1, 2), np.float32)
        impulse[0, 0, 0, 0] = 1.0
        return (kernel[0, 0, 0] / (np.array(layer(impulse))[0, 0, 0] - layer.bias))[0]

    errors = []
    for _ in range(30):
        errors.append(abs(norm() - largest))
        layer(x, training=True)
    assert errors[-1] < 1e-3 * errors[0]
    np.testing.assert_array_equal(layer.kernel, kernel)
    assert np.any(layer.direction != before)


def test_a_critic_is_rebuilt_from_its_configuration(critic, noise):
    again = keras.Model.from_config(critic.get_config())
    again.set_weights(critic.get_weights())
    wave = noise(N).reshape(1, N, 1)
    for a, b in zip(again(wave), critic(wave), strict=True):
        np.testing.assert_array_equal(a[-1], b[-1])
