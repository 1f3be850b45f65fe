"""Diffusion: the cosine schedule, velocities, and the DDIM sampler.

A clean x and noise of the same shape make a noisy sqrt(share) x + sqrt(1 - share) noise. The share
of the signal falls from nearly 1 at step 0 to 0 at step 999. The network predicts the velocity.

Sources: Nichol and Dhariwal 2021 (arXiv:2102.09672), section 3.2, for the schedule; Salimans and
Ho 2022 (arXiv:2202.00512), appendix D, for velocities; Song et al. 2021 (arXiv:2010.02502),
equations 12 and 16, for the sampler; Ho and Salimans 2022 (arXiv:2207.12598) for guidance; Lin et
al. 2024 (arXiv:2305.08891), section 3.3, for trailing steps.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from ..command import UserError
from ..command.errors import lookup

STEPS = 1000
OFFSET = 0.008
SPACINGS = {
    "leading": "every k-th step from step 1 on, as in AudioSR's code; the noisiest are left out",
    "trailing": "even steps that begin with step 999, which is noise alone (Lin et al.)",
}


def signal_shares() -> np.ndarray:
    """Returns the share of the signal's variance at each step, (1000,), falling to exactly 0.

    The schedule is not clipped, unlike that of the paper.
    """
    turns = (np.arange(STEPS + 1) / STEPS + OFFSET) / (1 + OFFSET) / 4
    levels = np.cos(2 * np.pi * turns) ** 2
    levels[-1] = 0.0  # The cosine of a rounded quarter turn is 6e-17.
    return levels[1:] / levels[0]


def noisy_and_velocity(clean, noise, steps) -> tuple[Any, Any]:
    """Returns what a network sees in training, and the velocity that it learns to predict.

    Args:
        clean: (batch, ...).
        noise: of the same shape.
        steps: (batch,), integers from 0 to 999.

    Returns:
        both of the shape of `clean`. The velocity is
        sqrt(share) noise - sqrt(1 - share) clean.
    """
    shares = signal_shares()
    shape = (-1, *(1,) * (len(clean.shape) - 1))
    signal, rest = (
        ops.reshape(ops.take(ops.convert_to_tensor(np.sqrt(each), clean.dtype), steps), shape)
        for each in (shares, 1 - shares)
    )
    return signal * clean + rest * noise, signal * noise - rest * clean


def step_numbers(count: int, spacing: str) -> np.ndarray:
    """Returns the steps that a sampler visits, from the noisiest on.

    Args:
        count: how many, from 1 to 1000. With "leading", there are more if 1000 is no multiple of
            it, as in AudioSR's code: 31 for 30.
        spacing: a key of `SPACINGS`.

    Raises:
        UserError: the count is out of range, there is no such spacing, or AudioSR's code would
            need a step 1000, which does not exist.
    """
    lookup(SPACINGS, spacing, "spacing")
    if not 1 <= count <= STEPS:
        raise UserError(f"steps {count} must be from 1 to {STEPS}")
    if spacing == "trailing":
        return np.rint(STEPS - np.arange(count) * STEPS / count).astype(int) - 1
    numbers = np.arange(0, STEPS, STEPS // count) + 1
    if numbers[-1] >= STEPS:
        fewer = next(each for each in range(count - 1, 0, -1) if (STEPS - 1) % (STEPS // each))
        raise UserError(
            f"steps {count}: with the spacing leading, the last of them would be step {STEPS}, and "
            f"there are {STEPS}, from 0 on; choose {fewer}, or the spacing trailing"
        )
    return numbers[::-1]


class Step(NamedTuple):
    """A step of the sampler: its number and the coefficients of the next, less noisy sample.

    A sample x and its velocity v predict the clean sqrt(share) x - sqrt(1 - share) v, and the noise
    sqrt(1 - share) x + sqrt(share) v. The next sample is
    `clean` times the former, plus `noise` times the latter, plus `fresh` times new noise.
    """

    number: int
    share: float
    clean: float
    noise: float
    fresh: float


def plan(count: int, spacing: str = "trailing", eta: float = 0.0) -> list[Step]:
    """Returns the steps of a DDIM sampler, in their order.

    Args:
        count: as in `step_numbers`.
        spacing: a key of `SPACINGS`. The last sample of "trailing" is clean; that of "leading" has
            the noise of step 0.
        eta: the amount of new noise, from 0 (none) to 1 (as much as that of DDPM).

    Raises:
        UserError: a value is out of range.
    """
    numbers = step_numbers(count, spacing)
    if not 0 <= eta <= 1:
        raise UserError(f"eta {eta} must be from 0 to 1")
    shares = signal_shares()
    last = shares[0] if spacing == "leading" else 1.0
    following = [*shares[numbers[1:]], last]
    steps = []
    for number, after in zip(numbers, following, strict=True):
        share = shares[number]
        fresh = eta * np.sqrt((1 - after) / (1 - share) * (1 - share / after))
        rest = np.sqrt(max(0.0, 1 - after - fresh**2))
        values = share, np.sqrt(after), rest, fresh
        steps.append(Step(int(number), *(float(each) for each in values)))
    return steps


def advance(step: Step, x, velocity, fresh=None):
    """Returns the next sample of a sampler.

    Args:
        step: of `plan`.
        x: the sample, of any shape.
        velocity: predicted for it.
        fresh: new noise of the same shape; None for none.
    """
    signal, rest = float(np.sqrt(step.share)), float(np.sqrt(1 - step.share))
    clean = signal * x - rest * velocity
    noise = rest * x + signal * velocity
    x = step.clean * clean + step.noise * noise
    return x if fresh is None else x + step.fresh * fresh


def sample(
    predict: Callable[[Any, int], Any],
    start,
    steps: list[Step],
    draw: Callable[[], Any],
    progress: Callable[[], None] = lambda: None,
):
    """Turns noise into a clean sample.

    Args:
        predict: from a sample and the number of the step to the velocity.
        start: noise, of any shape.
        steps: of `plan`.
        draw: returns new noise, once for each step with `fresh`.
        progress: called after each step.
    """
    x = start
    for step in steps:
        velocity = predict(x, step.number)
        x = advance(step, x, velocity, draw() if step.fresh else None)
        progress()
    return x


def guided(conditional, unconditional, weight: float):
    """Returns a velocity further from the unconditional one: 1 keeps the conditional one."""
    return unconditional + weight * (conditional - unconditional)
