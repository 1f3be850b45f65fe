"""Schedules and samplers, compared with numbers of AudioSR's code and with formulas by hand."""

import math

import keras
import numpy as np
import pytest
from wideband.command import UserError
from wideband.models import diffusion

# The share of the signal at some steps, computed once in the code of AudioSR.
SHARES = {0: 0.99996, 501: 0.4907, 961: 3.50e-3, 981: 7.867e-4, 991: 1.55e-4, 996: 2.19e-5}


@pytest.fixture(scope="module")
def shares():
    return diffusion.signal_shares()


def test_the_schedule_is_a_squared_cosine_that_ends_at_nothing(shares):
    assert len(shares) == 1000 and (np.diff(shares) < 0).all()
    for step, share in SHARES.items():
        assert shares[step] == pytest.approx(share, rel=4e-3)
    assert shares[998] == pytest.approx(2.43e-6, rel=2e-3) and shares[999] == 0.0


def test_the_schedule_is_the_product_of_its_betas(shares):
    def level(i):
        return math.cos((i / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    product = 1.0
    for i in range(999):
        product *= 1 - (1 - level(i + 1) / level(i))
        assert shares[i] == pytest.approx(product, rel=1e-9)


def test_training_mixes_the_signal_with_noise(shares):
    rng = np.random.default_rng(0)
    clean, noise = rng.normal(0, 1, (2, 3, 4, 2)).astype(np.float32)
    steps = np.array([0, 500, 999])
    noisy, velocity = diffusion.noisy_and_velocity(clean, noise, steps)
    for k, step in enumerate(steps):
        a, b = math.sqrt(shares[step]), math.sqrt(1 - shares[step])
        np.testing.assert_allclose(noisy[k], a * clean[k] + b * noise[k], atol=1e-6)
        np.testing.assert_allclose(velocity[k], a * noise[k] - b * clean[k], atol=1e-6)
    np.testing.assert_array_equal(noisy[2], noise[2])


# The first and the last steps, and their number.
@pytest.mark.parametrize(
    ("count", "steps", "first", "last"),
    [
        (1, 1, [1], [1]),
        (10, 10, [901, 801], [101, 1]),
        (30, 31, [991, 958], [34, 1]),
        (50, 50, [981, 961], [21, 1]),
        (200, 200, [996, 991], [6, 1]),
        (250, 250, [997, 993], [5, 1]),
        (500, 500, [999, 997], [3, 1]),
    ],
)
def test_leading_steps_are_those_of_upstream(count, steps, first, last):
    found = diffusion.step_numbers(count, "leading").tolist()
    assert len(found) == steps
    assert found[: len(first)] == first and found[-len(last) :] == last
    assert len(set(np.diff(found))) <= 1


@pytest.mark.parametrize("count", [3, 9, 27, 111, 300, 333, 501, 1000])
def test_leading_steps_that_upstream_cannot_take_are_refused(count):
    with pytest.raises(
        UserError, match=f"^steps {count}: .* choose \\d+, or .* trailing$"
    ) as error:
        diffusion.step_numbers(count, "leading")
    instead = int(str(error.value).split("choose ")[1].split(",")[0])
    assert instead < count and diffusion.step_numbers(instead, "leading")[0] < 1000


@pytest.mark.parametrize("count", [1, 3, 7, 10, 30, 50, 200, 300, 999, 1000])
def test_trailing_steps_are_even_and_begin_with_noise_alone(count):
    found = diffusion.step_numbers(count, "trailing")
    assert len(found) == count and found[0] == 999 and found[-1] >= 0
    np.testing.assert_allclose(-np.diff(found), 1000 / count, atol=1)
    assert (np.diff(found) < 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "steps 0 must be from 1 to 1000"),
        ((1001,), "steps 1001 must be from 1 to 1000"),
        ((10, "uniform"), "unknown spacing 'uniform'; choose one of leading, trailing"),
        ((10, "trailing", 1.5), "eta 1.5 must be from 0 to 1"),
    ],
)
def test_plans_out_of_range_are_refused(arguments, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        diffusion.plan(*arguments)


def test_new_noise_is_that_of_upstream():
    steps = diffusion.plan(50, "leading", eta=1.0)
    assert steps[0].fresh == pytest.approx(0.879, abs=5e-4)
    assert steps[-1].fresh == pytest.approx(0.0047, abs=5e-5)
    assert all(step.fresh == 0 for step in diffusion.plan(50, "leading"))


@pytest.mark.parametrize(
    ("spacing", "eta"), [("leading", 1.0), ("leading", 0.0), ("trailing", 0.5)]
)
def test_a_step_follows_the_formula(spacing, eta, shares):
    """Song et al. 2021, equation 12, from the predicted clean sample and noise."""
    rng = np.random.default_rng(1)
    x, v, fresh = rng.normal(0, 1, (3, 5))
    steps = diffusion.plan(10, spacing, eta)
    a, after = shares[steps[3].number], shares[steps[4].number]
    sigma = eta * math.sqrt((1 - after) / (1 - a)) * math.sqrt(1 - a / after)
    clean = math.sqrt(a) * x - math.sqrt(1 - a) * v
    noise = math.sqrt(a) * v + math.sqrt(1 - a) * x
    direction = math.sqrt(1 - after - sigma**2) * noise
    expected = math.sqrt(after) * clean + direction + sigma * fresh
    found = diffusion.advance(steps[3], x, v, fresh)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_trailing_samples_of_a_perfect_network_are_clean(count, eta, shares):
    rng = np.random.default_rng(2)
    clean = rng.normal(0, 1, (1, 4, 2)).astype(np.float32)

    def predict(x, number):
        """The velocity of the only possible clean sample."""
        a, b = math.sqrt(shares[number]), math.sqrt(1 - shares[number])
        return a * (x - a * clean) / b - b * clean

    draws = []

    def draw():
        draws.append(1)
        return keras.ops.convert_to_tensor(rng.normal(0, 1, clean.shape).astype(np.float32))

    start = keras.ops.convert_to_tensor(rng.normal(0, 1, clean.shape).astype(np.float32))
    seen = []
    steps = diffusion.plan(count, "trailing", eta)
    found = diffusion.sample(predict, start, steps, draw, lambda: seen.append(1))
    np.testing.assert_allclose(found, clean, atol=1e-4)
    # The last step is clean, so it needs no noise.
    assert len(draws) == (count - 1 if eta else 0) and len(seen) == count


def test_guidance_moves_away_from_the_unconditional_velocity():
    assert diffusion.guided(2.0, 1.0, 3.5) == 4.5
    assert diffusion.guided(2.0, 1.0, 1.0) == 2.0
