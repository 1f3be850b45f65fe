"""What networks accept: types and ranges of arguments, and the shape of the input."""

from collections.abc import Callable
from fractions import Fraction
from inspect import signature
from typing import Any

from ..command import UserError

# A minute at 16 kHz.
LONGEST_PATCH = 2**20
DEEPEST = 32

# The types of arguments -> the types of their values, and what to call them. Overrides of a recipe
# are parsed as numbers where possible.
_TYPES = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str, int, float), "a string"),
}
_FRACTION = (lambda value: 0 <= value < 1, "at least 0 and below 1")
# Arguments that mean the same in all networks -> whether a value is allowed, and what is.
_ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "patch": (lambda value: 1 <= value <= LONGEST_PATCH, f"from 1 to {LONGEST_PATCH}"),
    "width": (lambda value: 0 < value <= 16, "above 0 and at most 16"),
    "dropout": _FRACTION,
    "attention_dropout": _FRACTION,
    "name": (
        lambda value: isinstance(value, str) and value.isprintable() and "/" not in value,
        "printable text without slashes",
    ),
}


def check_arguments(
    constructor: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Checks the arguments of a network's constructor before it builds a layer.

    Args:
        constructor: `__init__` of the network.
        args: its arguments by position, without `self`.
        kwargs: its arguments by name.

    Raises:
        UserError: a value does not have the type of its argument, or is out of range.
    """
    kinds = {each.name: each.annotation for each in signature(constructor).parameters.values()}
    given = {**dict(zip([*kinds][1:], args, strict=False)), **kwargs}
    for argument, value in given.items():
        _check_type(argument, value, kinds.get(argument))
        allowed, description = _ALLOWED.get(argument, (lambda value: True, ""))
        # NaN is out of every range, since all comparisons with it are false.
        if not allowed(value):
            raise UserError(f"{argument} {value!r:.60} must be {description}")


def check_range(argument: str, value: int | float, lowest: int, highest: int) -> None:
    """Raises a UserError if an argument is out of range."""
    if not lowest <= value <= highest:
        raise UserError(f"{argument} {value!r:.60} must be from {lowest} to {highest}")


def check_wave(name: str, shape: tuple[int | None, ...], multiple: int) -> None:
    """Checks the shape of a network's input.

    Args:
        name: the network.
        shape: of the input; None where it is unknown.
        multiple: the divisor of the lengths that the network takes.

    Raises:
        UserError: the shape is not (batch, n, 1), or n is not a multiple.
    """
    wrong = len(shape) != 3 or 0 in shape or shape[2] != 1
    if wrong or (shape[1] is not None and shape[1] % multiple):
        raise UserError(
            f"{name}: input of shape {tuple(shape)} must be (batch, n, 1), with n a multiple of "
            f"{multiple}"
        )


def _check_type(argument: str, value: Any, kind: Any) -> None:
    """Raises a UserError if a value does not have the type of its argument."""
    if kind not in _TYPES:
        return
    accepted, description = _TYPES[kind]
    # In Python a bool is an int.
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        shown = value if isinstance(value, Fraction) else repr(value)
        raise UserError(f"{argument} {shown} must be {description}")
