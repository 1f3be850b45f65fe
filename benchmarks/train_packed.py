"""Trains a network for any band for some minutes, on an accelerator that has only JAX.

    python benchmarks/train_packed.py --manifest=speech/manifest.csv --pack=speech.npz
    KERAS_BACKEND=jax python benchmarks/train_packed.py --recipe=speech --pack=speech.npz \
        --set=precision=mixed_bfloat16 --minutes=8 --run=runs/speech

The first command packs the training split of a corpus. The second one needs neither TensorFlow nor
the corpus; the learning rate falls with the time that is left. The run folder can be restored with,
measured, and fine-tuned by `wideband-train --initial_weights`.
"""

import importlib.metadata
import math
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wideband.command import UserError
from wideband.command.files import write_csv
from wideband.command.run import Command, Flags, machine
from wideband.models.record import HISTORY, Record, Timings

if TYPE_CHECKING:
    from wideband.train.recipe import Recipe

# The share of the time in which the learning rate rises.
WARMUP = 0.02


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("manifest", None, "The manifest.csv of a corpus, to pack.")
    flags.number("level", 0.9, "Opus compression of the packs.", lower_bound=0, upper_bound=1)
    flags.strings(
        "pack",
        None,
        "Packed file, .npz; repeatable: recordings are dealt out evenly.",
        required=True,
    )
    flags.string("recipe", "speech", "Recipe for any band.")
    flags.strings("set", [], "Overrides of the recipe, as of wideband-train.")
    flags.string("initial_weights", None, "Run folder to start from.")
    flags.number("minutes", 8.0, "When the training ends.", lower_bound=0)
    flags.string("run", None, "The run folder to write.")
    flags.integer("processes", os.cpu_count() or 1, "Processes for the data.", lower_bound=1)


def main(flags: Flags, arguments: list[str]) -> None:
    """Packs a corpus, or trains."""
    if flags.manifest:
        import packed
        from wideband.data_gen.corpora import search

        found = search("manifest", Path(flags.manifest)).recordings
        paths = [Path(each.path) for each in found if each.split == "train"]
        for number, output in enumerate(flags.pack):
            share = paths[number :: len(flags.pack)]
            packed.pack(share, Path(output), 16000, flags.level, flags.processes)
        return
    from wideband.train import overrides, recipes

    recipe = overrides.override(recipes.get(flags.recipe), overrides.parse_overrides(flags.set))
    if not recipe.any_band or not flags.run:
        raise UserError(f"recipe {recipe.name} must be for any band, and --run must be set")
    _train(recipe, flags)


def _train(recipe: "Recipe", flags: Flags) -> None:
    import keras
    import packed
    from wideband import models
    from wideband.train import steps

    keras.config.set_dtype_policy(recipe.precision)
    keras.utils.set_random_seed(recipe.seed)
    network = models.build(recipe.model, **recipe.arguments)
    if flags.initial_weights:
        network.load_weights(Path(flags.initial_weights) / "best.weights.h5")
    objectives = _objectives(recipe, network)
    compiled = [steps.compile_step(objective) for objective in objectives]
    batches = packed.batches(
        packed.unpack([Path(path) for path in flags.pack]),
        recipe.sample_rate,
        recipe.patch,
        recipe.stride,
        recipe.batch,
        recipe.augmentation,
        recipe.seed,
        flags.processes,
    )
    rows, row, started, shown = [], {}, None, 0
    for step, batch in enumerate(batches, 1):
        # Waiting for the first batch, and compiling, do not count.
        share = 0.0 if started is None else (time.monotonic() - started) / (60 * flags.minutes)
        if share >= 1:
            break
        losses = {}
        for objective, take in zip(objectives, compiled, strict=True):
            objective.optimizer.learning_rate = recipe.optimizer.learning_rate * _fall(share)
            losses |= {f"{objective.name}_{name}": value for name, value in take(batch).items()}
        started = started or time.monotonic()
        row = {"step": step, "seconds": round(time.monotonic() - started), **losses}
        if row["seconds"] - shown > 15:
            shown = row["seconds"]
            rows.append(row)
            print(row, flush=True)
            for objective in objectives:
                objective.start_epoch()
    assert started is not None
    rows.append(row)
    _save(recipe, flags, network, objectives, rows, Timings(1, time.monotonic() - started))


def _fall(share: float) -> float:
    """Returns the learning rate relative to the highest, a cosine after a linear rise."""
    rise = min(1.0, (share + 1e-3) / WARMUP)
    return rise * (1 + math.cos(math.pi * share)) / 2


def _objectives(recipe: "Recipe", network):
    from wideband.train import methods, optimizers

    objectives = methods.objectives(recipe, network)
    settings = replace(recipe.optimizer, schedule="constant")
    for objective in objectives:
        objective.compile(optimizers.build(settings, 1, 1, objective.groups))
    return objectives


def _save(recipe: "Recipe", flags: Flags, network, objectives, rows, timings: Timings) -> None:
    from wideband.train import steps

    folder = Path(flags.run)
    folder.mkdir(parents=True, exist_ok=True)
    with steps.averaged(objectives):
        network.save_weights(folder / "best.weights.h5")
    versions = {name: importlib.metadata.version(name) for name in ("keras", "jax", "numpy")}
    record = Record(recipe.to_json(), versions=versions, machine=machine(), timings=timings)
    write_csv(folder / HISTORY, rows)
    record.write(folder)


command = Command("python benchmarks/train_packed.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
