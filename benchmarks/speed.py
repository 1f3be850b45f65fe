"""Measures how fast the network of a run trains and restores on this machine.

python benchmarks/speed.py --run=runs/demo

Writes RUN/speed.json. Run it while the machine is idle: other processes slow it down.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noise import noise_for
from timing import median_seconds
from wideband.command import UserError
from wideband.command.files import write_json
from wideband.command.run import Command, Flags, machine, quiet_tensorflow

if TYPE_CHECKING:
    import keras
    from wideband.upsample import Upsampler


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.strings("run", None, "Run folder, or a weights file in one; repeatable.", required=True)
    flags.number(
        "seconds", 10.0, "Duration of the noise that is restored, in seconds.", lower_bound=0.1
    )


def real_time_factor(upsampler: "Upsampler", seconds: float) -> float:
    """Measures the time to restore one second of audio, in seconds; below 1 is real time.

    Args:
        upsampler: the model.
        seconds: duration of the noise that is restored at once.

    Returns:
        the median of several runs, after a warm-up.
    """
    wave = noise_for(upsampler, seconds)
    return median_seconds(lambda: upsampler.upsample(wave, upsampler.low_rate, False)) / seconds


def seconds_per_step(network: "keras.Model", factor: int, batch: int, patch: int) -> float:
    """Measures a training step with Adam and the mean square error.

    Args:
        network: the network; the step changes its weights.
        factor: output samples per input sample.
        batch: patches per step.
        patch: samples at the high rate.

    Returns:
        the median of several steps, after a warm-up.
    """
    import numpy as np

    network.compile("adam", "mse", jit_compile=False)
    high = np.random.default_rng(0).normal(0, 0.1, (batch, patch, 1)).astype(np.float32)
    low = high[:, ::factor]
    return median_seconds(lambda: network.train_on_batch(low, high))


def measure(run: str, folder: Path, seconds: float) -> dict[str, Any]:
    """Measures the network of a run: restoring in float32, training in the run's precision.

    Args:
        run: a run folder or a weights file in one.
        folder: the run folder.
        seconds: duration of the noise that is restored.
    """
    from wideband import models
    from wideband.models.record import Record
    from wideband.train.fit import dtype_policy
    from wideband.upsample import load

    record = Record.read(folder)
    recipe = record.recipe
    with dtype_policy("float32"):
        factor = real_time_factor(load(run), seconds)
    with dtype_policy(recipe["precision"]):
        network = models.build(record.model, **record.arguments)
        step = seconds_per_step(network, network.factor, recipe["batch"], recipe["patch"])
    return {
        "parameters": network.count_params(),
        "real_time_factor": factor,
        "seconds_per_step": step,
        "batch": recipe["batch"],
        "patch": recipe["patch"],
        "precision": recipe["precision"],
        "seconds": seconds,
        "machine": machine(),
    }


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures each run and writes the timings into its folder."""
    from wideband.models import pretrained
    from wideband.upsample import find_run

    folders = {run: find_run(run)[0] for run in flags.run}
    for run, folder in folders.items():
        if pretrained.WEIGHTS in folder.resolve().parents:
            raise UserError(f"{run}: a shipped network; name a run folder, which gets speed.json")
    quiet_tensorflow()
    for run, folder in folders.items():
        speed = measure(run, folder, flags.seconds)
        write_json(folder / "speed.json", speed)
        print(
            f"{folder.name:18} {speed['parameters']:>11,} parameters, "
            f"{speed['seconds_per_step']:.3f} s per step, "
            f"real-time factor {speed['real_time_factor']:.3f}"
        )


command = Command("python benchmarks/speed.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
