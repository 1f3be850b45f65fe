"""wideband-train: trains a recipe on a prepared dataset.

Killed and started again with the same flags, it continues where it stopped.

    wideband-train --recipe=demo --data=data/demo --run=runs/demo
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from ..command import UserError
from ..command.run import quiet_tensorflow, run_command

_RECIPE = flags.DEFINE_string("recipe", None, "Name of the recipe; `list` prints all.")
_DATA = flags.DEFINE_string("data", None, "Folder of a dataset made by wideband-prepare.")
_RUN = flags.DEFINE_string("run", None, "Run folder to make or to continue.")
_SET = flags.DEFINE_multi_string(
    "set", [], "Overrides a field of the recipe: --set=batch=16 --set=arguments.width=0.25."
)
_INITIAL = flags.DEFINE_string(
    "initial_weights", None, "Run folder, or weights file in one, to start from (fine-tuning)."
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    None,
    ["float32", "mixed_float16", "mixed_bfloat16"],
    "Number format; the mixed ones are faster on GPUs, TPUs and CPUs with AVX512-BF16.",
)
_XLA = flags.DEFINE_bool("xla", None, "Compiles the training step with XLA.")
_SEED = flags.DEFINE_integer(
    "seed", None, "Seed of weights, shuffling, gains and dropout.", lower_bound=0
)


def main(arguments: Sequence[str]) -> None:
    """Trains, and prints what was reached and what to do next."""
    from . import recipes
    from .recipe import parse_overrides

    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; everything is a --flag here")
    if _RECIPE.value == "list":
        for name in recipes.names():
            print(f"{name:23} {recipes.get(name).source}")
        return
    recipe_name, data, folder = _RECIPE.value, _DATA.value, _RUN.value
    if not (recipe_name and data and folder):
        raise UserError("--recipe, --data and --run are needed; --recipe=list prints the recipes")
    overrides = parse_overrides(_SET.value)
    for flag in (_PRECISION, _XLA, _SEED):
        if flag.value is not None:
            overrides[flag.name] = flag.value
    recipe = recipes.get(recipe_name, **overrides)

    quiet_tensorflow()
    from .fit import fit

    initial = Path(_INITIAL.value) if _INITIAL.value else None
    run = fit(recipe, Path(data), Path(folder), sys.argv[1:], initial)
    best = run.best
    print(
        f"{run.epoch} epochs; the best is epoch {best['epoch']}, on validation data:\n"
        f"  {recipe.model:10} SNR {best['val_snr']:6.2f} dB, LSD {best['val_lsd']:.3f}"
    )
    for name, values in run.record["baselines"].items():
        print(f"  {name:10} SNR {values['val_snr']:6.2f} dB, LSD {values['val_lsd']:.3f}")
    print(f"next: wideband-evaluate --run={folder}")


def run() -> None:
    """Starts the command."""
    run_command(main)


if __name__ == "__main__":
    run()
