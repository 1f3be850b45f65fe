"""Regression: losses that compare a system's output with its target."""

from collections.abc import Mapping

import keras

from ...command import UserError
from ...models.system import Outputs, System
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
        """Compares one entry of `System.target` and `System.generate`; returns (batch,)."""
        return self.loss.function(target, estimate)


def losses(
    weights: Mapping[str, float], target: Outputs, estimate: Outputs
) -> dict[str, keras.KerasTensor]:
    """Compares a system's output with its target.

    Args:
        weights: keys of `losses.LOSSES`; the values do not matter.
        target: of `System.target`.
        estimate: of `System.generate`.

    Returns:
        name -> (batch,).

    Raises:
        UserError: a loss compares what the system does not predict.
    """
    result = {}
    for name in weights:
        loss = LOSSES[name]
        check_predicted(f"losses.{name}", "compares", loss.compares, estimate)
        result[name] = Comparison(loss, name)(target[loss.compares], estimate[loss.compares])
    return result


def check_predicted(key: str, verb: str, needed: str, estimate: Outputs) -> None:
    """Raises a UserError if a loss or critic needs an entry that a system does not predict.

    Args:
        key: its field in the recipe.
        verb: what it does with the entry.
        needed: name of the entry.
        estimate: of `System.generate`.
    """
    if needed not in estimate:
        raise UserError(
            f"{key}: {verb} the {needed}, and this network predicts only the "
            f"{' and the '.join(estimate)}; remove it with {key}=0"
        )


def objectives(
    system: System, weights: Mapping[str, float], low: keras.KerasTensor, high: keras.KerasTensor
) -> list[Objective]:
    """Returns the single objective that trains all networks of a system.

    Args:
        system: its `generate(low, high)` is compared with its `target(high)`.
        weights: key of `losses.LOSSES` -> weight in the sum.
        low: the input of the system, (batch, n, 1).
        high: the reference, (batch, factor n, 1).

    Raises:
        UserError: a loss compares what the system does not predict.
    """
    compared = losses(weights, system.target(high), system.generate(low, high))
    return [Objective([low, high], compared, weights, system.networks().values(), "regression")]
