"""Measures training steps: our compiled step and that of plain Keras, on the same network.

python benchmarks/training.py --page=docs/performance.md

A step takes a batch of noise. The plain step is `compile` with the losses and the optimizer of the
recipe, and `train_on_batch`, where Keras chooses by itself whether to compile with XLA, and
convolves long kernels, too (see models/long_conv.py). Recipes with critics take several steps in
one, which Keras does not have, and are measured alone.
"""

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import reporting
from timing import number, ratios, seconds, spread, take_turns
from wideband.command import UserError
from wideband.command.run import Command, Flags, quiet_tensorflow

if TYPE_CHECKING:
    from wideband.train.objective import Objective
    from wideband.train.recipe import Recipe

RECIPES = ["compare_audiounet", "compare_tfilm", "compare_gionet", "compare_apbwe", "speech"]
RECIPES += ["fullband", "melgan_laptop_cnn", "fullband_gan"]
# The type in which a policy multiplies matrices.
PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16"}
# The outputs, and the gradients of the inputs and of the kernels, take as many operations each.
PASSES = 3
TABLE = "training"


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    reporting.define_flags(flags)
    flags.strings("recipe", RECIPES, "Recipe; repeatable.")
    flags.strings("set", ["batch=4"], "Overrides of all recipes, as of wideband-train.")
    flags.number(
        "minutes", 5.0, "Nothing new is measured after this time, in minutes.", lower_bound=0
    )


def measure(
    recipe: "Recipe", repeats: int, peak: float, describe: Callable[[str], Any]
) -> dict[str, Any]:
    """Measures the steps of a recipe.

    Args:
        recipe: with its precision.
        repeats: of each step, after a first one, which includes the compilation.
        peak: operations per second of the machine in this precision.
        describe: called with what is measured next.
    """
    import keras
    import numpy as np
    import operations
    import profiling
    from wideband import models
    from wideband.models.long_conv import plain_convolutions
    from wideband.train import methods
    from wideband.train.fit import dtype_policy
    from wideband.train.steps import compile_step

    keras.utils.clear_session()
    keras.utils.set_random_seed(recipe.seed)
    with dtype_policy(recipe.precision):
        network = models.build(recipe.model, **recipe.network_arguments())
        objectives = methods.objectives(recipe, network)
        for objective in objectives:
            objective.compile(_adam(recipe, objective), jit_compile=recipe.xla)
        steps = [compile_step(objective) for objective in objectives]
        rng = np.random.default_rng(recipe.seed)
        high = rng.normal(0, 0.1, (recipe.batch, recipe.patch, 1)).astype(np.float32)
        batch = [high[:, :: network.factor], high]
        compared = {"own": lambda: [step(batch) for step in steps]}
        result: dict[str, Any] = {"name": recipe.name, "precision": recipe.precision}
        result |= {"batch": recipe.batch, "patch": recipe.patch, "model": recipe.model}
        # A step against critics runs some networks forwards only.
        if not recipe.critics:
            compared["plain"], result["xla"] = _plain(recipe, objectives[0], batch)
            result["operations"] = PASSES * operations.count(
                lambda: network.generate(*map(keras.ops.convert_to_tensor, batch))
            )
        result["first_seconds"] = {}
        for name, step in compared.items():
            describe(f"{recipe.name}, {recipe.precision}: first step, {name}")
            with plain_convolutions() if name == "plain" else nullcontext():
                result["first_seconds"][name] = seconds(step)
        describe(f"{recipe.name}, {recipe.precision}: steps")
        turns = {name: lambda step=step: seconds(step) for name, step in compared.items()}
        result["seconds"] = take_turns(turns, repeats)
        result["shares"] = profiling.shares(compared["own"])
    if "operations" in result:
        operations_per_second = [result["operations"] / each for each in result["seconds"]["own"]]
        result["shares_of_peak"] = [each / peak for each in operations_per_second]
    return result


def _adam(recipe: "Recipe", objective: "Objective") -> Any:
    from wideband.train import optimizers

    return optimizers.build(recipe.optimizer, 1, 1, objective.groups)


def _plain(
    recipe: "Recipe", objective: "Objective", batch: Sequence[Any]
) -> tuple[Callable[[], object], bool]:
    """Returns the step of plain Keras, and whether it is compiled with XLA.

    The graph of an objective computes its losses, so those of Keras pass them on.
    """
    import keras
    import numpy as np

    model = keras.Model(objective.inputs, objective.output)
    losses = {name: lambda _, loss: loss for name in objective.weights_of_losses}
    weights = objective.weights_of_losses
    model.compile(_adam(recipe, objective), losses, loss_weights=weights)
    targets = {name: np.zeros(len(batch[0]), np.float32) for name in losses}
    return lambda: model.train_on_batch(batch, targets), bool(model.jit_compile)


def lay_out(
    results: Sequence[dict[str, Any]], left_out: Sequence["Recipe"] = ()
) -> reporting.Table:
    """Returns the table: a row for each recipe and precision, also for those left out."""
    header = ["recipe", "precision", "seconds per step", "share of the peak, %", "LSTMs, %"]
    header += ["Fourier transforms, %", "times faster than plain Keras", "first step, s"]
    header += ["that of plain Keras, s"]
    rows = []
    for each in results:
        own, plain = each["seconds"]["own"], each["seconds"].get("plain")
        first = each["first_seconds"]
        rows.append(
            [
                f"{each['name']}, {each['batch']} patches of {each['patch']}",
                each["precision"],
                spread(own),
                spread([100 * share for share in each["shares_of_peak"]]) if plain else "",
                *(number(100 * each["shares"][kind]) for kind in ("lstm", "fourier")),
                spread(ratios(plain, own)) if plain else "",
                number(first["own"]),
                number(first["plain"]) if plain else "",
            ]
        )
    for recipe in left_out:
        rows.append([recipe.name, recipe.precision, "not measured", *[""] * (len(header) - 3)])
    return header, rows


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures all recipes in both precisions, as far as the time allows."""
    from tqdm import tqdm
    from wideband.train import recipes
    from wideband.train.overrides import override, parse_overrides

    reporting.check(flags, [TABLE])
    overrides = parse_overrides(flags.set)
    rows = [
        override(recipes.get(name), {**overrides, "precision": precision})
        for precision in PRECISIONS
        for name in flags.recipe
    ]
    quiet_tensorflow()
    import operations

    begun = time.monotonic()
    peaks = {policy: operations.peak(kind, flags.repeats) for policy, kind in PRECISIONS.items()}
    results = []
    with tqdm(rows, unit="recipe", disable=None) as bar:
        for recipe in bar:
            if time.monotonic() - begun > 60 * flags.minutes:
                break
            describe = bar.set_description
            results.append(measure(recipe, flags.repeats, peaks[recipe.precision], describe))
    if not results:
        raise UserError(f"--minutes={flags.minutes:g}: nothing was measured; allow more time")
    left_out = rows[len(results) :]
    if left_out:
        print(f"{len(left_out)} of {len(rows)} are not measured; allow more --minutes")
    numbers = {"peaks": peaks, "recipes": results}
    reporting.publish(flags, "training", numbers, {TABLE: lay_out(results, left_out)})


command = Command("python benchmarks/training.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
