"""The conformers of CMGAN: their sizes, and a reference in NumPy, sequence by sequence."""

import keras
import numpy as np
import pytest
from wideband.models import two_stage

CHANNELS = 8


@pytest.fixture(scope="module")
def stages(reference):
    """A small pair of conformers with random weights, which tests must not change."""
    image = keras.Input((None, 5, CHANNELS))
    model = keras.Model(image, two_stage.two_stage(image, 0.2, "block"))
    reference.randomize(model, 0.3)
    return model


@pytest.fixture(scope="module")
def image():
    """A random image with 7 frames and 5 bins, (1, 7, 5, channels)."""
    return np.random.default_rng(3).normal(0, 1, (1, 7, 5, CHANNELS)).astype(np.float32)


def test_a_pair_has_the_published_size():
    image = keras.Input((None, 101, 64))
    with keras.StatelessScope(initialize_variables=False):
        model = keras.Model(image, two_stage.two_stage(image, 0.2, "block"))
    keras.utils.clear_session(free_memory=False)
    assert sum(np.prod(weight.shape) for weight in model.trainable_weights) == 257_824
    shapes = {
        name: [weight.shape for weight in model.get_layer(f"block_time_{name}").trainable_weights]
        for name in ("attention", "attention_query", "conv_gate", "conv_depthwise", "first_expand")
    }
    assert shapes == {
        "attention": [(1025, 16)],
        "attention_query": [(64, 64)],
        # Twice as many channels remain after the gate.
        "conv_gate": [(64, 128), (128,)],
        "conv_depthwise": [(31, 1, 128, 1), (128,)],
        "first_expand": [(64, 256), (256,)],
    }
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.LayerNormalization)]
    assert {layer.epsilon for layer in norms} == {1e-5}


def test_weights_start_as_in_pytorch():
    keras.utils.set_random_seed(0)
    image = keras.Input((None, 5, 64))
    model = keras.Model(image, two_stage.two_stage(image, 0.2, "block"))
    positions = np.asarray(model.get_layer("block_time_attention").positions)
    assert positions.std() == pytest.approx(1, rel=0.02)
    for name, fan_in in (("first_project", 256), ("attention_key", 64), ("conv_depthwise", 31)):
        for weight in map(np.asarray, model.get_layer(f"block_frequency_{name}").weights):
            assert 0.8 * fan_in**-0.5 < np.abs(weight).max() <= fan_in**-0.5
            assert weight.std() == pytest.approx((3 * fan_in) ** -0.5, rel=0.2)


@pytest.mark.parametrize("axis", [1, 2])
def test_attention_has_a_vector_for_each_distance_up_to_the_longest(axis, reference):
    keras.utils.set_random_seed(0)
    layer = two_stage.RelativeAttention(axis, heads=2, longest=3)
    query, key, value = np.random.default_rng(0).normal(0, 1, (3, 1, 6, 5, 4)).astype(np.float32)
    found = np.asarray(layer([query, key, value]))[0]
    positions = np.asarray(layer.positions, np.float64)
    assert positions.shape == (7, 2)
    for other in range(5 if axis == 1 else 6):
        sequences = [x[0, :, other] if axis == 1 else x[0, other] for x in (query, key, value)]
        expected = reference.attend(*sequences, positions, 2)
        actual = found[:, other] if axis == 1 else found[other]
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)


def test_the_stages_equal_a_reference(stages, image, reference):
    expected = reference.two_stage(image[0].astype(np.float64), stages, "block")
    np.testing.assert_allclose(stages(image)[0], expected, rtol=0, atol=1e-4)
