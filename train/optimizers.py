"""The optimizer of a recipe, with its learning-rate schedule."""

import keras

from .recipe import Adam


def build(settings: Adam, steps: int) -> keras.optimizers.Optimizer:
    """Builds Adam with its schedule.

    Args:
        settings: the recipe's `optimizer`.
        steps: steps of the whole training, after which a cosine schedule ends.
    """
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        warmup = max(1, steps // 50)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup
        )
    elif settings.schedule == "polynomial":
        rate = keras.optimizers.schedules.PolynomialDecay(rate, 500_000, 1e-6, power=0.5)
    adam = keras.optimizers.Adam(
        rate,
        settings.beta_1,
        settings.beta_2,
        settings.epsilon,
        weight_decay=settings.weight_decay or None,
    )
    adam.exclude_from_weight_decay(var_names=["bias"])
    return adam
