"""The networks: one file per paper. `build` makes a network by its name.

A network is a `system.Network`: a Keras model with the attributes of `restorer.Restorer`, such as
the input that it takes and its context. All lengths count samples of the input. `step()` of a
network that can run as a stream returns a model of a single step.

To add a paper, write its file and add a row to `_NETWORKS`. Other packages add networks with entry
points, see `command.extensions`: the entry point names the class, whose attributes `paper`,
`small`, `band_hz` and `wants` are the rest of the row.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

from ..command import UserError
from ..command.errors import lookup
from ..command.extensions import Extensible

if TYPE_CHECKING:
    from .system import Network


@dataclass(frozen=True)
class _Row:
    """The definition of a network."""

    module: str
    # The class, or a function that makes an instance: its name in the module, or itself.
    builder: "str | Callable[..., Network]"
    paper: str  # authors and year, or "this project"
    small: dict[str, Any]  # arguments that make it small, for tests
    # Where the band of its input may end, as in `restorer.Restorer`.
    band_hz: tuple[float, float] | None = None
    vocoder: bool = False  # whether it wants "high", as in `restorer.Restorer`


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
    "cmgan": _Row(
        "cmgan",
        "CMGAN",
        "Cao et al. 2022",
        {"width": 0.25, "blocks": 1, "fft": 64, "hop": 32, "patch": 256},
    ),
    "streamnet": _Row("streamnet", "StreamNet", "this project", {"width": 0.25}),
    "overtonenet": _Row(
        "overtonenet", "OvertoneNet", "this project", {"width": 0.1, "blocks": 1}, (1000.0, 7500.0)
    ),
    "phonenet": _Row(
        "phonenet", "PhoneNet", "this project", {"width": 0.1, "blocks": 2}, (1000.0, 7500.0)
    ),
    "fullbandnet": _Row(
        "fullbandnet", "FullbandNet", "this project", {"width": 0.1, "blocks": 1}, (2000.0, 20000.0)
    ),
    "framenet": _Row("framenet", "FrameNet", "this project", {"width": 0.1}),
    "asr_unet": _Row("asr_unet", "ASRUNet", "Padala 2025", {"patch": 256, "width": 0.1}),
    "conformer": _Row(
        "conformer", "Conformer", "this project", {"width": 0.15, "blocks": 1, "span": 4}
    ),
    "melgan": _Row(
        "melgan",
        "MelGAN",
        "serious-engineer 2025",
        {"width": 0.05, "blocks": 1, "iterations": 2},
    ),
    "melnext": _Row(
        "melnext", "MelNeXt", "this project", {"width": 0.1, "blocks": 1, "iterations": 2}
    ),
    "nvsr": _Row(
        "nvsr",
        "NVSR",
        "Liu et al. 2022",
        {"width": 0.1, "levels": 1, "blocks": 1, "iterations": 2},
        (1000.0, 16000.0),
    ),
    "hifigan": _Row(
        "hifigan", "HiFiGAN", "Kong et al. 2020", {"variant": "V3", "width": 0.1}, vocoder=True
    ),
    "vocos": _Row("vocos", "Vocos", "Siuzdak 2023", {"width": 0.05, "blocks": 2}, vocoder=True),
    "istftnet": _Row("istftnet", "ISTFTNet", "Kaneko et al. 2022", {"width": 0.02}, vocoder=True),
    "tfgan": _Row(
        "tfgan", "TFGAN", "Tian et al. 2020", {"width": 1 / 64, "depth": 2}, vocoder=True
    ),
    "audiosr_vocoder": _Row(
        "audiosr_vocoder",
        "AudioSRVocoder",
        "Liu et al. 2023",
        {"width": 1 / 48, "kernels": 1},
        vocoder=True,
    ),
}

# Systems of several networks. The parts that are trained elsewhere are in run folders, which their
# arguments name; the common tests of networks do not cover them.
_SYSTEMS = {
    "audiosr_vae": _Row(
        "audiosr_autoencoder",
        "AudioSRVAE",
        "Liu et al. 2023",
        {"width": 1 / 32, "blocks": 1, "patch": 30720, "iterations": 1},
        vocoder=True,
    ),
    "audiosr": _Row(
        "audiosr",
        "AudioSR",
        "Liu et al. 2023",
        {
            "width": 1 / 32,
            "blocks": 1,
            "transformers": 1,
            "multipliers": "1,2",
            "patch": 30720,
            "steps": 2,
            "iterations": 1,
        },
        (2000.0, 16000.0),
    ),
}


def _adopt(name: str, builder: Any) -> _Row:
    """Makes the row of another package's network from its class or function."""
    paper, small = getattr(builder, "paper", "unpublished"), getattr(builder, "small", {})
    vocoder = getattr(builder, "wants", None) == "high"
    row = _Row("", builder, paper, small, getattr(builder, "band_hz", None), vocoder)
    if not callable(builder):
        raise UserError(f"{builder!r} is neither a class nor a function")
    return row


