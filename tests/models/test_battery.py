"""Tests that every network must pass. A paper's own test file covers its special properties."""

import functools
import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from outlines import build_with
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.models.long_conv import plain_convolutions
from wideband.models.restorer import Restorer

# A recurrent network takes several steps for a patch, each of which costs time.
PATCH = 64
# Shorter waves cannot be mirrored at their ends.
SHORTEST, LONGEST = 256, 8192
# Defaults that choose between a paper and its code, or between versions of the code.
DEFAULTS = {
    "audiounet": {"variant": "2017", "dropout": 0.5},
    "tfilm": {"blocks": "paper", "patch": 8192, "dropout": 0.5},
    "afilm": {"blocks": "paper", "patch": 8192, "depth": 4, "attention_dropout": 0.1},
    "dnn": {"patch": 8192, "depth": 4, "skips": True},
    "keras_unet": {"ratio": 4, "levels": 3, "last_dropout": True},
    "tfnet": {"variant": "slim", "fusion": "paper", "patch": 8192},
    "gionet": {"variant": "gionet", "fusion": "paper", "blocks": "paper", "patch": 8192},
    "gionet2": {"fusion": "paper", "blocks": "paper", "patch": 8192},
    "streamnet": {"ratio": 4},
    "framenet": {"ratio": 4, "noise": 0.5},
    "asr_unet": {"attention": "eca", "ratio": 8},
    "conformer": {"ratio": 4, "blocks": 4, "heads": 4, "kernel": 15, "dropout": 0.1},
}


# Each of the others has layers that these combine.
LARGEST = ("afilm", "gionet", "gionet2")


# Of the module, so that the tests of a network follow each other, in the process that has built it.
@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.slow if name in LARGEST else ())
        for name in models.names()
    ],
)
def name(request):
    return request.param


@pytest.fixture
def network(name):
    """The small network of this name, whose weights tests must not change."""
    return build_once(name)


def small(name):
    """The arguments of the small network, for the shortest patch."""
    return models.small(name) | ({"patch": PATCH} if "patch" in models.arguments(name) else {})


def build(name, **arguments):
    seed_networks(0)
    # With initial weights near zero, the output would hardly differ from the added input.
    rng = np.random.default_rng(0)

    def draw(weight):
        if weight.path.endswith("moving_variance"):
            return rng.uniform(0.5, 2, weight.shape)
        return rng.normal(0, 0.1, weight.shape)

    return build_with(draw, name, **{**small(name), **arguments})


build_once = functools.cache(build)


def waves(n, count=2):
    return np.random.default_rng(1).normal(0, 0.1, (count, n, 1)).astype(np.float32)


