"""The networks: one file per paper. `build` makes a network by its name.

A network is a `system.Network`: a Keras model with the attributes of `restorer.Restorer`, such as
the input that it takes and its context. All lengths count samples of the input. `step()` of a
network that can run as a stream returns a model of a single step.

To add a paper, write its file and add a row to `_NETWORKS`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
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
    small: dict[str, Any] = field(default_factory=dict)  # arguments that make it small, for tests


_NETWORKS = {
    "audiounet": _Row("audiounet", "AudioUNet", {"width": 0.05}),
    "tfilm": _Row("tfilm", "TFiLMNet", {"patch": 256, "width": 0.05}),
    "afilm": _Row("afilm", "AFiLMNet", {"patch": 256, "width": 0.05, "depth": 1}),
    "dnn": _Row("dnn", "DNN", {"patch": 256, "width": 0.2}),
    "keras_unet": _Row("keras_unet", "KerasUNet", {"width": 0.05}),
    "tfnet": _Row("tfnet", "TFNet", {"patch": 256, "width": 0.05}),
    "gionet": _Row("gionet", "GioNet", {"patch": 256, "width": 0.05}),
    "gionet2": _Row("gionet", "gionet2", {"patch": 256, "width": 0.05}),
    "streamnet": _Row("streamnet", "StreamNet", {"width": 0.25}),
    "framenet": _Row("framenet", "FrameNet", {"width": 0.1}),
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
    try:
        return _builder(name)(**overrides)
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        # Python or Keras refuses the value, such as text for a number or a dropout rate of 2.
        raise UserError(f"{name}: {' '.join(str(error).split())}") from error


def arguments(name: str) -> list[str]:
    """Returns the names of the arguments that a network's constructor takes."""
    return list(signature(_builder(name)).parameters)


def small(name: str) -> dict[str, Any]:
    """Returns constructor arguments that make a network small enough for tests."""
    return dict(lookup(_NETWORKS, name, "network").small)


def paper(name: str) -> str:
    """Returns the authors and the year of a network's paper."""
    return import_module(f".{lookup(_NETWORKS, name, 'network').module}", __name__).PAPER


def _builder(name: str) -> Callable[..., "Network"]:
    row = lookup(_NETWORKS, name, "network")
    return getattr(import_module(f".{row.module}", __name__), row.builder)
