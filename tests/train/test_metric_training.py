"""Training against a metric critic: its scores and losses, and what each step changes."""

import keras
import numpy as np
import pytest
from wideband import models
from wideband.evaluate import metrics
from wideband.models import critics
from wideband.train import optimizers
from wideband.train.methods import adversarial
from wideband.train.recipe import Adam, Adversarial

N = 2048
LOSSES = {"complex_spectrum": 0.1, "magnitude": 0.9, "relative_l1": 0.2}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return models.build("cmgan", **{**models.small("cmgan"), "width": 0.0625, "dropout": 0.0})


@pytest.fixture(scope="module")
def objectives(network):
    """The objectives of the critic and of the network, compiled to run step by step."""
    low, high = keras.Input((N, 1)), keras.Input((N, 1))
    settings = Adversarial("hinge", 0.125, feature_matching=0.0)
    both = adversarial.objectives(network, LOSSES, {"metric": 0.05}, settings, low, high)
    for objective in both:
        adam = optimizers.build(Adam(learning_rate=1e-3), 10, groups=objective.groups)
        objective.compile(adam, run_eagerly=True)
    return both


@pytest.fixture(scope="module")
def batch(noise):
    return [gain * noise(2 * N, seed).reshape(2, N, 1) for seed, gain in ((1, 0.5), (2, 1.0))]


def test_the_score_falls_with_the_log_spectral_distance(noise):
    high = noise(8192)
    lows = [high, 0.1 * high, high + noise(8192, 1)]
    found = adversarial.score(
        np.tile(high, (3, 1))[..., np.newaxis], np.array(lows)[..., np.newaxis]
    )
    distances = [metrics.lsd(high, low) for low in lows]
    np.testing.assert_allclose(found, np.exp(-0.5 * np.array(distances)), rtol=2e-3)


def test_the_losses_match_their_formulas(network, objectives, batch):
    critics_step, system_step = objectives
    low, high = batch
    of_critic, of_network = critics_step(batch), system_step(batch)
    target, estimate = network.target(high), network.generate(low, high)
    (critic,) = (each for each in critics_step.layers if each.name == "metric")

    def predict(judged):
        pair = np.stack([target["magnitude"], judged["magnitude"]], axis=-1)
        return np.asarray(critic(pair)[-1]).ravel()

    score = np.asarray(adversarial.score(high, np.asarray(estimate["wave"])))
    of_reference, of_output = predict(target), predict(estimate)
    expected = (1 - of_reference) ** 2 + (score - of_output) ** 2
    np.testing.assert_allclose(of_critic["metric"], expected, rtol=1e-3)
    # The recipe's hinge is for other critics.
    np.testing.assert_allclose(of_network["metric"], (1 - of_output) ** 2, rtol=1e-3)
    # Features that weigh nothing are not compared.
    assert system_step.weights_of_losses == {**LOSSES, "metric": 0.05}
    assert of_network.keys() == {*LOSSES, "metric"}


def test_the_losses_of_spectra_match_their_formulas(network, objectives, batch):
    low, high = batch
    found = objectives[1](batch)
    target, estimate = network.target(high), network.generate(low, high)
    errors = {
        part: np.asarray(estimate["spectrum"][part]) - np.asarray(target["spectrum"][part])
        for part in ("real", "imaginary")
    }
    squares = [(error**2).mean(axis=(1, 2)) for error in errors.values()]
    np.testing.assert_allclose(found["complex_spectrum"], sum(squares), rtol=1e-4)
    error = np.asarray(estimate["magnitude"]) - np.asarray(target["magnitude"])
    np.testing.assert_allclose(found["magnitude"], (error**2).mean(axis=(1, 2)), rtol=1e-4)


@pytest.mark.slow
def test_each_step_changes_the_weights_of_its_own_side_only(network, objectives, batch):
    critics_step, system_step = objectives
    (critic,) = (each for each in critics_step.layers if each.name == "metric")
    sides = network.trainable_variables, critic.trainable_variables
    for objective, moves, stays in ((critics_step, 1, 0), (system_step, 0, 1)):
        before = [[np.array(variable) for variable in side] for side in sides]
        objective.train_step((batch,))
        moved = [
            any((a != b).any() for a, b in zip(map(np.array, side), old, strict=True))
            for side, old in zip(sides, before, strict=True)
        ]
        assert (moved[moves], moved[stays]) == (True, False)


def test_a_critic_of_the_middle_of_patches_gets_frames_of_both():
    frames = np.arange(48.0).reshape(1, 48, 1)
    outputs = [{"magnitude": keras.ops.convert_to_tensor(gain * frames)} for gain in (1, 2)]
    real, fake = adversarial._judged("metric", *outputs, critic_patch=512, patch=3072)
    np.testing.assert_array_equal(real, np.stack([frames[:, 20:28]] * 2, axis=-1))
    np.testing.assert_array_equal(fake[..., 1], 2 * frames[:, 20:28])
    assert critics.CRITICS["metric"].judges == "magnitude"
