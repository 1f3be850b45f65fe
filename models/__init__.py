"""The networks: one file per paper. `build` makes a network by its name.

A network is a `system.Network`: a Keras model with the attributes of `restorer.Restorer`, such as
the input that it takes and its context. All lengths count samples of the input. `step()` of a
network that can run as a stream returns a model of a single step.

To add a paper, write its file and add a row to `_NETWORKS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

from ..command import UserError
from ..command.errors import lookup

if TYPE_CHECKING:
    from .system import Network


@dataclass(frozen=True)
class _Row:
    """The definition of a network."""

    module: str
    builder: str  # the class, or a function that makes an instance
    paper: str  # authors and year, or "this project"
    small: dict[str, Any]  # arguments that make it small, for tests


_NETWORKS = {
    "audiounet": _Row("audiounet", "AudioUNet", "Kuleshov et al. 2017", {"width": 0.05}),
    "tfilm": _Row("tfilm", "TFiLMNet", "Birnbaum et al. 2019", {"patch": 256, "width": 0.05}),
    "afilm": _Row(
        "afilm", "AFiLMNet", "Rakotonirina 2021", {"patch": 256, "width": 0.05, "depth": 1}
    ),
    "dnn": _Row("dnn", "DNN", "Kuleshov, code of 2017", {"patch": 256, "width": 0.2}),
    "keras_unet": _Row("keras_unet", "KerasUNet", "Sut 2022", {"width": 0.05}),
    "tfnet": _Row("tfnet", "TFNet", "Lim et al. 2018", {"patch": 256, "width": 0.05}),
    "gionet": _Row("gionet", "GioNet", "Bini 2021", {"patch": 256, "width": 0.05}),
    "gionet2": _Row("gionet", "gionet2", "Bini 2021", {"patch": 256, "width": 0.05}),
    "apbwe": _Row(
        "apbwe",
        "APBWE",
        "Lu et al. 2024",
        {"width": 0.03, "blocks": 2, "fft": 256, "hop": 64, "frame": 256},
    ),
    "streamnet": _Row("streamnet", "StreamNet", "this project", {"width": 0.25}),
    "duonet": _Row("duonet", "DuoNet", "this project", {"width": 0.1, "blocks": 1}),
    "framenet": _Row("framenet", "FrameNet", "this project", {"width": 0.1}),
}


# The types of arguments -> the types of their values, and what to call them. Overrides of a recipe
# are parsed as numbers where possible.
_TYPES = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str, int, float), "a string"),
}


def names() -> list[str]:
    """Returns the names of all networks."""
    return list(_NETWORKS)


def build(name: str, /, **overrides: Any) -> "Network":
    """Builds a network by its name, with random weights.

    Args:
        name: one of `names()`.
        **overrides: arguments of the network's constructor.

    Raises:
        UserError: there is no such network, it takes no such argument, or it does not take the
            value of one.
    """
    known = arguments(name)
    for argument in overrides:
        if argument not in known:
            raise UserError(
                f"{name}: unknown argument {argument!r}; choose one of {', '.join(known)}"
            )
    _check_types(name, overrides)
    try:
        return _builder(name)(**overrides)
    except (TypeError, ValueError) as error:
        # The constructor or Keras refuses the value, such as a dropout rate of 2.
        raise UserError(f"{name}: {' '.join(str(error).split())}") from error


def arguments(name: str) -> dict[str, Any]:
    """Returns the arguments that a network's constructor takes: name -> default."""
    return {each.name: each.default for each in signature(_builder(name)).parameters.values()}


def small(name: str) -> dict[str, Any]:
    """Returns constructor arguments that make a network small enough for tests."""
    return dict(lookup(_NETWORKS, name, "network").small)


def paper(name: str) -> str:
    """Returns the authors and the year of a network's paper, or "this project"."""
    return lookup(_NETWORKS, name, "network").paper


def _check_types(name: str, values: dict[str, Any]) -> None:
    """Raises a UserError if a value does not have the type of its argument."""
    parameters = signature(_builder(name)).parameters
    for argument, value in values.items():
        kind = parameters[argument].annotation
        if kind not in _TYPES:
            continue
        accepted, description = _TYPES[kind]
        # In Python a bool is an int.
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            shown = value if isinstance(value, Fraction) else repr(value)
            raise UserError(f"{name}: {argument} {shown} must be {description}")


def _builder(name: str) -> Callable[..., "Network"]:
    row = lookup(_NETWORKS, name, "network")
    return getattr(import_module(f".{row.module}", __name__), row.builder)
