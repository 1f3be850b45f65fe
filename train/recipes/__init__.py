"""Recipes: one row for each published result (published.py) and for each result of ours (ours.py).

A row states what differs from its base.
"""

from typing import Any

from ...command.errors import lookup
from ..overrides import override
from ..recipe import Recipe
from . import ours, published

RECIPES = {row.name: row for row in (*ours.rows(), *published.rows())}


def names() -> list[str]:
    """Returns the names of all recipes."""
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
