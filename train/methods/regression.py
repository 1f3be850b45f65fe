"""Regression: losses that compare a system's output with its target."""

from collections.abc import Mapping

import keras

from ...command import UserError
from ...models.system import Outputs, System
from ..losses import Loss, choose
from ..objective import Objective


class Comparison(keras.layers.Layer):
    """A loss as a layer, which computes in float32 even under mixed precision.

    A layer runs as a unit. Without it, Keras would interleave the operations of different losses,
    and the order in which gradients are added would depend on which losses there are.
    """

    def __init__(self, loss: Loss, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        # Not the loss itself: Keras tracks the encoder of a function that is a layer.
        self.function = loss.function

    def call(self, target, estimate):
        """Compares one entry of `System.target` and `System.generate`; returns (batch,)."""
        return self.function(target, estimate)


def losses(
    weights: Mapping[str, float],
    target: Outputs,
    estimate: Outputs,
    recognizer: str | None = None,
) -> dict[str, keras.KerasTensor]:
    """Compares a system's output with its target.

    Args:
        weights: keys of `losses.LOSSES`; the values do not matter.
        target: of `System.target`.
        estimate: of `System.generate`.
        recognizer: that of the recipe, for losses that hear.

    Returns:
        name -> (batch,).

    Raises:
        UserError: a loss compares what the system does not predict, or there is no such recognizer.
    """
    result = {}
    for name, loss in choose(weights, recognizer).items():
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
    system: System,
    weights: Mapping[str, float],
    low: keras.KerasTensor,
    high: keras.KerasTensor,
    recognizer: str | None = None,
) -> list[Objective]:
    """Returns the single objective that trains all networks of a system.

    Args:
        system: its `generate(low, high)` is compared with its `target(high)`.
        weights: key of `losses.LOSSES` -> weight in the sum.
        low: the input of the system, (batch, n, 1).
        high: the reference, (batch, factor n, 1).
        recognizer: that of the recipe, for losses that hear.

    Raises:
        UserError: a loss compares what the system does not predict, or there is no such recognizer.
    """
    compared = losses(weights, system.target(high), system.generate(low, high), recognizer)
    return [Objective([low, high], compared, weights, system.networks().values(), "regression")]
