"""Training on several devices with JAX, those of this machine or of several ones.

A step is compiled for all devices as one program on the whole batch, which JAX divides among them.
A batch that cannot be divided, such as the last one of an epoch, is computed as a whole on each.

Between the steps of one epoch and those of the next, variables are on one device of each process,
so that process 0 can validate and save on its own.
"""

import atexit
import os
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

from ...command import UserError
from ..objective import Objective
from ..steps import Step
from .base import Distribution

# How long the processes wait for each other. After 300 seconds, JAX would end them without a word
# about the cause.
TIMEOUT_SECONDS = 240


def connect(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Connects this process with the others; see `distribution.start`.

    A process that waits too long ends with an error line.

    Raises:
        UserError: the addresses are incomplete or wrong.
    """
    if coordinator and not re.fullmatch(r".+:\d{1,5}", coordinator):
        raise UserError(f"--coordinator={coordinator} is not HOST:PORT")
    # An error cannot leave the library while it waits.
    alarm = threading.Timer(TIMEOUT_SECONDS, _give_up)
    alarm.daemon = True
    alarm.start()
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        keras.distribution.initialize(coordinator, processes, process)
    except (ValueError, RuntimeError) as error:
        cause = str(error).splitlines()[0].rstrip(".")
        raise UserError(
            f"--distribute=multihost: {cause}; set --coordinator=HOST:PORT "
            "with a free port of the machine of process 0, and --processes, in all processes, and "
            "another --process in each, from 0"
        ) from error
    finally:
        alarm.cancel()


def _give_up() -> None:
    os.write(
        2,
        b"error: --distribute=multihost: the processes did not find each other in "
        b"%d seconds; start all of them, and check --coordinator, --processes and the firewall\n"
        % TIMEOUT_SECONDS,
    )
    os._exit(1)


class Mesh(Distribution):
    """All devices of the processes that are connected.

    Args:
        kind: "mirrored", "tpu" or "multihost".

    Raises:
        UserError: there are no such devices.
    """

    def __init__(self, kind: str) -> None:
        platform, self.devices = jax.default_backend(), jax.device_count()
        if kind == "tpu" and platform != "tpu":
            raise UserError(
                f"--distribute=tpu: JAX finds no TPU, only {platform}; train on a machine with "
                "one, or with --distribute=none"
            )
        if kind == "mirrored" and self.devices < 2:
            raise UserError(
                f"--distribute=mirrored needs several GPUs, and JAX finds one {platform}; train "
                "with --distribute=none"
            )
        self.processes, self.process = jax.process_count(), jax.process_index()
        mesh = jax.sharding.Mesh(np.array(jax.devices()), ("batch",))
        self._divided = NamedSharding(mesh, PartitionSpec("batch"))
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._ended = False
        if self.processes > 1:
            atexit.register(self._leave)

    def compile_step(self, objective: Objective) -> Step:
        """Returns a function that takes an objective's training step on a batch."""
        parts = state_parts(objective)
        run = jax.jit(objective.train_step, donate_argnums=0, out_shardings=self._everywhere)

        def step(batch: Any) -> dict[str, float]:
            state = tuple([variable.value for variable in part] for part in parts)
            with _named_errors():
                logs, state = run(state, ([self._placed(each) for each in batch],))
                logs = jax.block_until_ready(logs)
            for part, values in zip(parts, state, strict=True):
                for variable, value in zip(part, values, strict=True):
                    variable.assign(value)
            return {name: float(value) for name, value in logs.items()}

        return step

    @contextmanager
    def spread(self, objectives: Sequence[Objective]) -> Iterator[None]:
        """Puts the variables of process 0 on all devices, and back."""
        parts = [part for objective in objectives for part in state_parts(objective)]
        variables = list({id(each): each for part in parts for each in part}.values())
        with _named_errors():
            values = [np.asarray(variable.value) for variable in variables]
            values = multihost_utils.broadcast_one_to_all(values)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(self._replicated(np.asarray(value)))
        yield
        for variable in variables:
            variable.assign(np.asarray(variable.value))

    def next_epoch(self, epoch: int) -> int:
        """Returns the number of the epoch that process 0 trains next, or 0 after the last one."""
        epoch = int(self.agree(epoch))
        self._ended = not epoch
        return epoch

    def agree(self, number: float) -> float:
        """Returns the number that process 0 passes, with 32 bits."""
        if self.processes == 1:
            return number
        with _named_errors():
            return float(multihost_utils.broadcast_one_to_all(np.float32(number)))

    def _placed(self, part: np.ndarray) -> jax.Array:
        """Returns the array of all processes, of which each has a part."""
        if len(part) * self.processes % self.devices:
            return self._replicated(part)
        return jax.make_array_from_process_local_data(self._divided, part)

    def _replicated(self, value: np.ndarray) -> jax.Array:
        """Returns an array that is whole on each device."""
        return jax.make_array_from_callback(value.shape, self._everywhere, lambda at: value[at])

    def _leave(self) -> None:
        """Ends a process that failed at once; JAX would wait for the others for minutes."""
        if not self._ended:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)


def state_parts(objective: Objective) -> tuple[list[keras.Variable], ...]:
    """Returns the variables of the parts of the state of Keras's step."""
    return (
        objective.trainable_variables,
        objective.non_trainable_variables,
        objective.optimizer.variables,
        objective.metrics_variables,
    )


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turns errors of JAX's runtime into those of a user."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        # Some are ValueErrors that begin with a code, such as "UNKNOWN: Gloo all-reduce failed".
        status = re.match("[A-Z_]+(?=: )", str(error))
        if status and status[0] == "RESOURCE_EXHAUSTED":
            raise MemoryError from error
        if not status or jax.process_count() == 1:
            raise
        raise UserError(
            "another process of this training has ended, or cannot be reached; see what it "
            "printed, then start all processes again, and the run continues after its last epoch"
        ) from error
