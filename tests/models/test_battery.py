"""What every registered network must do; a new paper's own test file has only what is special."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from wideband import models

# Arguments that make each network small.
SMALL = {
    "audiounet": {"width": 0.05},
    "tfilm": {"width": 0.05},
    "afilm": {"width": 0.05, "depth": 1},
    "dnn": {"patch": 256, "width": 0.2},
    "keras_unet": {"width": 0.05},
    "tfnet": {"width": 0.05},
    "gionet": {"width": 0.05},
    "gionet2": {"width": 0.05},
    "streamnet": {"width": 0.25},
    "framenet": {"width": 0.1},
}
SHORTEST, LONGEST = 256, 8192


@pytest.fixture(params=models.names())
def name(request):
    return request.param


def build(name):
    keras.utils.set_random_seed(0)
    network = models.build(name, **SMALL[name])
    # Initial weights near zero would hide most of the network behind its input skip.
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif weight.dtype == "float32":
            weight.assign(rng.normal(0, 0.1, weight.shape))
    return network


def waves(patch, count=2):
    return np.random.default_rng(1).normal(0, 0.1, (count, patch, 1)).astype(np.float32)


def inputs(network, patch, count=2):
    """Noise that a network turns into patches of so many samples at the high rate."""
    return waves(patch // network.factor, count)


def shortest(network):
    """The shortest patch in use, or what a network of longer windows takes at least."""
    return max(SHORTEST, network.multiple * network.factor)


def test_every_network_is_in_the_battery():
    assert set(SMALL) == set(models.names())


@pytest.mark.parametrize("length", [shortest, lambda network: LONGEST], ids=["short", "long"])
def test_patches_keep_their_shape(name, length):
    network = build(name)
    patch = length(network)
    output = network(inputs(network, patch))
    assert output.shape == (2, patch, 1)
    assert np.isfinite(output).all()


def test_it_states_what_it_takes(name):
    network = build(name)
    assert network.wants in ("interpolated", "low")
    for patch in (shortest(network), LONGEST):
        assert patch // network.factor % network.multiple == 0
    assert shortest(network) <= 512
    assert network.context is None or network.context % network.multiple == 0


def test_the_stated_context_bounds_what_an_output_sees(name):
    network = build(name)
    if network.context is None:
        # To the end of its patch; or far beyond any convolution's reach, where a recurrent
        # network's memory fades before the end.
        assert disturbed(network, 8192, 0).max() >= min(4096, network.patch - 1)
        return
    n, context = 4 * network.context, network.context
    reach = 0
    for at in range(n // 2, n // 2 + network.multiple, 5):
        moved = disturbed(network, n, at)
        reach = max(reach, at - moved.min(), moved.max() - at)
    assert 0 < reach <= context <= reach + 3 * network.multiple


def disturbed(network, n, at):
    """Numbers of the input's samples behind which the output moves with sample `at`."""
    wave = waves(n, 1)
    calm = np.asarray(network(wave))[0, :, 0]
    wave[0, at, 0] += 100
    return np.flatnonzero(np.asarray(network(wave))[0, :, 0] != calm) // network.factor


def test_its_arguments_are_its_whole_configuration(name):
    network = build(name)
    again = type(network).from_config(network.get_config())
    again.set_weights(network.get_weights())
    x = inputs(network, shortest(network))
    np.testing.assert_array_equal(again(x), network(x))


def test_a_keras_file_brings_it_back(name, tmp_path):
    network = build(name)
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    assert type(again) is type(network)
    assert again.get_config() == network.get_config()
    x = inputs(network, shortest(network))
    np.testing.assert_array_equal(again(x), network(x))


def test_every_weight_gets_a_gradient(name):
    network = build(name)
    # Long enough for several steps of recurrent networks.
    with tf.GradientTape() as tape:
        error = tf.reduce_mean((network(inputs(network, 1024), training=True) - waves(1024)) ** 2)
    gradients = tape.gradient(error, network.trainable_variables)
    idle = [
        variable.path
        for variable, gradient in zip(network.trainable_variables, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    ]
    assert not idle


def test_dropout_acts_in_training_only(name):
    network = build(name)
    if not any("seed_generator" in variable.path for variable in network.variables):
        pytest.skip("no dropout")
    x = inputs(network, shortest(network))
    np.testing.assert_array_equal(network(x, training=False), network(x, training=False))
    assert np.any(np.asarray(network(x, training=True)) != np.asarray(network(x, training=True)))


def test_mixed_precision_trains(name, policy):
    network = models.build(name, **SMALL[name])
    assert any(layer.compute_dtype == "bfloat16" for layer in network.layers)
    network.compile("adam", "mse", jit_compile=False)
    before = network.get_weights()
    patch = shortest(network)
    loss = network.train_on_batch(inputs(network, patch), waves(patch))
    assert np.isfinite(loss)
    assert all(weight.dtype == "float32" for weight in network.trainable_variables)
    assert any(np.any(a != b) for a, b in zip(before, network.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["audiounet", "tfilm", "afilm", "dnn"])
def test_the_wave_is_added_in_float32_under_mixed_precision(name, policy):
    network = models.build(name, **SMALL[name])
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    np.testing.assert_array_equal(network(waves(256)), waves(256))


def test_jax_gives_the_output_of_tensorflow(name, tmp_path):
    network = build(name)
    network.save_weights(tmp_path / "network.weights.h5")
    np.save(tmp_path / "x.npy", inputs(network, 1024))
    # The weights are read from the file: to draw them first would take most of the time.
    script = (
        "import json, sys, numpy as np, keras, wideband.models as models\n"
        "assert keras.backend.backend() == 'jax'\n"
        "with keras.StatelessScope(initialize_variables=False):\n"
        "    network = models.build(sys.argv[1], **json.loads(sys.argv[2]))\n"
        "network.load_weights('network.weights.h5')\n"
        "np.save('y.npy', network.predict(np.load('x.npy'), verbose=0))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, name, json.dumps(SMALL[name])],
        check=True,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        cwd=tmp_path,
    )
    expected = np.asarray(network(inputs(network, 1024)))
    np.testing.assert_allclose(
        np.load(tmp_path / "y.npy"), expected, rtol=0, atol=1e-4 * np.abs(expected).max()
    )
