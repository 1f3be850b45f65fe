"""Where a training runs: on one device, on all devices of this machine, or on several machines.

Wherever it runs, a step is that of one device on the whole batch, but for the rounding: losses,
gradients and the statistics of batch normalization are means over the whole batch, gradients are
clipped after that, and the random numbers are those of the whole batch. The recipe of a run does
not say where it was trained, so that it can continue on other devices.
"""

import os
from importlib.util import find_spec

from ...command import UserError
from ...command.errors import UsageError
from ...command.run import quiet_libraries, quiet_tensorflow
from .base import ONE, Distribution

KINDS = ("none", "mirrored", "tpu", "multihost")


def start(
    kind: str,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
) -> Distribution:
    """Opens the devices, and connects the processes. To be called before any computation.

    Args:
        kind: one of `KINDS`.
        coordinator: HOST:PORT of process 0, for "multihost"; by default, this and the other two
            are the variables KERAS_DISTRIBUTION_JOB_ADDRESSES, KERAS_DISTRIBUTION_NUM_PROCESSES
            and KERAS_DISTRIBUTION_PROCESS_ID, or what JAX finds, such as in a job of Slurm.
        processes: their number.
        process: the number of this process, from 0.

    Raises:
        UsageError: an argument is for "multihost" only.
        UserError: there are no such devices, JAX is missing, or the processes do not find each
            other.
    """
    addresses = {"coordinator": coordinator, "processes": processes, "process": process}
    for name, value in addresses.items():
        if value is not None and kind != "multihost":
            raise UsageError(f"--{name} is for --distribute=multihost")
    if kind == "none":
        return ONE
    backend = os.environ.get("KERAS_BACKEND")
    if backend == "jax" and find_spec("jax") is None:
        raise UserError("JAX is not installed; pip install '.[jax]' in wideband's folder")
    with quiet_libraries():
        import keras
    backend = keras.config.backend()
    if backend == "tensorflow" and kind != "multihost":
        quiet_tensorflow()
        from .strategy import Strategy

        return Strategy(kind)
    if backend != "jax":
        raise UserError(
            f"--distribute={kind} needs JAX, and Keras uses {backend}; set the environment "
            "variable KERAS_BACKEND=jax"
        )
    with quiet_libraries():
        import tensorflow

        from .mesh import Mesh, connect

        # TensorFlow reads the data only. It would reserve the memory of GPUs.
        tensorflow.config.set_visible_devices([], "GPU")
    if kind == "multihost":
        connect(coordinator, processes, process)
    return Mesh(kind)
