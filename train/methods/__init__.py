"""Training methods: how objectives follow from a system."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...models.system import System
    from ..objective import Objective
    from ..recipe import Recipe


def objectives(recipe: "Recipe", system: "System") -> "list[Objective]":
    """Returns the objectives of a recipe for a system, not compiled yet.

    With critics, these are the two of `adversarial`, otherwise the one of `regression`. For
    AudioSR, it is the one of `diffusion`.
    """
    import keras

    from ...models.audiosr import AudioSR
    from . import adversarial, diffusion, regression

    if isinstance(system, AudioSR):
        diffusion.check(recipe.critics)
        return diffusion.objectives(system, recipe.losses, recipe.patch)
    low = keras.Input((recipe.patch // system.factor, 1), name="low")
    high = keras.Input((recipe.patch, 1), name="high")
    if not recipe.critics:
        return regression.objectives(system, recipe.losses, low, high, recipe.recognizer)
    return adversarial.objectives(
        system,
        recipe.losses,
        recipe.critics,
        recipe.adversarial,
        low,
        high,
        recipe.recognizer,
    )
