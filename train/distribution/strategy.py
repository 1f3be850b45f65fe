"""Training on all devices of a machine with TensorFlow: a strategy of tf.distribute.

All devices have all variables. A batch that cannot be divided, such as the last one of an epoch, is
computed as a whole on every device.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras.src import backend

from ...command import UserError
from ..losses import WHOLE_BATCH
from ..objective import Objective
from ..steps import Step
from .base import Distribution


class Strategy(Distribution):
    """All GPUs, TPU cores or logical CPUs of this machine.

    Args:
        kind: "mirrored" or "tpu".

    Raises:
        UserError: there are no such devices.
    """

    def __init__(self, kind: str) -> None:
        self._strategy = _tpu() if kind == "tpu" else _mirrored()
        self.devices = self._strategy.num_replicas_in_sync
        # Keras would run predictions on every device, with the same input, and join the outputs.
        self._run_everywhere, self._strategy.run = self._strategy.run, _run_here

    def scope(self) -> AbstractContextManager[object]:
        """Returns the context in which variables are made on all devices."""
        return self._strategy.scope()

    def compile_step(self, objective: Objective) -> Step:
        """Returns a function that takes an objective's training step on a batch."""
        check(objective)
        for layer in objective._flatten_layers():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
        optimizer = objective.optimizer
        # Keras clips the gradients of each device before it adds them up. Here, they are added up
        # first, so that Keras adds up as many equal sums as there are devices.
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        inner.loss_scale_factor = float(self.devices)

        def replica_step(batch: Any) -> None:
            context = tf.distribute.get_replica_context()
            rows = batch[0].shape[0]
            share = self._share(rows)
            batch = [_part(each, share) for each in batch]
            with tf.GradientTape() as tape:
                outputs = objective(batch, training=True)
                # What every device computes counts once in the running means.
                weights = tf.fill([share], rows / self.devices / share)
                loss = objective.compute_loss(y_pred=outputs, sample_weight=weights)
                part = loss / self.devices
                if inner is not optimizer:  # under mixed_float16
                    part = optimizer.scale_loss(part)
            # The first metric is that of the loss.
            objective.metrics[0].update_state(loss, sample_weight=rows / self.devices)
            gradients = tape.gradient(part, objective.trainable_variables)
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            optimizer.apply(gradients, objective.trainable_variables)

        # A graph for each size of a batch: TPUs need fixed shapes.
        @tf.function(autograph=False)
        def step(batch: Any) -> dict[str, tf.Tensor]:
            rows = batch[0].shape[0]
            with _draws_of_whole_batches(rows, self._share(rows)):
                self._run_everywhere(replica_step, args=(batch,))
            return objective.get_metrics_result()

        return lambda batch: {name: float(value) for name, value in step(list(batch)).items()}

    def _share(self, rows: int) -> int:
        """Returns how many examples of a batch each device computes."""
        return rows if rows % self.devices else rows // self.devices


def check(objective: Objective) -> None:
    """Raises a UserError if several devices cannot compute a step of one device."""
    if objective.jit_compile:
        raise UserError(
            "xla=true: TensorFlow does not compile steps of several devices; set --set=xla=false, "
            "or train with KERAS_BACKEND=jax"
        )
    for name in WHOLE_BATCH:
        if name in objective.weights_of_losses:
            raise UserError(
                f"losses.{name}: depends on the whole batch, of which each device has a part; "
                f"remove it with --set=losses.{name}=0, or train with KERAS_BACKEND=jax"
            )


def _mirrored() -> tf.distribute.Strategy:
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    devices = [device.name for device in tf.config.list_logical_devices(kind)]
    if len(devices) < 2:
        raise UserError(
            f"--distribute=mirrored needs several GPUs, and TensorFlow finds one {kind}; train "
            "with --distribute=none"
        )
    return tf.distribute.MirroredStrategy(devices)


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(
            "--distribute=tpu: TensorFlow finds no TPU; train on a machine with one, or with "
            "--distribute=none"
        ) from error


def _run_here(function: Callable, args: tuple = (), kwargs: Any = None, options: Any = None) -> Any:
    """Runs a function on one device, in place of `tf.distribute.Strategy.run`."""
    return function(*args, **(kwargs or {}))


def _part(whole: tf.Tensor, share: int) -> tf.Tensor:
    """Returns the examples of this device, of a tensor with those of all, or of one device."""
    if whole.shape[0] == share:
        return whole
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    start = tf.stack([number * share] + [0] * (len(whole.shape) - 1))
    return tf.slice(whole, start, [share, *whole.shape[1:]])


@contextmanager
def _draws_of_whole_batches(rows: int, share: int) -> Iterator[None]:
    """Lets each device draw the random numbers of a whole batch, and keep those of its examples.

    Otherwise, all devices would draw the same numbers. While a step is traced, this replaces the
    functions of Keras's backend that its layers call.

    Args:
        rows: examples of the batch.
        share: those of a device.
    """

    def whole(draw: Callable) -> Callable:
        def drawn(shape: Any, *args: Any, **kwargs: Any) -> tf.Tensor:
            if len(shape) == 0 or shape[0] != share:
                return draw(shape, *args, **kwargs)
            return _part(draw((rows, *shape[1:]), *args, **kwargs), share)

        return drawn

    def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> tf.Tensor:
        if rows == share or inputs.shape[0] != share:
            return drop(inputs, rate, noise_shape, seed)
        if noise_shape is not None and noise_shape[0] == share:
            noise_shape = (rows, *noise_shape[1:])
        # Each device finds its own examples in its place.
        whole = tf.concat([inputs] * (rows // share), 0)
        return _part(drop(whole, rate, noise_shape, seed), share)

    module = backend.random
    names = ("normal", "uniform", "randint", "truncated_normal")
    before = {name: getattr(module, name) for name in (*names, "dropout")}
    drop = before["dropout"]
    for name in names:
        setattr(module, name, whole(before[name]))
    module.dropout = dropout
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(module, name, function)
