"""The interface between the training loop and the devices, and training on one device."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..objective import Objective
    from ..steps import Step


class Distribution:
    """One device. Subclasses train on several.

    Attributes:
        devices: the number of devices; the batch of a recipe is a multiple of it.
        processes: the number of processes that train together.
        process: the number of this process, from 0. Only process 0 has a run folder, and validates.
    """

    devices = processes = 1
    process = 0

    def scope(self) -> AbstractContextManager[object]:
        """Returns the context in which a training is built, run, validated and saved."""
        return nullcontext()

    def compile_step(self, objective: "Objective") -> "Step":
        """Returns a function that takes an objective's training step on a batch.

        With several processes, each passes its part of the batch.
        """
        from ..steps import compile_step

        return compile_step(objective)

    def spread(self, objectives: "Sequence[Objective]") -> AbstractContextManager[object]:
        """Returns the context of steps, all of which begin with the variables of process 0."""
        return nullcontext()

    def next_epoch(self, epoch: int) -> int:
        """Returns the number of the epoch that process 0 trains next, or 0 after the last one.

        Args:
            epoch: this number, in process 0.
        """
        return epoch

    def agree(self, number: float) -> float:
        """Returns the number that process 0 passes."""
        return number


ONE = Distribution()