def inputs(network, patch, count=2):
    """Noise from which a network makes patches of `patch` samples at the high rate."""
    return waves(patch // network.factor, count)


def rounded(network, patch):
    """Rounds samples at the high rate up to a patch that a network takes."""
    multiple = network.multiple * network.factor
    return -(-patch // multiple) * multiple


def shortest(network):
    """Returns the shortest patch in these tests that a network takes."""
    return rounded(network, PATCH if network.context is None else SHORTEST)


# === Arguments ===


def test_defaults_are_the_published_settings(network, name):
    defaults = inspect.signature(type(network)).parameters
    for argument, value in DEFAULTS.get(name, {}).items():
        assert defaults[argument].default == value, argument


def test_a_width_that_leaves_a_layer_empty_is_refused(name):
    with pytest.raises(UserError, match=rf"^{name}: width 0\.001 leaves a layer without filters"):
        models.build(name, **{**models.small(name), "width": 0.001})


# === Waves ===


def test_a_network_implements_the_restorer_protocol(network, name):
    for attribute in Restorer.__annotations__:
        assert hasattr(network, attribute), attribute
    assert network.name == name
    assert network.band_hz == models.band_hz(name)
    assert network.wants in ("interpolated", "low", "high")
    assert (network.wants == "high") == (name in models.vocoders())
    assert (network.step() is None) == (network.delay == 0)
    assert shortest(network) <= 4096
    x = inputs(network, shortest(network))
    restored = network.session().restore(x)
    assert restored.shape == (2, shortest(network), 1)
    assert np.isfinite(restored).all()
    np.testing.assert_allclose(restored, network(x), rtol=0, atol=1e-4)


def test_an_input_of_another_shape_is_refused_in_one_line(network, name, graphs):
    n = network.multiple
    message = rf"^{name}: input of shape \(.*\) must be \(batch, n, 1\), with n a multiple of {n}$"
    others = [(1, n + 1, 1), (1, 2 * n - 1, 1)] if n > 1 else []
    for shape in [(n,), (1, n), (1, n, 2), (1, 1, n, 1), *others]:
        for restore in (network, network.restore):
            with pytest.raises(UserError, match=message):
                restore(np.zeros(shape, np.float32))
    for shape in [(0, n, 1), (2, 0, 1)]:
        with pytest.raises(UserError, match=message):
            network(np.zeros(shape, np.float32))


def test_patches_of_8192_samples_keep_their_length(name):
    takes_patch = "patch" in models.arguments(name)
    network = build(name, patch=LONGEST) if takes_patch else build_once(name)
    patch = rounded(network, LONGEST)
    # The hops of these do not divide the patches of the other networks.
    others = ("overtonenet", "fullbandnet", "nvsr", "tfgan", "audiosr_vocoder")
    assert patch == LONGEST or name in others
    output = network(inputs(network, patch))
    assert output.shape == (2, patch, 1)
    assert np.isfinite(output).all()


def test_the_context_bounds_the_receptive_field(network):
    if network.context is None:
        (moved,) = disturbed(network, 2 * network.patch, [0])
        assert moved.max() >= network.patch - 1
        return
    context, multiple = network.context, network.multiple
    assert context % multiple == 0
    positions = sorted({context + k for k in (0, multiple // 3, multiple // 2, multiple - 1)})
    # Transforms spread rounding errors over their blocks.
    with plain_convolutions():
        moved = list(disturbed(network, 2 * context + multiple, positions))
    reach = max(
        max(at - changed.min(), changed.max() - at)
        for at, changed in zip(positions, moved, strict=True)
    )
    assert 0 < reach <= context <= reach + 3 * multiple


def disturbed(network, n, positions):
    """Yields, for each position, where the output changes if the input changes there.

    Positions and results count samples of the input.
    """
    wave = waves(n, 1)
    before = np.asarray(network(wave))[0, :, 0]
    for at in positions:
        changed = wave.copy()
        changed[0, at, 0] += 100
        yield np.flatnonzero(np.asarray(network(changed))[0, :, 0] != before) // network.factor


# === Files ===


def test_a_network_is_loaded_from_a_keras_file(network, tmp_path):
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    assert type(again) is type(network)
    assert again.get_config() == network.get_config()
    x = inputs(network, shortest(network))
    np.testing.assert_array_equal(again(x), network(x))


@pytest.mark.slow
def test_jax_loads_the_weights_and_has_the_output_of_tensorflow(jax_environment, tmp_path):
    """All networks run in one process, since starting it takes longer than a network."""
    x, expected = {}, {}
    # gionet2 consists of parts of gionet and tfnet.
    for name in (name for name in models.names() if name != "gionet2"):
        network = build_once(name)
        network.save_weights(tmp_path / f"{name}.weights.h5")
        # Two patches of recurrent networks.
        patch = 2 * PATCH if network.context is None else 1024
        x[name] = inputs(network, rounded(network, patch))
        expected[name] = np.asarray(network(x[name]))
    np.savez(tmp_path / "x.npz", **x)
    arguments = {name: small(name) for name in x}
    # The weights come from files: drawing initial ones would take most of the time.
    script = (
        "from wideband.command import keras_start\n"
        "keras_start.quicken()\n"
        "import numpy as np, keras, wideband.models as models\n"
        "from wideband.models.system import NEEDS_XLA\n"
        f"arguments = {arguments!r}\n"
        "assert keras.backend.backend() == 'jax' and NEEDS_XLA\n"
        "x, y = np.load('x.npz'), {}\n"
        "for name in x.files:\n"
        "    with keras.StatelessScope(initialize_variables=False):\n"
        "        network = models.build(name, **arguments[name])\n"
        "    keras.utils.clear_session(free_memory=False)\n"
        "    network.load_weights(f'{name}.weights.h5')\n"
        "    y[name] = network.predict_on_batch(x[name])\n"
        "np.savez('y.npz', **y)\n"
    )
    subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        env=jax_environment,
        cwd=tmp_path,
    )
    found = np.load(tmp_path / "y.npz")
    for name, output in expected.items():
        atol = 1e-4 * np.abs(output).max()
        np.testing.assert_allclose(found[name], output, rtol=0, atol=atol, err_msg=name)


# === Training ===


def test_every_weight_gets_a_gradient(network):
    patch = rounded(network, PATCH if network.context is None else 1024)
    with tf.GradientTape() as tape:
        error = tf.reduce_mean((network(inputs(network, patch), training=True) - waves(patch)) ** 2)
    gradients = tape.gradient(error, network.trainable_variables)
    without_gradient = {
        variable.path
        for variable, gradient in zip(network.trainable_variables, gradients, strict=True)
        if gradient is None or not np.any(gradient)
    }
    assert without_gradient <= cancelled_biases(network)


def cancelled_biases(network):
    """Biases that batch normalization subtracts: only rounding errors give them a gradient."""
    cancelled = set()
    for layer in network._flatten_layers():
        users = [node.operation for node in layer._outbound_nodes]
        normalized = users and all(isinstance(u, keras.layers.BatchNormalization) for u in users)
        if normalized and getattr(layer, "bias", None) is not None:
            cancelled.add(layer.bias.path)
    return cancelled


def test_dropout_is_active_in_training_only(network):
    if not any("seed_generator" in variable.path for variable in network.variables):
        pytest.skip("no dropout")
    x = inputs(network, shortest(network))
    np.testing.assert_array_equal(network(x), network(x))
    assert np.any(np.asarray(network(x, training=True)) != np.asarray(network(x, training=True)))


def quiet_and_full_waves(network):
    """Digital silence, denormals, the smallest normal numbers, and ten times full scale."""
    noise = inputs(network, shortest(network), 1)
    smallest = np.finfo(np.float32).smallest_subnormal
    levels = [0.0, smallest, 1e-40, 1e-38, 1e-30, 1e-12, 1e-6, 1.0, 100.0]
    batch = np.concatenate([level * noise for level in levels]).astype(np.float32)
    return np.concatenate([batch, np.full_like(noise, smallest), np.full_like(noise, -1.0)])


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"], indirect=True)
def test_quiet_and_full_waves_have_a_finite_output(name, policy):
    network = build_once(name) if policy == "float32" else build(name)
    assert np.isfinite(network(quiet_and_full_waves(network))).all()


def test_mixed_precision_trains_and_has_a_finite_output_for_all_waves(name, policy):
    network = build(name)
    assert any(layer.compute_dtype == "bfloat16" for layer in network.layers)
    assert np.isfinite(network(quiet_and_full_waves(network))).all()
    # Tracing a graph, or a step of Adam, would take most of the time.
    network.compile(keras.optimizers.SGD(1e4), "mse", run_eagerly=True)
    before = network.get_weights()
    patch = shortest(network)
    # For a network that restores any band, `waves(patch)` is the input, which it keeps.
    loss = network.train_on_batch(inputs(network, patch), waves(patch)[::-1])
    assert np.isfinite(loss)
    assert all(weight.dtype == "float32" for weight in network.trainable_variables)
    after = network.get_weights()
    assert all(np.isfinite(each).all() for each in after)
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("name", ["audiounet", "tfilm", "afilm", "dnn"])
def test_mixed_precision_adds_the_wave_in_float32(name, policy):
    network = models.build(name, **models.small(name))
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    np.testing.assert_array_equal(network(waves(256)), waves(256))
