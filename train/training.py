"""The interface between experiments and the training loop."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras

from .distribution.base import Distribution
from .objective import Batch, Objective


@dataclass
class Training:
    """Everything that the training loop runs, as an experiment builds it.

    Args:
        recipe: the recipe for run.json, with the arguments that follow from other fields.
        networks: the networks by name. The run folder keeps their last and their best weights.
        objectives: compiled; each takes one step on every batch.
        steps: batches per epoch.
        batches: returns the batches of an epoch; the first epoch is number 1.
        validate: measures the networks; returns the history's validation columns, such as
            val_loss.
        baselines: measures the baselines; returns name -> validation columns.
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


class Trainable(Protocol):
    """An experiment: a training that is described and checked, but not built yet.

    Attributes:
        seed: seed of dropout and other random layers.
        precision: the Keras dtype policy that the training is built and run with.
        distribution: the devices.
    """

    seed: int
    precision: str
    distribution: Distribution

    @property
    def remedy(self) -> str:
        """The flag to try if the loss diverges."""
        ...

    def build(self) -> Training:
        """Builds the networks and objectives, and opens the data."""
        ...
