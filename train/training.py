"""What the training loop is given: an experiment, and the training that it builds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import numpy as np

from .objective import Objective

Batch = Sequence[np.ndarray]


@dataclass
class Training:
    """What an experiment builds for the loop.

    Args:
        recipe: the recipe for run.json, with the arguments that follow from other fields.
        networks: the networks by name. The run folder keeps their last and their best weights.
        objectives: compiled; each takes one step on every batch.
        steps: batches per epoch.
        batches: returns the batches of an epoch; the first epoch is number 1.
        validate: measures the networks; returns validation columns of the history, such as
            val_loss.
        baselines: measures what the networks are compared with; returns name -> columns.
        files: further JSON files of the run folder, name -> content.
    """

    recipe: dict[str, Any]
    networks: dict[str, keras.Model]
    objectives: list[Objective]
    steps: int
    batches: Callable[[int], Iterable[Batch]]
    validate: Callable[[], dict[str, float]]
    baselines: Callable[[], dict[str, dict[str, float]]] = dict
    files: dict[str, Any] = field(default_factory=dict)


class Experiment(Protocol):
    """A training that is described and checked, but not built.

    Attributes:
        seed: seed of dropout and other random layers.
        precision: the dtype policy of Keras in which the training is built and runs.
    """

    seed: int
    precision: str

    @property
    def remedy(self) -> str:
        """The flag to try if the loss diverges."""
        ...

    def build(self) -> Training:
        """Builds networks and objectives, and opens the data."""
        ...
