"""The weights of an open checkpoint, which are taken one by one in the layout of Keras.

PyTorch's layouts differ from those of Keras. A convolution is (filters, channels, taps), here
(taps, channels, filters); a transposed one (channels, filters, taps), here (taps, filters,
channels); a depthwise one (channels, 1, taps), here (taps, channels, 1); a dense layer (outputs,
inputs), here (inputs, outputs). A two-dimensional convolution is (filters, channels, height,
width), here (height, width, channels, filters).

Weight normalization splits a kernel into directions and norms, for each entry of the first axis.
They are multiplied here, since a trained network does not need them apart.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..command import UserError
from .torch_checkpoint import Tensor

# The names of a kernel's norms and directions: torch.nn.utils.weight_norm, then its successor in
# torch.nn.utils.parametrizations.
WEIGHT_NORMS = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)

# Layer -> its weights, in the order of its `get_weights`.
Weights = dict[str, list[np.ndarray]]
# The same, one by one.
Layers = Iterator[tuple[str, list[np.ndarray]]]


class State:
    """The weights of an open checkpoint by name. Each must be taken once.

    Args:
        weights: name -> tensor.
        read: whether to read what is taken. Otherwise it is zeros, and only names and shapes are
            checked.

    Raises:
        UserError: they are not weights. Messages do not name the file.
    """

    def __init__(self, weights: Any, read: bool = True) -> None:
        if not isinstance(weights, dict) or not weights:
            raise UserError("has no weights")
        for name, weight in weights.items():
            if not isinstance(name, str) or not isinstance(weight, Tensor):
                raise UserError(f"its entry {str(name)[:80]!r} is not a tensor")
        self._left: dict[str, Tensor] = dict(weights)
        self._read = read

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
        tensor = self._left.pop(name)
        if not self._read:
            return np.zeros(shape, np.float32)
        weight = tensor.read().astype(np.float32)
        if not np.isfinite(weight).all():
            raise UserError(f"the weight {name} has NaN or infinity")
        return weight

    def drop(self, pattern: str) -> None:
        """Drops what is no weight, by a regular expression for whole names."""
        for name in [name for name in self._left if re.fullmatch(pattern, name)]:
            del self._left[name]

    def kernel_shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of the kernel of a layer, with or without weight normalization."""
        for _, directions in WEIGHT_NORMS:
            if f"{name}.{directions}" in self._left:
                return self.shape(f"{name}.{directions}")
        return self.shape(f"{name}.weight")

    def kernel(self, name: str, *shape: int) -> np.ndarray:
        """Takes the kernel of a layer, with or without weight normalization."""
        for norms, directions in WEIGHT_NORMS:
            if f"{name}.{directions}" in self._left:
                gain = self.take(f"{name}.{norms}", shape[0], *[1] * (len(shape) - 1))
                kernel = self.take(f"{name}.{directions}", *shape).astype(np.float64)
                axes = tuple(range(1, len(shape)))
                norm = np.sqrt((kernel**2).sum(axis=axes, keepdims=True))
                if self._read and not norm.all():
                    raise UserError(f"the weight {name}.{directions} has a norm of 0")
                return (gain * kernel / norm).astype(np.float32)
        return self.take(f"{name}.weight", *shape)

    def convolution(self, name: str, channels: int, filters: int, taps: int) -> list[np.ndarray]:
        """Takes a one-dimensional convolution and its bias."""
        kernel = self.kernel(name, filters, channels, taps)
        return [kernel.transpose(2, 1, 0), self.take(f"{name}.bias", filters)]

    def transposed(self, name: str, channels: int, filters: int, taps: int) -> list[np.ndarray]:
        """Takes a transposed convolution and its bias."""
        kernel = self.kernel(name, channels, filters, taps)
        return [kernel.transpose(2, 1, 0), self.take(f"{name}.bias", filters)]

    def depthwise(self, name: str, channels: int, taps: int) -> list[np.ndarray]:
        """Takes a depthwise convolution and its bias."""
        kernel = self.take(f"{name}.weight", channels, 1, taps)
        return [kernel.transpose(2, 0, 1), self.take(f"{name}.bias", channels)]

    def square(
        self, name: str, channels: int, filters: int, bias: bool = True, taps: int = 3
    ) -> list[np.ndarray]:
        """Takes a two-dimensional convolution of taps x taps, and its bias if it has one."""
        kernel = self.take(f"{name}.weight", filters, channels, taps, taps).transpose(2, 3, 1, 0)
        return [kernel, self.take(f"{name}.bias", filters)] if bias else [kernel]

    def transposed_square(self, name: str, channels: int, filters: int) -> list[np.ndarray]:
        """Takes a two-dimensional transposed convolution of 3 x 3 without bias."""
        return [self.take(f"{name}.weight", channels, filters, 3, 3).transpose(2, 3, 1, 0)]

    def pointwise(self, name: str, inputs: int, outputs: int) -> list[np.ndarray]:
        """Takes a two-dimensional convolution of 1 x 1 and its bias, as a dense layer."""
        kernel = self.take(f"{name}.weight", outputs, inputs, 1, 1)
        return [kernel[..., 0, 0].transpose(), self.take(f"{name}.bias", outputs)]

    def dense(self, name: str, inputs: int, outputs: int, bias: bool = True) -> list[np.ndarray]:
        """Takes a dense layer and its bias, if it has one."""
        kernel = self.take(f"{name}.weight", outputs, inputs).transpose()
        return [kernel, self.take(f"{name}.bias", outputs)] if bias else [kernel]

    def norm(self, name: str, channels: int) -> list[np.ndarray]:
        """Takes the scale and the offset of a normalization."""
        return [self.take(f"{name}.weight", channels), self.take(f"{name}.bias", channels)]

    def batch_norm(self, name: str, channels: int) -> list[np.ndarray]:
        """Takes the scale, the offset, the mean and the variance of a batch normalization."""
        running = (self.take(f"{name}.running_{each}", channels) for each in ("mean", "var"))
        return [*self.norm(name, channels), *running]

    def finish(self) -> None:
        """Raises a UserError if weights are left."""
        if self._left:
            raise UserError(f"has the unknown weight {next(iter(self._left))[:80]!r}")


def filters(state: State, name: str = "conv_pre") -> int:
    """Returns the filters of a one-dimensional convolution."""
    shape = state.kernel_shape(name)
    if len(shape) != 3:
        raise UserError(f"the kernel of {name} has the shape {shape}, not 3 axes")
    return shape[0]


def check_halved(name: str, count: int, times: int) -> None:
    """Raises a UserError unless the filters of a convolution can be halved so often."""
    if count % 2**times:
        raise UserError(
            f"{name} has {count} filters, no multiple of {2**times}; only the published networks, "
            "and wider or narrower ones, are converted"
        )
