"""The optimizer of a recipe: Adam with its schedule, and gradients clipped network by network."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from .recipe import Adam

# What the exponential schedule multiplies the learning rate with after every epoch.
EXPONENTIAL_DECAY = 0.999
# The epochs after which the halving schedule halves it.
HALF_LIFE = 30
# The steps during which the learning rate warms up.
WARM_UP = 5000


class ClippedAdam(keras.optimizers.Adam):
    """Adam that limits the norm of the gradient of each network.

    Keras clips each variable, or all of them together.

    Args:
        limit: the largest norm, over all variables of a network.
        groups: the number of the network that each variable belongs to.
        **kwargs: arguments of `keras.optimizers.Adam`.
    """

    def __init__(self, limit: float, groups: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.limit, self.groups = limit, list(groups)

    def apply(self, grads, trainable_variables=None):
        """Clips the gradients, then takes a step."""
        super().apply(self._clip(grads), trainable_variables)

    def _clip(self, grads):
        scales = {}
        for group in set(self.groups):
            squares = [
                ops.sum(ops.square(grad))
                for grad, number in zip(grads, self.groups, strict=True)
                if number == group and grad is not None
            ]
            # Dividing by the larger of both never divides by 0.
            scales[group] = self.limit / ops.maximum(ops.sqrt(sum(squares)), self.limit)
        return [
            grad if grad is None else grad * scales[group]
            for grad, group in zip(grads, self.groups, strict=True)
        ]


def build(
    settings: Adam, steps: int, epochs: int = 1, groups: Sequence[int] = ()
) -> keras.optimizers.Optimizer:
    """Builds Adam with its schedule.

    Args:
        settings: the recipe's `optimizer`.
        steps: steps of an epoch.
        epochs: of the whole training, after which a cosine schedule ends.
        groups: the number of the network that each variable belongs to, to clip gradients.
    """
    options: dict[str, Any] = {
        "learning_rate": _schedule(settings, steps, epochs),
        "beta_1": settings.beta_1,
        "beta_2": settings.beta_2,
        "epsilon": settings.epsilon,
        "weight_decay": settings.weight_decay or None,
    }
    if settings.average:
        options |= {"use_ema": True, "ema_momentum": settings.average}
    if settings.clip_norm is None:
        adam = keras.optimizers.Adam(**options)
    else:
        adam = ClippedAdam(settings.clip_norm, groups, **options)
    adam.exclude_from_weight_decay(var_names=["bias"])
    return adam


def _schedule(settings: Adam, steps: int, epochs: int) -> Any:
    rate = settings.learning_rate
    if settings.schedule == "falling_cosine":
        return keras.optimizers.schedules.CosineDecay(rate, steps * epochs)
    if settings.schedule == "cosine":
        warmup = max(1, steps * epochs // 50)
        return keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps * epochs - warmup), warmup_target=rate, warmup_steps=warmup
        )
    if settings.schedule == "warm_up":
        # From 0 to the rate, at which it ends.
        return keras.optimizers.schedules.PolynomialDecay(0.0, WARM_UP, rate)
    if settings.schedule == "exponential":
        return keras.optimizers.schedules.ExponentialDecay(
            rate, steps, EXPONENTIAL_DECAY, staircase=True
        )
    if settings.schedule == "halving":
        return keras.optimizers.schedules.ExponentialDecay(
            rate, HALF_LIFE * steps, 0.5, staircase=True
        )
    if settings.schedule == "polynomial":
        return keras.optimizers.schedules.PolynomialDecay(rate, 500_000, 1e-6, power=0.5)
    return rate
