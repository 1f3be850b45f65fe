"""What a recipe is: everything that decides how a network is trained."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from .. import models
from ..command import UserError
from ..data_gen import degrade

# How the learning rate goes on from its first value.
SCHEDULES = {
    "constant": "stays",
    "cosine": "warmed up over 2 % of the steps, then down to 0 at the last",
    "polynomial": "down to 1e-6 over 500,000 steps, by the root of what is left (TFNet, Bini)",
}


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a network is trained.

    Ratio and patch go to the networks that are built for them; `arguments` may have another patch.
    """

    name: str
    source: str  # paper and section, or where the choices come from
    model: str  # one of models.names()
    arguments: dict[str, Any] = field(default_factory=dict)  # of the network's constructor
    sample_rate: int = 16000  # Hz, of the high side
    ratio: int = 4
    protocol: str = "decimate_spline"  # one of data_gen.degrade.PROTOCOLS
    patch: int = 8192  # samples at the high rate
    stride: int = 4096
    batch: int = 64  # patches
    silence_rms: float = 0.0  # frames quieter than this are dropped in training
    gain_db: float = 0.0  # random gain of each patch, at most this many dB either way
    random_lowpass: float = 0.0  # share of recordings with a low side by a filter drawn at random
    speed_perturbation: float = 0.0  # recordings are made faster by at most this share, at random
    loss: str = "patch_rmse"  # one of train.losses.LOSSES
    spectral_weight: float = 0.0  # of the log-spectral term added to the loss, none in the papers
    learning_rate: float = 3e-4  # of Adam
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0  # of kernels, times the learning rate, each step
    schedule: str = "constant"  # or one of SCHEDULES
    epochs: int = 100
    steps_per_epoch: int | None = None  # None: all patches once
    patience: int | None = None  # stop after this many epochs without better loss or SNR
    validation_seconds: float = 600.0  # taken evenly from the valid split
    initial: str | None = None  # the recipe whose run gives the first weights (--initial_weights)
    precision: str = "float32"  # or "mixed_float16" (GPU), "mixed_bfloat16" (TPU, newer CPUs)
    xla: bool = False  # slower on CPUs for one-dimensional convolutions
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks what can be checked without a network."""
        choices = {
            "model": models.names(),
            "protocol": list(degrade.PROTOCOLS),
            "schedule": list(SCHEDULES),
            "precision": ["float32", "mixed_float16", "mixed_bfloat16"],
        }
        for key, allowed in choices.items():
            if getattr(self, key) not in allowed:
                raise UserError(f"{key} {getattr(self, key)!r} is none of {', '.join(allowed)}")
        for key in ("patch", "stride", "batch", "learning_rate", "epochs", "validation_seconds"):
            if getattr(self, key) <= 0:
                raise UserError(f"{key} is {getattr(self, key)}; it must be above 0")
        for key in ("steps_per_epoch", "patience"):
            if getattr(self, key) is not None and getattr(self, key) < 1:
                raise UserError(f"{key} is {getattr(self, key)}; it must be at least 1, or none")
        if self.speed_perturbation > 0.5:
            raise UserError(f"speed_perturbation is {self.speed_perturbation}; it is at most 0.5")
        augmentations = ("gain_db", "random_lowpass", "speed_perturbation")
        for key in ("seed", "silence_rms", "spectral_weight", "weight_decay", *augmentations):
            if getattr(self, key) < 0:
                raise UserError(f"{key} is {getattr(self, key)}; it must not be below 0")


def find_field(key: str) -> dataclasses.Field:
    """Finds a field that may be overridden.

    Raises:
        UserError: there is none of this name.
    """
    fields = {each.name: each for each in dataclasses.fields(Recipe) if each.name != "name"}
    if key not in fields:
        raise UserError(f"a recipe has no {key!r} to override; it has {', '.join(fields)}")
    return fields[key]


def parse_overrides(settings: list[str]) -> dict[str, Any]:
    """Reads overrides from the command line.

    Args:
        settings: such as "batch=16", "patience=none" or "arguments.width=0.25".

    Returns:
        keyword arguments for `recipes.get`.

    Raises:
        UserError: a setting is malformed, names no field, or is not of the field's type.
    """
    overrides: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set={setting} is not of the form --set=field=value")
        if key.startswith("arguments."):
            arguments = overrides.setdefault("arguments", {})
            arguments[key.removeprefix("arguments.")] = _literal(text)
            continue
        # The types are types, not strings, since this file does not postpone annotations.
        kind: Any = find_field(key).type
        value = _literal(text)
        if kind is float and type(value) is int:
            value = float(value)
        # A bool is an int to Python, and "--set=batch=true" a mistake.
        if (
            key == "arguments"
            or not isinstance(value, kind)
            or (isinstance(value, bool) and kind is not bool)
        ):
            wanted = getattr(kind, "__name__", kind)
            raise UserError(f"--set={setting}: {key} takes {wanted}, not {text!r}")
        overrides[key] = value
    return overrides


def _literal(text: str) -> Any:
    """Reads a number, true, false or none; anything else is a string."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
