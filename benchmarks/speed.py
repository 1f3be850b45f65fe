"""Command: how fast a run's network trains and restores on this machine.

python -m wideband.evaluate.speed --run=runs/demo

Writes RUN/speed.json. Run it while nothing else does: timings are of the whole machine.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import flags
from wideband.command import UserError
from wideband.command.files import replacing
from wideband.command.run import machine, quiet_tensorflow, run_command

if TYPE_CHECKING:
    import keras
    from wideband.upsample import Upsampler

REPEATS = 5

_RUN = flags.DEFINE_multi_string("run", None, "Run folder; repeatable.", required=True)
_SECONDS = flags.DEFINE_float(
    "seconds", 10.0, "Length of the noise that is upsampled, in seconds.", lower_bound=0.1
)


def real_time_factor(upsampler: "Upsampler", seconds: float) -> float:
    """Measures the seconds that one second of audio takes, all in: below 1 is faster than real.

    Args:
        upsampler: what is measured, from the low-rate wave to the high-rate one.
        seconds: of noise, upsampled in one go.

    Returns:
        the median of several runs, after one that is not counted.
    """
    wave = np.random.default_rng(0).normal(0, 0.1, round(seconds * upsampler.low_rate))
    wave = wave.astype(np.float32)
    return _median(lambda: upsampler.upsample(wave, upsampler.low_rate)) / seconds


def seconds_per_step(network: "keras.Model", batch: int, patch: int) -> float:
    """Measures a step of training by Adam and a mean square error.

    Args:
        network: is trained on noise, and useless afterwards.
        batch: patches of a step.
        patch: samples at the high rate.

    Returns:
        the median of several steps, after one that is not counted.
    """
    network.compile("adam", "mse", jit_compile=False)
    high = np.random.default_rng(0).normal(0, 0.1, (batch, patch, 1)).astype(np.float32)
    low = high[:, :: network.factor]
    return _median(lambda: network.train_on_batch(low, high))


def _median(action: Callable[[], object]) -> float:
    taken = []
    for _ in range(1 + REPEATS):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def measure(run: Path, seconds: float) -> dict[str, str | float]:
    """Measures a run's network: restoring in float32, training in the run's precision.

    Raises:
        UserError: it is no run folder, or the run has no weights yet.
    """
    import keras
    from wideband import models
    from wideband.upsample import Upsampler

    keras.mixed_precision.set_dtype_policy("float32")
    upsampler = Upsampler.from_run(run)
    assert upsampler.network is not None
    recipe = json.loads((run / "run.json").read_text())["recipe"]
    factor = real_time_factor(upsampler, seconds)
    keras.mixed_precision.set_dtype_policy(recipe["precision"])
    network = models.build(recipe["model"], **recipe["arguments"])
    return {
        "parameters": upsampler.network.count_params(),
        "real_time_factor": factor,
        "seconds_per_step": seconds_per_step(network, recipe["batch"], recipe["patch"]),
        "batch": recipe["batch"],
        "patch": recipe["patch"],
        "precision": recipe["precision"],
        "seconds": seconds,
        "machine": machine(),
    }


def main(arguments: Sequence[str]) -> None:
    """Measures each run and writes what came out into its folder."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; did you mean --run={arguments[0]}?")
    quiet_tensorflow()
    for folder in map(Path, _RUN.value):
        speed = measure(folder, _SECONDS.value)
        with replacing(folder / "speed.json") as temporary:
            temporary.write_text(json.dumps(speed, indent=2) + "\n")
        print(
            f"{folder.name:18} {speed['parameters']:>11,} parameters, "
            f"{speed['seconds_per_step']:.3f} s a step, "
            f"real-time factor {speed['real_time_factor']:.3f}"
        )


if __name__ == "__main__":
    run_command(main)
