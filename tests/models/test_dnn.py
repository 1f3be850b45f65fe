"""The dense baseline, compared with the published code's sizes and a reference in NumPy."""

import keras
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError


@pytest.mark.parametrize(
    ("patch", "units"), [(8192, [1365, 4096, 4096, 8192]), (256, [42, 128, 128, 256])]
)
def test_layers_have_a_sixth_then_halves_of_the_patch(patch, units, outline, layers_of):
    network = outline("dnn", patch=patch)
    dense = layers_of(network, keras.layers.Dense)
    assert [layer.units for layer in dense] == units
    inputs = [patch, *units]
    # A dense layer has weights and a bias; its normalization has four numbers for each unit.
    assert network.count_params() == sum(
        units[at] * (inputs[at] + 1 + 4) for at in range(len(units))
    )
    assert (network.multiple, network.context, network.patch) == (patch, None, patch)


def test_dense_layers_start_near_zero(layers_of):
    network = models.build("dnn", patch=256)
    for layer in layers_of(network, keras.layers.Dense):
        assert np.std(layer.kernel) == pytest.approx(1e-7, rel=0.1)
        assert not np.any(layer.bias)


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("depth", [2, 4, 5])
def test_output_equals_a_numpy_reference(depth, skips, randomized, reference, waves, layers_of):
    network = randomized("dnn", patch=48, depth=depth, skips=skips)
    dense = layers_of(network, keras.layers.Dense)
    norms = layers_of(network, keras.layers.BatchNormalization)
    wave = waves(144)
    expected = [
        np.concatenate(
            [_reference_dnn(frame, dense, norms, skips) for frame in each.reshape(3, 48)]
        )
        for each in wave
    ]
    assert np.std(expected - wave[..., 0]) > 0.1
    reference.assert_close(network(wave)[..., 0], expected)


def _reference_dnn(frame, dense, norms, skips):
    """Dense layers with the stored statistics, and additions where the code intends them."""
    x = frame.astype(np.float64)
    for number, (layer, norm) in enumerate(zip(dense, norms, strict=True)):
        kernel, bias = (np.asarray(weight, np.float64) for weight in layer.weights)
        gamma, beta, mean, variance = (np.asarray(weight, np.float64) for weight in norm.weights)
        y = (x @ kernel + bias - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        y = np.where(y > 0, y, 0.2 * y)
        x = y + x if skips and 2 <= number < len(dense) - 1 else y
    return frame + x


def test_a_frame_is_restored_independently_of_the_others(randomized, waves):
    network = randomized("dnn", patch=64)
    wave = waves(256)
    before = np.asarray(network(wave))
    wave[:, 70] += 1
    moved = np.any(np.asarray(network(wave)) != before, axis=(0, 2)).reshape(4, 64)
    assert moved.any(axis=1).tolist() == [False, True, False, False]
    assert moved[1].all()


def test_training_updates_the_statistics_that_inference_uses(waves, layers_of):
    network = models.build("dnn", patch=64, width=0.5)
    mean = layers_of(network, keras.layers.BatchNormalization)[0].moving_mean
    layers_of(network, keras.layers.Dense)[0].bias.assign(np.ones(mean.shape))
    network(waves(256), training=True)
    np.testing.assert_allclose(mean, 0.01, rtol=1e-3)


def test_statistics_that_do_not_move_leave_inference_unnormalized(
    randomized, reference, waves, layers_of
):
    network = randomized("dnn", patch=48, moving_statistics=False)
    norms = layers_of(network, keras.layers.BatchNormalization)
    for norm in norms:
        norm.moving_mean.assign(np.zeros(norm.moving_mean.shape))
        norm.moving_variance.assign(np.ones(norm.moving_variance.shape))
    wave = waves(144)
    normalized = np.asarray(network(wave, training=True))
    dense = layers_of(network, keras.layers.Dense)
    expected = [
        np.concatenate([_reference_dnn(frame, dense, norms, True) for frame in each.reshape(3, 48)])
        for each in wave
    ]
    reference.assert_close(network(wave)[..., 0], expected)
    assert np.abs(normalized[..., 0] - expected).max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 1}, "depth 1 must be from 2 to 32"),
        ({"depth": 10**9}, "depth 1000000000 must be from 2 to 32"),
        ({"patch": 5}, "patch 5 must be from 6 to 1048576"),
        ({"patch": 2**20}, "161,268,073,760 parameters are more than 1,000,000,000; choose a .*"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=f"^dnn: {message}$"):
        models.build("dnn", **{"width": 0.2, **arguments})
