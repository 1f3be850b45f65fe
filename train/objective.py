"""A training objective: a graph from a batch to named losses, and the networks it trains."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Batch = Sequence[np.ndarray]


class Objective(keras.Model):
    """A functional model from a batch to named losses, which trains some of its networks.

    It is compiled and trained like any Keras model, on every backend, but takes no targets: the
    losses are its outputs. A training step follows the gradient of their weighted sum, averaged
    over the batch, and changes the weights of `trains` only. Other networks in the graph, such as
    a frozen encoder or the opponent in adversarial training, keep their weights.

    Args:
        inputs: the batch, such as [low, high].
        losses: name -> (batch,).
        weights: name -> weight in the sum.
        trains: the networks that a step changes.
        name: name of the model.
        rate: multiplies the learning rate.

    Example:
        >>> low, high = keras.Input((None, 1)), keras.Input((None, 1))
        >>> losses = {"mse": mse(high, network(low))}
        >>> objective = Objective([low, high], losses, {"mse": 1.0}, [network])
        >>> objective.compile(keras.optimizers.Adam(1e-3))
        >>> objective.train_on_batch([x, y], return_dict=True)
        {'loss': 0.25, 'mse': 0.25}
    """

    def __init__(
        self,
        inputs: Sequence[keras.KerasTensor],
        losses: Mapping[str, keras.KerasTensor],
        weights: Mapping[str, float],
        trains: Iterable[keras.Model],
        name: str = "objective",
        rate: float = 1.0,
    ) -> None:
        super().__init__(inputs, dict(losses), name=name)
        self.weights_of_losses, self.rate = dict(weights), rate
        # The number of the network that each trained variable belongs to.
        self.trained = {
            id(variable): number
            for number, network in enumerate(trains)
            for variable in network.trainable_variables
        }
        # Keras finds metrics that are attributes, and logs them.
        self.means = [keras.metrics.Mean(name=loss) for loss in losses]

    @property
    def trainable_variables(self):
        """The variables that a step changes."""
        return [variable for variable in self.variables if id(variable) in self.trained]

    @property
    def groups(self) -> list[int]:
        """The number of the network that each of the `trainable_variables` belongs to."""
        return [self.trained[id(variable)] for variable in self.trainable_variables]

    @property
    def non_trainable_variables(self):
        """All other variables of the graph."""
        return [variable for variable in self.variables if id(variable) not in self.trained]

    # Keras reads both names.
    trainable_weights, non_trainable_weights = trainable_variables, non_trainable_variables

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the mean over the batch of the weighted sum of the losses.

        `sample_weight`, (batch,), is that of the examples in the running means; by default 1.
        """
        assert y_pred is not None
        for mean in self.means:
            mean.update_state(y_pred[mean.name], sample_weight)
        total: Any = sum(weight * y_pred[name] for name, weight in self.weights_of_losses.items())
        # The same operations as in Keras's own losses; ops.mean rounds differently.
        return ops.sum(total) / ops.cast(ops.shape(total)[0], total.dtype)

    def reset_metrics(self) -> None:
        """Keeps the running means, which `train_on_batch` would reset after every batch."""

    def start_epoch(self) -> None:
        """Resets the running means."""
        super().reset_metrics()
