"""wideband-train: trains a recipe on a prepared dataset.

A run that was stopped continues when the same command is started again.

    wideband-train --recipe=demo --data=data/demo --run=runs/demo
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from ..command.errors import UsageError
from ..command.run import Command, Flags, quiet_tensorflow
from .distribution import KINDS


def define_flags(flags: Flags) -> None:
    """Defines the flags of wideband-train."""
    flags.string("recipe", None, "Name of the recipe; `list` prints all.")
    flags.string("data", None, "Folder of a dataset made by wideband-prepare.")
    flags.string("run", None, "Run folder to create or to continue.")
    flags.strings(
        "set",
        [],
        "Overrides a field of the recipe; repeatable: --set=batch=16 --set=arguments.width=0.25 "
        "--set=optimizer.learning_rate=1e-4 --set=losses.log_spectral=0.07.",
    )
    flags.string(
        "initial_weights",
        None,
        "Run folder, weights file in one, or shipped network to start from (fine-tuning).",
    )
    flags.choice(
        "distribute",
        "none",
        KINDS,
        "Trains on all GPUs of this machine (mirrored), on TPUs (tpu), or on several machines or "
        "in several processes, with JAX (multihost).",
    )
    flags.string(
        "coordinator",
        None,
        "HOST:PORT of process 0, for multihost; by default KERAS_DISTRIBUTION_JOB_ADDRESSES.",
    )
    flags.integer(
        "processes",
        None,
        "Number of processes, for multihost; by default KERAS_DISTRIBUTION_NUM_PROCESSES.",
        lower_bound=1,
    )
    flags.integer(
        "process",
        None,
        "Number of this process, from 0, for multihost; by default KERAS_DISTRIBUTION_PROCESS_ID.",
        lower_bound=0,
    )
    flags.string(
        "data_service",
        None,
        "HOST:PORT of a dispatcher of tf.data service, whose workers make or read the patches.",
    )


def main(flags: Flags, arguments: list[str]) -> None:
    """Trains, and prints the best epoch and the next command."""
    from . import distribution, recipes
    from .overrides import parse_overrides

    if flags.recipe == "list":
        for name in recipes.names():
            print(f"{name:23} {recipes.get(name).source}")
        return
    if missing := [f"--{name}" for name in ("recipe", "data", "run") if not flags[name].value]:
        raise UsageError(
            f"{_join(missing)} {'is' if len(missing) == 1 else 'are'} missing; "
            "--recipe=list prints the recipes"
        )
    recipe = recipes.get(flags.recipe, **parse_overrides(flags.set))

    from ..data_gen import service
    from ..data_gen.dataset import Dataset
    from .experiment import Experiment
    from .latent_experiment import LatentExperiment

    if flags.data_service:
        service.check(flags.data_service)
    kind = LatentExperiment if recipe.model == "audiosr" else Experiment
    dataset = Dataset(Path(flags.data))
    devices = distribution.start(
        flags.distribute, flags.coordinator, flags.processes, flags.process
    )
    experiment = kind(recipe, dataset, flags.initial_weights, devices, flags.data_service)
    # Process 0 has the run folder.
    run = experiment.open(Path(flags.run), command.line()[1:]) if devices.process == 0 else None

    quiet_tensorflow()
    from .fit import fit, help_fit

    if run is None:
        help_fit(experiment)
        return
    fit(experiment, run)
    best = run.best
    epochs = "epoch" if run.epoch == 1 else "epochs"
    print(
        f"{run.epoch} {epochs}; the best is epoch {best['epoch']}, on validation data:\n"
        f"  {recipe.model:10} {_summary(best)}"
    )
    for name, values in run.record.baselines.items():
        print(f"  {name:10} {_summary(values)}")
    print(f"next: wideband-evaluate --run={flags.run}")


def _summary(values: Mapping[str, float]) -> str:
    """Says how good the restored recordings were, or the velocities of a network of diffusion."""
    if "val_snr" not in values:
        return f"mean square error of velocities {values['val_loss']:.4f}"
    return f"SNR {values['val_snr']:6.2f} dB, LSD {values['val_lsd']:.3f}"


def _join(names: list[str]) -> str:
    """Joins names as in "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


command = Command("wideband-train", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
