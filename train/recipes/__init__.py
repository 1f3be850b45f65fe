"""Recipes: one row for each published result (published.py) and for each result of ours (ours.py).

Those of mel spectrograms are in mel.py, those of AudioSR in audiosr.py. A row states what differs
from its base. Other packages add recipes with entry points, see `command.extensions`.
"""

from typing import Any

from ...command.errors import UserError, lookup
from ...command.extensions import Extensible
from ..overrides import override
from ..recipe import Recipe
from . import audiosr, mel, ours, published


def _adopt(name: str, recipe: Any) -> Recipe:
    """Checks the recipe of another package."""
    if not isinstance(recipe, Recipe):
        raise UserError(f"{recipe!r} is not a wideband.train.recipe.Recipe")
    if recipe.name != name:
        raise UserError(f"the recipe's name is {recipe.name!r}; give it that of its entry point")
    return recipe


_OWN = {row.name: row for row in (*ours.rows(), *published.rows(), *mel.rows(), *audiosr.rows())}
RECIPES = Extensible("recipe", _OWN, _adopt)


def names() -> list[str]:
    """Returns the names of all recipes, ours first."""
    return list(RECIPES)


def get(name: str, /, **changes: Any) -> Recipe:
    """Returns a recipe by its name.

    Args:
        name: one of `names()`.
        **changes: fields of `Recipe` to override. A dict for `arguments`, `losses`, `optimizer` or
            `augmentation` changes the entries that it names and keeps the others; a loss of weight
            0 is removed.

    Raises:
        UserError: there is no such recipe or no such field, or a value is out of range.

    Example:
        >>> get("demo", batch=4, optimizer={"learning_rate": 1e-4}, losses={"log_spectral": 0})
    """
    return override(lookup(RECIPES, name, "recipe"), changes)
