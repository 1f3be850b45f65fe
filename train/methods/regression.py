"""Regression: a system's output is compared with its target."""

from collections.abc import Mapping

import keras

from ...models.system import System
from ..losses import LOSSES, Loss
from ..objective import Objective


class Comparison(keras.layers.Layer):
    """A loss as a layer, in float32 under mixed precision, too.

    As a layer, a loss runs as a unit. Keras would sort its operations among those of other losses,
    and gradients would be added in an order that depends on which losses there are.
    """

    def __init__(self, loss: Loss, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.loss = loss

    def call(self, target, estimate):
        """Compares (batch, ...) with (batch, ...); returns (batch,)."""
        return self.loss(target, estimate)


def objectives(
    system: System, weights: Mapping[str, float], low: keras.KerasTensor, high: keras.KerasTensor
) -> list[Objective]:
    """Returns the one objective that trains all networks of a system.

    Args:
        system: compares `generate(low, high)` with `target(high)`.
        weights: key of `losses.LOSSES` -> weight in the sum.
        low: the input that the system takes, (batch, n, 1).
        high: the reference, (batch, factor n, 1).
    """
    target, estimate = system.target(high), system.generate(low, high)
    losses = {name: Comparison(LOSSES[name], name)(target, estimate) for name in weights}
    networks = system.networks().values()
    return [Objective([low, high], losses, weights, networks, "regression")]
