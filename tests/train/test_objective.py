"""Objectives: what a step computes, and which weights it changes."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from wideband.models.system import Network
from wideband.train.losses import LOSSES
from wideband.train.methods import regression
from wideband.train.objective import Objective


def wave_network(name):
    low = keras.Input((None, 1))
    return keras.Model(low, layers.Conv1D(1, 3, padding="same")(low), name=name)


class Filter(Network):
    """A network of one filter."""

    wants, multiple, context = "interpolated", 1, 1

    def __init__(self):
        low = keras.Input((None, 1))
        super().__init__(low, layers.Conv1D(1, 3, padding="same")(low), name="filter")


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, (6, 64, 1)).astype(np.float32) for _ in range(2)]


def weights(network):
    return [np.array(variable) for variable in network.trainable_variables]


def changed(network, before):
    return any((a != b).any() for a, b in zip(weights(network), before, strict=True))


def adversaries():
    """Two networks and the objectives that train them against each other."""
    generator, critic = wave_network("generator"), wave_network("critic")
    low, high = keras.Input((64, 1)), keras.Input((64, 1))
    fake = generator(low)

    def mean(x):
        return ops.mean(x, axis=(1, 2))

    critic_losses = {"critic": mean(ops.relu(1 - critic(high))) + mean(ops.relu(1 + critic(fake)))}
    generator_losses = {"adversarial": -mean(critic(fake)), "error": mean(ops.abs(high - fake))}
    inputs, weights = [low, high], {"adversarial": 0.1, "error": 1.0}
    objectives = [
        Objective(inputs, critic_losses, {"critic": 1.0}, [critic], "critic_step"),
        Objective(inputs, generator_losses, weights, [generator], "generator_step"),
    ]
    for objective in objectives:
        objective.compile(keras.optimizers.Adam(1e-3))
    return generator, critic, objectives


def test_a_step_changes_only_the_networks_of_its_objective(batch):
    generator, critic, objectives = adversaries()
    for objective, trained, frozen in zip(
        objectives, (critic, generator), (generator, critic), strict=True
    ):
        before = weights(trained), weights(frozen)
        objective.train_on_batch(batch)
        assert changed(trained, before[0])
        assert not changed(frozen, before[1])
        assert len(objective.trainable_variables) == 2
        # Two moments for each of two variables, the number of steps, and the learning rate.
        assert len(objective.optimizer.variables) == 6


def test_the_logs_have_every_named_loss_and_their_weighted_sum(batch):
    *_, (critic, generator) = adversaries()
    assert set(critic.train_on_batch(batch, return_dict=True)) == {"loss", "critic"}
    log = generator.train_on_batch(batch, return_dict=True)
    assert set(log) == {"loss", "adversarial", "error"}
    assert log["loss"] == pytest.approx(0.1 * log["adversarial"] + log["error"], rel=1e-5)


def test_running_means_weight_the_batches_of_an_epoch_by_their_patches(batch):
    network = Filter()
    low, high = keras.Input((64, 1)), keras.Input((64, 1))
    (objective,) = regression.objectives(network, {"mse": 1.0}, low, high)
    # A learning rate of 0 leaves the losses of the patches as they are.
    objective.compile(keras.optimizers.SGD(0.0))
    each = np.mean((network(batch[0]).numpy() - batch[1]) ** 2, axis=(1, 2))
    for _ in range(2):
        objective.start_epoch()
        for patches in (slice(0, 4), slice(4, 6)):
            log = objective.train_on_batch([wave[patches] for wave in batch], return_dict=True)
        assert log["loss"] == pytest.approx(each.mean(), rel=1e-5)
        assert log["mse"] == pytest.approx(each.mean(), rel=1e-5)


def test_a_step_of_regression_is_the_step_of_plain_keras(batch):
    """Bit for bit, from the same weights: the loss and the weights after three steps."""
    ours, plain = Filter(), Filter()
    plain.set_weights(ours.get_weights())
    low, high = keras.Input((64, 1)), keras.Input((64, 1))
    (objective,) = regression.objectives(ours, {"patch_rmse": 1.0}, low, high)
    objective.compile(keras.optimizers.Adam(1e-2))
    plain.compile(keras.optimizers.Adam(1e-2), LOSSES["patch_rmse"].function)
    for _ in range(3):
        objective.start_epoch()
        # Older versions of Keras go on with the running means of the last batch.
        plain.reset_metrics()
        log = objective.train_on_batch(batch, return_dict=True)
        assert log["loss"] == plain.train_on_batch(*batch, return_dict=True)["loss"]
    for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_of_regression_follows_the_gradient_computed_in_numpy(batch):
    """A filter of three taps, the mean square error, SGD."""
    network = Filter()
    kernel, bias = (np.array(value, np.float64) for value in network.get_weights())
    low, high = keras.Input((64, 1)), keras.Input((64, 1))
    (objective,) = regression.objectives(network, {"mse": 2.0}, low, high)
    objective.compile(keras.optimizers.SGD(0.1))
    objective.train_on_batch(batch)
    x, y = batch[0][..., 0].astype(np.float64), batch[1][..., 0]
    padded = np.pad(x, ((0, 0), (1, 1)))
    taps = np.stack([padded[:, k : k + 64] for k in range(3)], axis=-1)
    error = taps @ kernel[:, 0, 0] + bias[0] - y
    step_kernel = 2 * np.mean(2 * error[..., np.newaxis] * taps, axis=(0, 1))
    found_kernel, found_bias = network.get_weights()
    np.testing.assert_allclose(
        found_kernel[:, 0, 0], kernel[:, 0, 0] - 0.1 * step_kernel, atol=1e-6
    )
    np.testing.assert_allclose(found_bias, bias - 0.1 * 2 * np.mean(2 * error), atol=1e-6)


def test_losses_are_computed_in_float32_under_mixed_precision(batch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        low, high = keras.Input((64, 1)), keras.Input((64, 1))
        (objective,) = regression.objectives(Filter(), {"mse": 1.0}, low, high)
    finally:
        keras.config.set_dtype_policy("float32")
    assert objective.output["mse"].dtype == "float32"
    assert objective.inputs[0].dtype == "float32"