# Networks that can start from trained weights of others: name -> their names.
STARTS = {"fullbandnet": ("overtonenet",)}

_TABLE = Extensible("network", _NETWORKS, _adopt)

# The weights of such a network take 4 GB, and its training 16 GB.
MOST_PARAMETERS = 10**9


def names() -> list[str]:
    """Returns the names of all networks, ours first."""
    return list(_TABLE)


def own_names() -> list[str]:
    """Returns the names of our networks, without those that other packages add."""
    return list(_NETWORKS)


def systems() -> list[str]:
    """Returns the names of our systems of several networks."""
    return list(_SYSTEMS)


def vocoders() -> list[str]:
    """Returns the names of the vocoders, which make a recording anew from its mel spectrogram."""
    return [name for name in names() if _row(name).vocoder]


def wants_high(name: str) -> bool:
    """Whether a network makes recordings anew, so that its input is the reference itself."""
    return _row(name).vocoder


def build(name: str, /, **overrides: Any) -> "Network":
    """Builds a network or a system by its name, with random weights.

    Args:
        name: one of `names()` or `systems()`.
        **overrides: arguments of the network's constructor.

    Raises:
        UserError: there is no such network, it takes no such argument, it does not take the value
            of one, or it would have more than `MOST_PARAMETERS`.
    """
    if name not in _SYSTEMS:
        _check_size(name, overrides)
    return _construct(name, overrides)


def count_parameters(name: str, /, **overrides: Any) -> int:
    """Counts the parameters of a network in less than a second, without creating its weights.

    Args:
        name: one of `names()`.
        **overrides: arguments of the network's constructor.

    Raises:
        UserError: as in `build`, but any size is allowed.
    """
    # Initializers draw seeds, and these must not change the weights of other networks.
    state = random.getstate()
    try:
        # Keras keeps a list of the weights that it still has to create, one for each thread.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(_outline, name, overrides).result().count_params()
    finally:
        random.setstate(state)


def arguments(name: str) -> dict[str, Any]:
    """Returns the arguments that a network's constructor takes: name -> default."""
    return {each.name: each.default for each in signature(_builder(name)).parameters.values()}


def small(name: str) -> dict[str, Any]:
    """Returns constructor arguments that make a network small enough for tests."""
    return dict(_row(name).small)


def paper(name: str) -> str:
    """Returns the authors and the year of a network's paper, or "this project"."""
    return _row(name).paper


def band_hz(name: str) -> tuple[float, float] | None:
    """Returns where the band of a network's input may end, in Hz.

    Returns:
        the lowest and the highest frequency; None if the band ends at half the low rate.
    """
    return _row(name).band_hz


def _construct(name: str, overrides: dict[str, Any]) -> "Network":
    """Calls the constructor of a network."""
    known = arguments(name)
    for argument in overrides:
        if argument not in known:
            raise UserError(
                f"{name}: unknown argument {argument!r}; choose one of {', '.join(known)}"
            )
    try:
        return _builder(name)(**overrides)
    except ValueError as error:
        # The constructor or Keras refuses a value.
        raise UserError(f"{name}: {' '.join(str(error).split())}") from error


def _outline(name: str, overrides: dict[str, Any]) -> "Network":
    """Builds a network without weights."""
    import keras

    with keras.StatelessScope(initialize_variables=False):
        return _construct(name, overrides)


def _check_size(name: str, overrides: dict[str, Any]) -> None:
    """Raises a UserError if a network has too many parameters; no network has with its defaults."""
    defaults = arguments(name)
    larger = [
        argument
        for argument, value in overrides.items()
        if isinstance(value, int | float)
        and isinstance(defaults.get(argument), int | float)
        and value > defaults[argument]
    ]
    if larger and (count := count_parameters(name, **overrides)) > MOST_PARAMETERS:
        raise UserError(
            f"{name}: {count:,} parameters are more than {MOST_PARAMETERS:,}; choose a smaller "
            f"{' or '.join(larger)}"
        )


def _row(name: str) -> _Row:
    return _SYSTEMS.get(name) or lookup(_TABLE, name, "network")


def _builder(name: str) -> Callable[..., "Network"]:
    row = _row(name)
    if not isinstance(row.builder, str):
        return row.builder
    return getattr(import_module(f".{row.module}", __name__), row.builder)
