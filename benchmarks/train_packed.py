"""Trains a network for some minutes, on an accelerator that has only JAX.

    python benchmarks/train_packed.py --manifest=speech/manifest.csv --pack=speech.npz
    KERAS_BACKEND=jax python benchmarks/train_packed.py --recipe=speech --pack=speech.npz \
        --set=precision=mixed_bfloat16 --minutes=8 --run=runs/speech

The first command packs the training split of a corpus. The second one needs neither TensorFlow nor
the corpus. It keeps some versions of the corpus, which differ in their low sides, on the
accelerator, and replaces them one by one. The learning rate falls with the time that is left. The
run folder can be restored with, measured, and fine-tuned by `wideband-train --initial_weights`.
"""

import importlib.metadata
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from wideband.command import UserError
from wideband.command.files import write_csv
from wideband.command.run import Command, Flags, machine
from wideband.models.pretrained import KERAS_FILE
from wideband.models.record import HISTORY, Record, Timings

if TYPE_CHECKING:
    from wideband.train.recipe import Recipe

# The share of the time in which the learning rate rises.
WARMUP = 0.02
# Samples from one possible start of a patch to the next. The lengths of recordings are multiples of
# it, so that samples at the low rate begin there, too.
EVERY = 96
# Recordings that are sped up are still longer than a patch.
FASTEST = 1.5
# About as many patches measure the scale of AudioSR's latents.
SCALED = 16
# Seconds from one line of the history to the next.
SHOWN_SECONDS = 30


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("manifest", None, "The manifest.csv of a corpus, to pack.")
    flags.number("level", 0.88, "Opus compression of the packs.", lower_bound=0, upper_bound=1)
    flags.strings(
        "pack",
        None,
        "Packed file, .npz; repeatable: recordings are dealt out evenly.",
        required=True,
    )
    flags.string("recipe", "speech", "Recipe for any band, or of a vocoder.")
    flags.strings("set", [], "Overrides of the recipe, as of wideband-train.")
    flags.string("initial_weights", None, "Run folder to start from.")
    flags.number("minutes", 8.0, "When the training ends.", lower_bound=0)
    flags.integer("steps", 50, "Steps between two looks at the clock.", lower_bound=1)
    flags.string("run", None, "The run folder to write.")
    flags.integer("processes", os.cpu_count() or 1, "Processes for the data.", lower_bound=1)


def main(flags: Flags, arguments: list[str]) -> None:
    """Packs a corpus, or trains."""
    from wideband.train import overrides, recipes

    recipe = overrides.override(recipes.get(flags.recipe), overrides.parse_overrides(flags.set))
    recipe = replace(recipe, arguments=recipe.network_arguments())
    changes = recipe.augmentation
    if (changes.random_lowpass and not changes.random_band) or changes.silence_rms:
        raise UserError(
            f"recipe {recipe.name}: random_lowpass without random_band, and silence_rms, are not "
            "supported here"
        )
    if flags.manifest:
        _pack(recipe, flags)
    elif flags.run:
        _train(recipe, flags)
    else:
        raise UserError("set --manifest to pack a corpus, or --run to train")


def _pack(recipe: "Recipe", flags: Flags) -> None:
    import packed
    from wideband.data_gen.corpora import search

    found = search("manifest", Path(flags.manifest)).recordings
    recordings = sorted((each.speaker, Path(each.path)) for each in found if each.split == "train")
    count = len(flags.pack)
    if len(recordings) < count:
        raise UserError(f"{len(recordings)} recordings do not fill {count} packs; name fewer")
    for number, output in enumerate(flags.pack):
        share = recordings[number::count]
        packed.pack(share, Path(output), recipe.sample_rate, flags.level, flags.processes)


