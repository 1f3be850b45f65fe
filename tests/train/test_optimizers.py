"""Adam and its schedules, compared with their formulas."""

import keras
import numpy as np
import pytest
from wideband.train import optimizers
from wideband.train.recipe import Adam


def test_a_cosine_schedule_warms_up_and_falls_to_zero():
    adam = optimizers.build(Adam(learning_rate=1e-3, schedule="cosine"), 1000)
    rise = 20
    for step in (0, 10, 20, 500, 1000):
        fall = 0.5 * (1 + np.cos(np.pi * (step - rise) / (1000 - rise)))
        expected = 1e-3 * (step / rise if step < rise else fall)
        adam.iterations.assign(step)
        assert float(adam.learning_rate) == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_a_falling_cosine_starts_at_the_top():
    adam = optimizers.build(Adam(learning_rate=1e-3, schedule="falling_cosine"), 100, epochs=10)
    for step in (0, 1, 500, 1000):
        adam.iterations.assign(step)
        expected = 0.5e-3 * (1 + np.cos(np.pi * step / 1000))
        assert float(adam.learning_rate) == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_a_cosine_schedule_takes_a_training_of_one_step():
    assert float(optimizers.build(Adam(schedule="cosine"), 1).learning_rate) == 0


def test_halving_follows_the_epochs():
    adam = optimizers.build(Adam(learning_rate=4e-3, schedule="halving"), 100, epochs=120)
    for epoch, expected in ((0, 4e-3), (29.99, 4e-3), (30, 2e-3), (60, 1e-3), (119, 5e-4)):
        adam.iterations.assign(round(100 * epoch))
        assert float(adam.learning_rate) == pytest.approx(expected, rel=1e-6)


def test_a_polynomial_schedule_falls_for_half_a_million_steps():
    settings = Adam(learning_rate=3e-5, epsilon=1e-6, schedule="polynomial")
    adam = optimizers.build(settings, 1000)
    assert adam.epsilon == 1e-6
    for step in (0, 1000, 250_000, 499_999, 500_000, 600_000):
        left = max(0.0, 1 - step / 500_000)
        expected = 1e-6 + (3e-5 - 1e-6) * left**0.5
        adam.iterations.assign(step)
        assert float(adam.learning_rate) == pytest.approx(expected, rel=1e-3)


def test_weight_decay_shrinks_kernels_but_not_biases():
    layer = keras.layers.Dense(3, bias_initializer="ones")
    layer.build((None, 2))
    before, steps = np.array(layer.kernel), 5
    adam = optimizers.build(Adam(learning_rate=1e-3, weight_decay=0.5), steps)
    for _ in range(steps):
        adam.apply([0 * each for each in layer.trainable_variables], layer.trainable_variables)
    np.testing.assert_allclose(layer.kernel, before * (1 - 0.5 * 1e-3) ** steps, rtol=1e-6)
    np.testing.assert_array_equal(layer.bias, 1)
