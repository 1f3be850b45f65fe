"""The training loop: an experiment in, a finished run folder out."""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from ..command import UserError
from ..command.drawing import png
from ..command.files import write_bytes, write_json
from ..evaluate import curves
from .objective import Objective
from .run import Run
from .training import Batch, Experiment, Training

Step = Callable[[Batch], dict[str, float]]  # a batch to the running means of the losses


def fit(experiment: Experiment, run: Run) -> Run:
    """Trains an experiment, or continues a run that was stopped.

    The batches and the random numbers of an epoch follow from the seed and the number of the
    epoch. A run that continues therefore ends exactly as one that never stopped.

    Args:
        experiment: builds the training.
        run: its run folder.

    Returns:
        the finished run.

    Raises:
        UserError: the training cannot be built, has no data, or its loss is not finite.
    """
    if run.finished:
        return run
    with dtype_policy(experiment.precision):
        training = experiment.build()
        state = _state(training)
        steps = [compile_step(objective) for objective in training.objectives]
        if run.epoch:
            run.restore(training.networks, state)
        else:
            run.record.recipe = training.recipe
            run.record.baselines = training.baselines()
            run.record.write(run.folder)
            for name, content in training.files.items():
                write_json(run.folder / name, content)
        total, done = training.steps * run.epochs, training.steps * run.epoch
        with (
            tqdm(total=total, initial=done, unit="step", desc=run.folder.name) as bar,
            tf.summary.create_file_writer(str(run.folder / "events")).as_default(),
        ):
            while not run.finished:
                row = _run_epoch(experiment, training, steps, run, bar)
                run.finish_epoch(row, training.networks, state)
                _show(run, bar)
    return run


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Sets the dtype policy of Keras within a block; layers keep the one they are built in."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def reseed(objectives: Sequence[Objective], seed: int, epoch: int) -> None:
    """Sets the state of all random layers, which Keras leaves out of weights files."""
    variables = _unique(
        variable for objective in objectives for variable in objective.non_trainable_variables
    )
    for number, variable in enumerate(variables):
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.random.SeedSequence([seed, epoch, number]).generate_state(2))


def compile_step(objective: Objective) -> Step:
    """Returns the function that takes an objective's training step on a batch.

    On TensorFlow, `train_on_batch` makes one graph for the first shape of a batch and another for
    all further shapes, and they round differently. A run that continues may see its shapes in
    another order. Here, all shapes share one graph.
    """
    if keras.config.backend() != "tensorflow":
        return lambda batch: objective.train_on_batch(batch, return_dict=True)
    step = tf.function(
        lambda batch: objective.train_step((batch,)),
        input_signature=[[tf.TensorSpec(each.shape, each.dtype) for each in objective.inputs]],
        autograph=False,
        jit_compile=objective.jit_compile,
    )
    return lambda batch: {name: float(value) for name, value in step(batch).items()}


def _run_epoch(
    experiment: Experiment, training: Training, steps: Sequence[Step], run: Run, bar: tqdm
) -> dict[str, float]:
    """Trains and validates; returns the epoch's row of the history."""
    epoch, started = run.epoch + 1, time.monotonic()
    reseed(training.objectives, experiment.seed, epoch)
    row = _train(training, steps, epoch, bar)
    if math.isfinite(row["loss"]):
        row |= training.validate()
    latest = row.get(run.select, row["loss"])
    if not math.isfinite(latest):
        raise UserError(
            f"the loss became {latest} in epoch {epoch}; try a lower learning rate in another "
            f"--run: {experiment.remedy}"
        )
    seconds = round(time.monotonic() - started, 2)
    return {"epoch": epoch, "step": epoch * training.steps, **row, "seconds": seconds}


def _train(training: Training, steps: Sequence[Step], epoch: int, bar: tqdm) -> dict[str, float]:
    """Takes the steps of an epoch; returns the means of its losses.

    It stops at the first loss that is not finite.
    """
    for objective in training.objectives:
        objective.start_epoch()
    losses: dict[str, float] = {}
    for batch in itertools.islice(training.batches(epoch), training.steps):
        losses = _merge([step(list(batch)) for step in steps])
        bar.set_postfix(loss=f"{losses['loss']:.4g}", refresh=False)
        bar.update()
        if not math.isfinite(losses["loss"]):
            break
    if not losses:
        raise UserError("the train split has no batch; prepare more or longer recordings")
    return losses


def _merge(logs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Adds up the losses of the objectives; lists the named ones if there are several."""
    named = {name: value for log in logs for name, value in log.items() if name != "loss"}
    total = {"loss": sum(log["loss"] for log in logs)}
    return total | named if len(named) > 1 else total


def _state(training: Training) -> list[keras.Variable]:
    """Returns the variables of a checkpoint that are not in the weights files of the networks."""
    saved = {id(weight) for network in training.networks.values() for weight in network.weights}
    variables = []
    for objective in training.objectives:
        objective.optimizer.build(objective.trainable_variables)
        variables += [*objective.variables, *objective.optimizer.variables]
    return [variable for variable in _unique(variables) if id(variable) not in saved]


def _unique(variables: Iterable[keras.Variable]) -> list[keras.Variable]:
    return list({id(variable): variable for variable in variables}.values())


def _show(run: Run, bar: tqdm) -> None:
    """Publishes the last epoch: TensorBoard, curves.png, progress bar."""
    row = run.rows[-1]
    for key, value in row.items():
        tf.summary.scalar(key, value, step=int(row["epoch"]))
    figure = curves.training_curves(run.rows, run.record.baselines)
    write_bytes(run.folder / "curves.png", png(figure))
    validation = {key: f"{value:.4g}" for key, value in row.items() if key.startswith("val_")}
    bar.set_postfix(validation)
