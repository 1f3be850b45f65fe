"""The training loop: an experiment in, a finished run folder out."""

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf
from tqdm import tqdm

from ..command import UserError
from ..command.drawing import png
from ..command.files import write_bytes, write_json
from ..evaluate import curves
from .distribution.base import Distribution
from .run import Run
from .steps import Step, averaged, reseed, unsaved_variables
from .tensorboard import TensorBoard
from .training import Trainable, Training


def fit(experiment: Trainable, run: Run) -> Run:
    """Trains an experiment, or continues a run that was stopped.

    The batches and random numbers of an epoch depend only on the seed and the epoch's number. A
    continued run therefore ends exactly like one that was never stopped.

    Args:
        experiment: builds the training.
        run: its run folder.

    Returns:
        the finished run.

    Raises:
        UserError: the training cannot be built, has no data, its loss is not finite, or the disk
            or the memory is full.
    """
    if _next_epoch(experiment, run) == 0:
        run.remove_leftovers()
        return run
    with _prepared(experiment) as (training, state, steps), run.training():
        _run_epochs(experiment, training, state, steps, run)
    return run


def help_fit(experiment: Trainable) -> None:
    """Takes part in the steps of `fit`, which process 0 runs.

    Args:
        experiment: that of process 0, with another number of the process.

    Raises:
        UserError: as `fit`, or another process has ended.
    """
    distribution = experiment.distribution
    if distribution.next_epoch(0) == 0:
        return
    with _prepared(experiment) as (training, _, steps), tqdm(disable=True) as bar:
        while epoch := distribution.next_epoch(0):
            _train(distribution, training, steps, epoch, bar)


@contextmanager
def _prepared(
    experiment: Trainable,
) -> Iterator[tuple[Training, list[keras.Variable], list[Step]]]:
    """Builds a training, its unsaved variables and its steps, for use within the contexts."""
    distribution = experiment.distribution
    try:
        with dtype_policy(experiment.precision), distribution.scope():
            training = experiment.build()
            state = unsaved_variables(training.objectives, training.networks)
            yield training, state, [distribution.compile_step(each) for each in training.objectives]
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise UserError(
            "the memory does not suffice for this training; choose a smaller batch, patch or "
            "network in another --run"
        ) from error


def _next_epoch(experiment: Trainable, run: Run) -> int:
    """Returns the number of the next epoch, or 0 after the last one, and tells other processes."""
    return experiment.distribution.next_epoch(0 if run.finished else run.epoch + 1)


def _run_epochs(
    experiment: Trainable,
    training: Training,
    state: Sequence[keras.Variable],
    steps: Sequence[Step],
    run: Run,
) -> None:
    """Trains from the last epoch of the history to the end."""
    if run.epoch:
        run.restore(training.networks, state)
    else:
        _start(run, training)
    total, done = training.steps * run.epochs, training.steps * run.epoch
    board = TensorBoard(run.folder / "events")
    with tqdm(total=total, initial=done, unit="step", desc=run.folder.name) as bar:
        while epoch := _next_epoch(experiment, run):
            row = _run_epoch(experiment, training, steps, epoch, run, bar)
            rows = run.save(row, training.networks, state, averaged(training.objectives))
            # Before the history, so that a killed run does not end without its last epoch here.
            board.write(row)
            figure = curves.training_curves(rows, run.record.baselines)
            write_bytes(run.folder / "curves.png", png(figure))
            run.finish_epoch(rows)
            validation = {key: row[key] for key in run.validation}
            bar.set_postfix({key: f"{value:.4g}" for key, value in validation.items()})


@contextmanager
def dtype_policy(name: str) -> Iterator[None]:
    """Sets the Keras dtype policy within a block; layers keep the one they are built with."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _start(run: Run, training: Training) -> None:
    """Writes the files that a run has from the start."""
    run.record.recipe = training.recipe
    run.record.baselines = training.baselines()
    run.record.write(run.folder)
    for name, content in training.files.items():
        write_json(run.folder / name, content)


def _run_epoch(
    experiment: Trainable,
    training: Training,
    steps: Sequence[Step],
    epoch: int,
    run: Run,
    bar: tqdm,
) -> dict[str, float]:
    """Trains and validates; returns the epoch's row of the history."""
    started = time.monotonic()
    reseed(training.objectives, experiment.seed, epoch)
    row = _train(experiment.distribution, training, steps, epoch, bar)
    if math.isfinite(row["loss"]):
        with averaged(training.objectives):
            row |= training.validate()
    latest = row.get(run.select, row["loss"])
    if not math.isfinite(latest):
        raise UserError(
            f"the loss became {latest} in epoch {epoch}; try a lower learning rate in another "
            f"--run: {experiment.remedy}"
        )
    seconds = round(time.monotonic() - started, 2)
    return {"epoch": epoch, "step": epoch * training.steps, **row, "seconds": seconds}


def _train(
    distribution: Distribution, training: Training, steps: Sequence[Step], epoch: int, bar: tqdm
) -> dict[str, float]:
    """Trains for an epoch, at most up to a loss that is not finite; returns its mean losses."""
    for objective in training.objectives:
        objective.start_epoch()
    losses: dict[str, float] = {}
    with distribution.spread(training.objectives):
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
    """Adds up the losses of the objectives; keeps the named losses if there is more than one."""
    named = {name: value for log in logs for name, value in log.items() if name != "loss"}
    total = {"loss": sum(log["loss"] for log in logs)}
    return total | named if len(named) > 1 else total
