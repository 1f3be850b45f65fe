"""Overrides of a recipe: `--set=optimizer.learning_rate=1e-4`, or `override` in Python."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from ..audio import Ratio, quotient
from ..command import UserError
from .recipe import Recipe

# How entries of the fields that are dicts are set.
_DICTS = {
    "arguments": "arguments.NAME=VALUE",
    "losses": "losses.NAME=WEIGHT",
    "critics": "critics.NAME=WEIGHT",
}


def override(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Changes fields of a recipe.

    Args:
        recipe: the base.
        changes: field -> value. A dict, such as `{"optimizer": {"learning_rate": 1e-4}}`, changes
            the entries that it names and keeps the others. A loss or critic with weight 0 is
            removed.

    Raises:
        UserError: there is no such field, or the value is out of range.
    """
    values = {}
    for key, value in changes.items():
        field_type(key)
        current: Any = getattr(recipe, key)
        if isinstance(value, Mapping):
            for name in value:
                field_type(f"{key}.{name}")
            if isinstance(current, dict):
                value = {**current, **value}
            else:
                value = dataclasses.replace(current, **value)
        if key in ("losses", "critics"):
            value = {name: weight for name, weight in value.items() if weight}
        values[key] = value
    return dataclasses.replace(recipe, **values)


def field_type(key: str) -> Any:
    """Returns the type of a field: `field_type("optimizer.learning_rate")` is float.

    Raises:
        UserError: a recipe has no such field, or the field cannot be overridden.
    """
    name, _, entry = key.partition(".")
    kind = _type_in(Recipe, name, key)
    if not entry:
        return kind
    if dataclasses.is_dataclass(kind):
        return _type_in(kind, entry, key)
    if name in _DICTS:
        return typing.get_args(kind)[1]
    raise UserError(f"the recipe's {name!r} has no field {entry!r}")


def parse_overrides(settings: Sequence[str]) -> dict[str, Any]:
    """Reads overrides from the command line.

    Args:
        settings: such as "batch=16", "patience=none" or "losses.log_spectral=0.07".

    Returns:
        the changes, nested, for `override`.

    Raises:
        UserError: a setting is malformed, names no field, or is not of the field's type.
    """
    changes: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set={setting}: not of the form --set=FIELD=VALUE")
        kind = field_type(key)
        if key in _DICTS:
            raise UserError(f"--set={setting}: write --set={_DICTS[key]}")
        if dataclasses.is_dataclass(kind):
            raise UserError(f"--set={setting}: write --set={key}.FIELD=VALUE")
        value = _parse(setting, key, text, kind)
        name, _, entry = key.partition(".")
        if entry:
            changes.setdefault(name, {})[entry] = value
        else:
            changes[name] = value
    return changes


def _type_in(settings: Any, name: str, key: str) -> Any:
    """Returns the type of the field `name` of a dataclass; `key` is the field as the user names it.

    The field `name` itself cannot be overridden.
    """
    hints = typing.get_type_hints(settings)
    hints.pop("name", None)
    if name not in hints:
        raise UserError(f"unknown field {key!r} of a recipe; choose one of {', '.join(hints)}")
    return hints[name]


def _parse(setting: str, key: str, text: str, kind: Any) -> Any:
    """Reads the value of a setting, KEY=TEXT, and checks its type."""
    if kind == Ratio:
        return quotient(text)
    value = _literal(text)
    if kind is Any:
        return value
    if type(value) is int and float in (kind, *typing.get_args(kind)):
        value = float(value)
    # In Python a bool is an int, but --set=batch=true is a mistake.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        expected = getattr(kind, "__name__", kind)
        raise UserError(f"--set={setting}: {key} takes {expected}, not {text!r}")
    return value


def _literal(text: str) -> Any:
    """Reads a number, true, false or none; any other text is a string."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
