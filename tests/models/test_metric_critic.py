"""The metric critic of CMGAN: its size, and a reference in NumPy."""

import math

import keras
import numpy as np
import pytest
from wideband.command import UserError
from wideband.models import critics

# Two frames of two bins remain for the maximum.
SHAPE = 37, 33, 2


@pytest.fixture(scope="module")
def critic(reference):
    """A narrow critic with random weights, which tests must not change."""
    critic = critics.build("metric", SHAPE, width=0.125)
    reference.randomize(critic, 0.3)
    return critic


def test_the_size_is_the_published_one():
    with keras.StatelessScope(initialize_variables=False):
        critic = critics.build("metric", (321, 201, 2))
    keras.utils.clear_session(free_memory=False)
    assert sum(math.prod(weight.shape) for weight in critic.trainable_weights) == 181_650
    # Four strides of 2.
    shapes = [each.shape[1:] for each in critic.output[0]]
    assert shapes == [(160, 100, 16), (80, 50, 32), (40, 25, 64), (20, 12, 128), (1, 1, 1)]


def test_the_critic_equals_a_reference(critic):
    pair = np.random.default_rng(0).uniform(0, 2, SHAPE)
    found = [np.asarray(each)[0] for each in critic(pair[np.newaxis].astype(np.float32))]

    def weights(name):
        return [np.asarray(each, np.float64) for each in critic.get_layer(name).weights]

    def normalized(kernel, direction):
        flat = kernel.reshape(-1, kernel.shape[-1])
        across = flat @ direction
        return kernel / np.linalg.norm(across / np.linalg.norm(across) @ flat)

    def rectify(x, name):
        return np.where(x > 0, x, weights(f"{name}_slope")[0] * x)

    x = pair
    for k in range(4):
        kernel = normalized(*weights(f"metric_conv_{k}"))
        x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        rows, columns = (range(0, n - 3, 2) for n in x.shape[:2])
        x = np.array(
            [[np.tensordot(x[i : i + 4, j : j + 4], kernel, 3) for j in columns] for i in rows]
        )
        scale, offset = weights(f"metric_conv_{k}_norm")
        x = (x - x.mean(axis=(0, 1))) / np.sqrt(x.var(axis=(0, 1)) + 1e-5) * scale + offset
        x = rectify(x, f"metric_conv_{k}")
        np.testing.assert_allclose(found[k], x, rtol=0, atol=1e-4)
    x = x.max(axis=(0, 1))
    kernel, bias, direction = weights("metric_hidden")
    x = rectify(x @ normalized(kernel, direction)[0, 0] + bias, "metric_hidden").ravel()
    kernel, bias, direction = weights("metric_score")
    (slope,) = weights("metric_scale")
    score = 1 / (1 + np.exp(-slope * (x @ normalized(kernel, direction)[0, 0] + bias)))
    np.testing.assert_allclose(found[4].ravel(), score, rtol=0, atol=1e-5)


def test_weights_start_as_in_pytorch():
    keras.utils.set_random_seed(0)
    critic = critics.build("metric", SHAPE)
    kernel = np.abs(critic.get_layer("metric_conv_3").kernel)
    assert 0.95 * 1024**-0.5 < kernel.max() <= 1024**-0.5
    np.testing.assert_array_equal(critic.get_layer("metric_conv_0_slope").alpha, 0.25)
    np.testing.assert_array_equal(critic.get_layer("metric_scale").factor, 1)


def test_an_image_that_is_too_small_is_refused():
    message = (
        "the metric critic needs 16 frames and bins, and a patch has 15 frames of 33 bins; set"
    )
    with pytest.raises(UserError, match=f"^{message} a longer patch or a longer transform$"):
        critics.build("metric", (15, 33, 2))
