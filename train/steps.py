"""Training steps: compiled, and repeatable after an interruption."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from .objective import Batch, Objective

Step = Callable[[Batch], dict[str, float]]  # from a batch to the running means of the losses


def compile_step(objective: Objective) -> Step:
    """Returns a function that takes an objective's training step on a batch.

    Keras's `train_on_batch` on TensorFlow traces one graph for the first batch shape and another
    for all later shapes, and the two round differently. A continued run may see its shapes in
    another order, so all shapes share one graph here.
    """
    if keras.config.backend() != "tensorflow":
        return lambda batch: objective.train_on_batch(batch, return_dict=True)
    import tensorflow as tf

    step = tf.function(
        lambda batch: objective.train_step((batch,)),
        input_signature=[[tf.TensorSpec(each.shape, each.dtype) for each in objective.inputs]],
        autograph=False,
        jit_compile=objective.jit_compile,
    )
    return lambda batch: {name: float(value) for name, value in step(batch).items()}


def reseed(objectives: Sequence[Objective], seed: int, epoch: int) -> None:
    """Sets the state of all random layers, which then follow from seed and epoch.

    Args:
        objectives: contain the random layers.
        seed: seed of the run.
        epoch: number of the epoch.
    """
    variables = _unique(
        variable for objective in objectives for variable in objective.non_trainable_variables
    )
    for number, variable in enumerate(variables):
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.random.SeedSequence([seed, epoch, number]).generate_state(2))


@contextmanager
def averaged(objectives: Sequence[Objective]) -> Iterator[None]:
    """Replaces the weights with their running means within a block, where optimizers keep them."""
    averaging = [objective for objective in objectives if objective.optimizer.use_ema]
    latest = [
        (variable, np.array(variable))
        for objective in averaging
        for variable in objective.trainable_variables
    ]
    for objective in averaging:
        objective.optimizer.finalize_variable_values(objective.trainable_variables)
    try:
        yield
    finally:
        for variable, value in latest:
            variable.assign(value)


def unsaved_variables(
    objectives: Sequence[Objective], networks: Mapping[str, keras.Model]
) -> list[keras.Variable]:
    """Returns the variables of a checkpoint that the networks' weights files do not contain.

    These are the variables of optimizers, metrics, random layers, and further networks.
    """
    saved = {id(weight) for network in networks.values() for weight in network.weights}
    variables = []
    for objective in objectives:
        objective.optimizer.build(objective.trainable_variables)
        variables += [*objective.variables, *objective.optimizer.variables]
    return [variable for variable in _unique(variables) if id(variable) not in saved]


def _unique(variables: Iterable[keras.Variable]) -> list[keras.Variable]:
    """Removes repeated variables, as objectives can share networks, and keeps the order."""
    return list({id(variable): variable for variable in variables}.values())
