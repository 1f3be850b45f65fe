"""Functions and layers that several papers share."""

from collections.abc import Iterable, Sequence

import keras
import numpy as np
from keras import layers, ops

from ..command import UserError


def add_wave(x: keras.KerasTensor, wave: keras.KerasTensor) -> keras.KerasTensor:
    """Adds the input wave (batch, n, 1) to each channel of a network's output (batch, n, c).

    It adds in float32 even under mixed precision: half floats would round the wave itself.
    """
    return layers.Add(dtype="float32")([x, wave])


def check_choice(what: str, value: str | int, choices: Iterable[str | int]) -> None:
    """Raises a UserError if an argument is none of the choices."""
    if value not in choices:
        raise UserError(
            f"unsupported {what} {value!r}; choose one of {', '.join(map(str, choices))}"
        )


def check_patch(patch: int, multiple: int) -> None:
    """Raises a UserError if a patch is not a multiple of `multiple` samples."""
    if patch < 1 or patch % multiple:
        raise UserError(f"patch of {patch} samples must be a multiple of {multiple}")


def widen(counts: Sequence[int], width: float, divisor: int = 1) -> list[int]:
    """Multiplies numbers of filters or units by a width.

    Args:
        counts: the published numbers.
        width: the multiplier.
        divisor: the results are rounded to multiples of this number.

    Raises:
        UserError: the width leaves a layer without filters.
    """
    widened = [round(width * count / divisor) * divisor for count in counts]
    if min(widened) < 1:
        raise UserError(f"width {width} leaves a layer without filters; choose a larger one")
    return widened


def sinc_kernel(ratio: int, half: int, ahead: int | None = None) -> np.ndarray:
    """Returns a convolution kernel that interpolates with a windowed sinc (Hann window).

    Args:
        ratio: output samples, as channels, per input sample.
        half: number of input samples on either side that the sinc spans.
        ahead: number of taps after the middle one, by default `half`: the look-ahead of a causal
            convolution with this kernel.

    Returns:
        (half + 1 + ahead, 1, ratio).
    """
    # The distance of each tap from each output sample, in input samples.
    taps = np.arange(-half, (half if ahead is None else ahead) + 1)
    distance = taps[:, np.newaxis] - np.arange(ratio) / ratio
    hann = np.cos(np.pi * distance / (2 * half)) ** 2
    window = np.where(np.abs(distance) < half, hann, 0.0)
    return (np.sinc(distance) * window)[:, np.newaxis, :].astype(np.float32)


class FixedConv(layers.Layer):
    """A convolution without weights, in float32: (batch, n, c) to (batch, n / strides, filters).

    Args:
        kernel: (taps, c, filters).
        padding: "valid" or "same".
        strides: samples from one output to the next.
    """

    def __init__(self, kernel: np.ndarray, padding: str = "valid", strides: int = 1) -> None:
        super().__init__(dtype="float32")
        self.kernel, self.padding, self.strides = kernel, padding, strides

    def call(self, x):
        """Convolves x (batch, n, c)."""
        kernel = ops.convert_to_tensor(self.kernel, "float32")
        return ops.conv(x, kernel, strides=self.strides, padding=self.padding)


@keras.saving.register_keras_serializable("wideband")
class Subpixel(layers.Layer):
    """Turns channels into samples by a plain reshape: (batch, n, 2 c) to (batch, 2 n, c).

    Source: Kuleshov et al. 2017 (the subpixel layer of Shi et al. 2016 in one dimension), and
    SubPixel1D of their code.
    """

    def call(self, x):
        """Reshapes (batch, n, 2 c) to (batch, 2 n, c)."""
        batch, n, channels = ops.shape(x)
        return ops.reshape(x, (batch, 2 * n, channels // 2))

    def compute_output_shape(self, input_shape):
        """Returns (batch, 2 n, c); n may be None."""
        batch, n, channels = input_shape
        return batch, None if n is None else 2 * n, channels // 2


@keras.saving.register_keras_serializable("wideband")
class TFiLM(layers.Layer):
    """Scales each block of a sequence by the output of an LSTM that runs over the blocks.

    (batch, n, c) is cut into n / block blocks. The maximum of each block, (batch, n / block, c),
    goes through an LSTM of c units, whose output multiplies all samples of the block, channel by
    channel. The layer works in any Keras model, after any layer with an output (batch, n, c).

    Source: Birnbaum et al. 2019. The paper has a scale and a shift for each block; the published
    code and this layer have only the scale.

    Args:
        block: samples per block, at least 1. The length n must be a multiple of the block.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: the block has no samples, or the length is not a multiple of the block.

    Example:
        >>> TFiLM(block=128)(keras.ops.ones((2, 4096, 16))).shape
        TensorShape([2, 4096, 16])
    """

    def __init__(self, block: int, **kwargs) -> None:
        if block < 1:
            raise UserError(f"block of {block} samples must have at least 1")
        super().__init__(**kwargs)
        self.block = block

    def build(self, input_shape) -> None:
        """Creates the pooling and the layer that runs over the blocks."""
        batch, n, channels = input_shape
        self.pool = layers.MaxPooling1D(self.block, dtype=self.dtype_policy)
        self.sequence = self.make_sequence(channels)
        self.sequence.build((batch, None if n is None else n // self.block, channels))

    def make_sequence(self, channels: int) -> layers.Layer:
        """Creates the layer (batch, blocks, c) to (batch, blocks, c) that computes the scales."""
        return layers.LSTM(channels, return_sequences=True, dtype=self.dtype_policy)

    def call(self, x, training=None):
        """Scales x (batch, n, c) block by block."""
        batch, n, channels = ops.shape(x)
        if isinstance(n, int) and n % self.block:
            raise UserError(f"length of {n} samples must be a multiple of the block, {self.block}")
        # (batch, n / block, c)
        scale = self.sequence(self.pool(x), training=training)
        # (batch, n / block, block, c) times (batch, n / block, 1, c)
        blocks = ops.reshape(x, (batch, n // self.block, self.block, channels))
        return ops.reshape(blocks * ops.expand_dims(scale, 2), (batch, n, channels))

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "block": self.block}
