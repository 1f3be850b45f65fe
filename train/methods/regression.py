"""Regression: losses that compare a system's output with its target."""

from collections.abc import Mapping

import keras

from ...models.system import System
from ..losses import LOSSES, Loss
from ..objective import Objective


class Comparison(keras.layers.Layer):
    """A loss as a layer, which computes in float32 even under mixed precision.

    A layer runs as a unit. Without it, Keras would interleave the operations of different losses,
    and the order in which gradients are added would depend on which losses there are.
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
    """Returns the single objective that trains all networks of a system.

    Args:
        system: its `generate(low, high)` is compared with its `target(high)`.
        weights: key of `losses.LOSSES` -> weight in the sum.
        low: the input of the system, (batch, n, 1).
        high: the reference, (batch, factor n, 1).
    """
    target, estimate = system.target(high), system.generate(low, high)
    losses = {name: Comparison(LOSSES[name], name)(target, estimate) for name in weights}
    networks = system.networks().values()
    return [Objective([low, high], losses, weights, networks, "regression")]
