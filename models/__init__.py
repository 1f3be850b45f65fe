"""The networks: a paper is one file, and every network is built by its name.

A network is a `layers.Network`, a keras.Model that states, as plain attributes, what it `wants`
("interpolated": the wave at the high rate, or "low": at the low rate), the `multiple` that its
input lengths must divide by, and its `context`: how many samples on either side an output sample
can see, or None where it sees all of its `patch`. Both count samples of the input; the output of a
network that wants "low" has `ratio` times as many, its `factor`. A network that can stream has a
`step`, which builds it for the next samples of a wave, with its states as inputs and outputs, and a
`delay`: by how many output samples these come late.

To add a paper, write its file and add a row to `_NETWORKS`.
"""

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

# name: (module, class or function that builds one)
_NETWORKS = {
    "audiounet": ("audiounet", "AudioUNet"),
    "tfilm": ("tfilm", "TFiLMNet"),
    "afilm": ("afilm", "AFiLMNet"),
    "dnn": ("dnn", "DNN"),
    "keras_unet": ("keras_unet", "KerasUNet"),
    "tfnet": ("tfnet", "TFNet"),
    "gionet": ("gionet", "GioNet"),
    "gionet2": ("gionet", "gionet2"),
    "streamnet": ("streamnet", "StreamNet"),
    "framenet": ("framenet", "FrameNet"),
}


def names() -> list[str]:
    """Lists the networks that `build` knows."""
    return list(_NETWORKS)


def build(name: str, **overrides) -> "keras.Model":
    """Builds a network by its name, with random weights.

    Args:
        name: one of `names()`.
        **overrides: arguments of the network's constructor.

    Raises:
        ValueError: there is no such network, or it takes no such argument.
    """
    network = _network(name)
    try:
        return network(**overrides)
    except TypeError as error:
        raise ValueError(f"{name}: {error}") from error


def arguments(name: str) -> list[str]:
    """Lists the arguments of a network's constructor."""
    return list(signature(_network(name)).parameters)


def paper(name: str) -> str:
    """Names the paper of a network: authors and year."""
    return import_module(f".{_NETWORKS[name][0]}", __name__).PAPER


def _network(name: str) -> Callable[..., "keras.Model"]:
    if name not in _NETWORKS:
        raise ValueError(f"no network is named {name!r}; there are {', '.join(names())}")
    module, network = _NETWORKS[name]
    return getattr(import_module(f".{module}", __name__), network)