def _train(recipe: "Recipe", flags: Flags) -> None:
    import jax_steps
    import keras
    import packed
    from wideband import models
    from wideband.models import weights
    from wideband.models.audiosr import AudioSR
    from wideband.train import methods

    jax_steps.prepare()
    keras.config.set_dtype_policy(recipe.precision)
    keras.utils.set_random_seed(recipe.seed)
    system = models.build(recipe.model, **recipe.arguments)
    if flags.initial_weights:
        path = Path(flags.initial_weights) / KERAS_FILE
        weights.load(system.networks()["network"], path, "name the run of another network")
    every = int(recipe.ratio) if system.wants == "low" else 1
    waves = packed.unpack([Path(path) for path in flags.pack], recipe.sample_rate, flags.processes)
    waves = [
        wave[: len(wave) // EVERY * EVERY] for wave in waves if len(wave) > recipe.patch * FASTEST
    ]
    changes = recipe.augmentation
    low_side = packed.LowSide(
        recipe.sample_rate, recipe.ratio, recipe.protocol, changes, system.wants
    )
    rows, shown = [], 0.0
    with packed.Versions(
        waves, low_side, changes.speed_steps, recipe.seed, flags.processes
    ) as versions:
        first = versions.take(recipe.patch, EVERY)
        prepare = list
        if isinstance(system, AudioSR):
            recipe, prepare = _encoded(recipe, system, *first)
        objectives = methods.objectives(recipe, system)
        trainer = jax_steps.Trainer(recipe, objectives, flags.steps, every, prepare)
        trainer.add(*first)
        trainer.run(0.0)  # Compiling does not count.
        begun = time.monotonic()
        while (seconds := time.monotonic() - begun) < 60 * flags.minutes:
            if versions.ready():
                trainer.add(*versions.take(recipe.patch, EVERY))
            trainer.run(recipe.optimizer.learning_rate * _fall(seconds / 60 / flags.minutes))
            if time.monotonic() - begun > shown + SHOWN_SECONDS:
                shown = time.monotonic() - begun
                rows.append({"step": trainer.taken, "seconds": round(shown), **trainer.losses()})
                print(rows[-1], flush=True)
                _save(recipe, flags, system, trainer, rows, shown)
    rows.append({"step": trainer.taken, "seconds": round(seconds), **trainer.losses()})
    _save(recipe, flags, system, trainer, rows, seconds)


def _fall(share: float) -> float:
    """Returns the learning rate relative to the highest, a cosine after a linear rise."""
    rise = min(1.0, (share + 1e-3) / WARMUP)
    return rise * (1 + math.cos(math.pi * share)) / 2


def _encoded(
    recipe: "Recipe", system: Any, sides: np.ndarray, starts: np.ndarray
) -> "tuple[Recipe, Callable[[list], list]]":
    """Returns the recipe with the scale of the latents, and what encodes a batch.

    Args:
        recipe: of AudioSR.
        system: gets the scale.
        sides: low and high, (2, samples).
        starts: where patches may start.
    """
    from wideband.train import latents

    encoder = latents.encoder(system, recipe.patch)
    if "scale" not in recipe.arguments:
        chosen = starts[:: max(1, len(starts) // SCALED)]
        patches = np.stack([sides[:, start : start + recipe.patch] for start in chosen])
        moments = [
            encoder.predict_on_batch([*each[:, np.newaxis, :, np.newaxis]]) for each in patches
        ]
        system.scale = latents.scale(np.concatenate(moments))
    recipe = replace(recipe, arguments={**recipe.arguments, "scale": system.scale})
    return recipe, lambda batch: [encoder(batch, training=False)]


def _save(
    recipe: "Recipe", flags: Flags, system: Any, trainer: Any, rows: list[dict], seconds: float
) -> None:
    from wideband.models import weights
    from wideband.models.parts import checksums
    from wideband.train import steps

    folder = Path(flags.run)
    folder.mkdir(parents=True, exist_ok=True)
    with steps.averaged(trainer.objectives):
        weights.save(system.networks()["network"], folder / KERAS_FILE)
    versions = {name: importlib.metadata.version(name) for name in ("keras", "jax", "numpy")}
    record = Record(
        recipe.to_json(),
        parts=checksums(recipe.model, recipe.arguments),
        versions=versions,
        machine=machine(),
        timings=Timings(1, seconds),
    )
    write_csv(folder / HISTORY, rows)
    record.write(folder)


command = Command("python benchmarks/train_packed.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
