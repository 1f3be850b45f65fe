"""The weights of released checkpoints, in the order and layout of our networks.

PyTorch's layouts differ from those of Keras. A convolution is (filters, channels, taps), here
(taps, channels, filters); a depthwise one (channels, 1, taps), here (taps, channels, 1); a dense
layer (outputs, inputs), here (inputs, outputs).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..command import UserError

# Layer -> its weights, in the order of its `get_weights`.
Weights = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Source:
    """A network whose checkpoints were released.

    Args:
        paper: authors and year.
        protocol: how the authors make the low side, a key of `data_gen.degrade.PROTOCOLS`.
        entry: the entry of a checkpoint with the weights.
        part: the layer of the network that has all layers with weights.
        rates: the keys of the authors' config.json with the high and the low rate in Hz.
        lengths: the arguments of the network that a checkpoint does not show -> their keys in
            config.json.
        convert: returns the other arguments of the network, and its weights by layer.
    """

    paper: str
    protocol: str
    entry: str
    part: str
    rates: tuple[str, str]
    lengths: dict[str, str]
    convert: Callable[["State"], tuple[dict[str, Any], Weights]]


class State:
    """The weights of a checkpoint by name. Each must be taken once.

    Args:
        weights: name -> array.

    Raises:
        UserError: they are not weights. Messages do not name the file.
    """

    def __init__(self, weights: Any) -> None:
        if not isinstance(weights, dict) or not weights:
            raise UserError("has no weights")
        for name, weight in weights.items():
            if not isinstance(name, str) or not isinstance(weight, np.ndarray):
                raise UserError(f"its entry {str(name)[:80]!r} is not a tensor")
        self._left: dict[str, np.ndarray] = dict(weights)

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of a weight."""
        if name not in self._left:
            raise UserError(f"the weight {name} is missing")
        return self._left[name].shape

    def count(self, pattern: str) -> int:
        """Counts the weights whose whole names match a regular expression."""
        return sum(re.fullmatch(pattern, name) is not None for name in self._left)

    def take(self, name: str, *shape: int) -> np.ndarray:
        """Takes a weight of the given shape, as float32."""
        if self.shape(name) != shape:
            raise UserError(f"the weight {name} has the shape {self.shape(name)}, not {shape}")
        weight = self._left.pop(name).astype(np.float32)
        if not np.isfinite(weight).all():
            raise UserError(f"the weight {name} has NaN or infinity")
        return weight

    def convolution(self, name: str, channels: int, filters: int, taps: int) -> list[np.ndarray]:
        """Takes a one-dimensional convolution and its bias."""
        kernel = self.take(f"{name}.weight", filters, channels, taps)
        return [kernel.transpose(2, 1, 0), self.take(f"{name}.bias", filters)]

    def depthwise(self, name: str, channels: int, taps: int) -> list[np.ndarray]:
        """Takes a depthwise convolution and its bias."""
        kernel = self.take(f"{name}.weight", channels, 1, taps)
        return [kernel.transpose(2, 0, 1), self.take(f"{name}.bias", channels)]

    def dense(self, name: str, inputs: int, outputs: int) -> list[np.ndarray]:
        """Takes a dense layer and its bias."""
        kernel = self.take(f"{name}.weight", outputs, inputs)
        return [kernel.transpose(), self.take(f"{name}.bias", outputs)]

    def norm(self, name: str, channels: int) -> list[np.ndarray]:
        """Takes the scale and the offset of a normalization."""
        return [self.take(f"{name}.weight", channels), self.take(f"{name}.bias", channels)]

    def finish(self) -> None:
        """Raises a UserError if weights are left."""
        if self._left:
            raise UserError(f"has the unknown weight {next(iter(self._left))[:80]!r}")


def _apbwe(state: State) -> tuple[dict[str, Any], Weights]:
    """Converts the generator of AP-BWE (yxlu-0102/AP-BWE, models/model.py)."""
    first = state.shape("conv_pre_mag.weight")
    if len(first) != 3:
        raise UserError(f"the weight conv_pre_mag.weight has the shape {first}, not 3 axes")
    channels, bins, _ = first
    blocks = state.count(r"convnext_mag\.\d+\.gamma")
    weights: Weights = {}
    for ours, theirs in (("amplitude", "mag"), ("phase", "pha")):
        weights[f"{ours}_first"] = state.convolution(f"conv_pre_{theirs}", bins, channels, 7)
        weights[f"{ours}_first_norm"] = state.norm(f"norm_pre_{theirs}", channels)
        for k in range(blocks):
            block, name = f"convnext_{theirs}.{k}", f"{ours}_{k}"
            hidden = 3 * channels
            weights[f"{name}_depthwise"] = state.depthwise(f"{block}.dwconv", channels, 7)
            weights[f"{name}_norm"] = state.norm(f"{block}.norm", channels)
            weights[f"{name}_expand"] = state.dense(f"{block}.pwconv1", channels, hidden)
            weights[f"{name}_project"] = state.dense(f"{block}.pwconv2", hidden, channels)
            weights[f"{name}_scale"] = [state.take(f"{block}.gamma", channels)]
        weights[f"{ours}_last_norm"] = state.norm(f"norm_post_{theirs}", channels)
    for ours, theirs in (("amplitude", "mag"), ("real", "pha_r"), ("imaginary", "pha_i")):
        weights[f"{ours}_last"] = state.dense(f"linear_post_{theirs}", channels, bins)
    return {"width": channels / 512, "blocks": blocks, "fft": 2 * (bins - 1)}, weights


SOURCES = {
    "apbwe": Source(
        paper="Lu et al. 2024",
        protocol="hann_sinc",
        entry="generator",
        part="spectrum",
        rates=("hr_sampling_rate", "lr_sampling_rate"),
        lengths={"hop": "hop_size", "frame": "win_size"},
        convert=_apbwe,
    )
}
