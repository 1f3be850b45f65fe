"""Functions and layers that several papers share.

Layers of Keras have had several defaults. Kuleshov's code ran on Keras 1.2.1 up to March 2021; all
other published codes here ran on Keras 2, or on the Keras of TensorFlow.

- Initial weights: those of Keras 1 differ from all later ones; see `TapOrthogonal` and
  `_lstm_initializers`. Ours are the later ones by default, `initializer="keras1"` the others.
- The gates of an LSTM: hard sigmoids up to Keras 2.2, sigmoids since; see `GATES`.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

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
        raise UserError(f"patch {patch} must be a multiple of {multiple}")


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


def pytorch_start(fan_in: int) -> dict[str, keras.initializers.Initializer]:
    """Returns the initializers of PyTorch's convolutions and dense layers, as arguments of a layer.

    Kernels and biases are uniform in +-1 / sqrt(fan-in).

    Args:
        fan_in: inputs of one output value: taps times input channels.
    """
    bound = fan_in**-0.5
    return {
        "kernel_initializer": keras.initializers.RandomUniform(-bound, bound),
        "bias_initializer": keras.initializers.RandomUniform(-bound, bound),
    }


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


def hard_sigmoid(x):
    """Returns 0.2 x + 0.5, bounded to [0, 1]: the hard sigmoid of Keras 1 and 2.

    The function of this name in Keras 3 is another one, with a slope of 1/6.
    """
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


@keras.saving.register_keras_serializable("wideband")
class TapOrthogonal(keras.initializers.Initializer):
    """The orthogonal initializer of Keras 1, for kernels (taps, c, filters).

    The taps, each with c * filters weights, are orthogonal to each other and have a norm of 1.1. In
    later versions of Keras, the filters are orthogonal and have a norm of 1, which makes the
    weights of large layers much larger: seven times at 9 taps and 512 channels.
    """

    def __call__(self, shape, dtype=None):
        """Draws a kernel."""
        flat = keras.initializers.Orthogonal(gain=1.1)((shape[0], math.prod(shape[1:])), dtype)
        return ops.reshape(flat, shape)


# The activations of an LSTM's gates.
GATES = ("sigmoid", "hard_sigmoid")
# A version of Keras -> its orthogonal initializer of convolutions.
INITIALIZERS = {"keras2": keras.initializers.Orthogonal, "keras1": TapOrthogonal}


def _lstm_initializers(initializer: str, channels: int) -> dict[str, Any]:
    """Returns the initializers of an LSTM from c channels to c units, as arguments of the layer.

    Keras 1 draws each of the eight matrices (c, c) from Glorot's uniform distribution. Later
    versions draw the four of the input as one matrix (c, 4 c), and those of the states orthogonal.
    """
    if initializer == "keras2":
        return {}
    bound = math.sqrt(3 / channels)
    names = ("kernel_initializer", "recurrent_initializer")
    return {name: keras.initializers.RandomUniform(-bound, bound) for name in names}


class Modulation(layers.Layer):
    """Scales each block of a sequence by the output of a layer that runs over the blocks.

    (batch, n, c) is cut into n / block blocks. The maximum of each block, (batch, n / block, c),
    goes through that layer, whose output multiplies all samples of the block, channel by channel.

    Source: Birnbaum et al. 2019. The paper has a scale and a shift for each block; the published
    code and this layer have only the scale.

    Args:
        block: samples per block, at least 1. The length n must be a multiple of the block.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: the block has no samples, or the length is not a multiple of the block.
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
        raise NotImplementedError

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


@keras.saving.register_keras_serializable("wideband")
class TFiLM(Modulation):
    """Scales each block of a sequence by the output of an LSTM that runs over the blocks.

    A `Modulation` by an LSTM of c units. The layer works in any Keras model, after any layer with
    an output (batch, n, c).

    Source: Birnbaum et al. 2019.

    Args:
        block: samples per block, at least 1. The length n must be a multiple of the block.
        gates: "sigmoid" or "hard_sigmoid", the activation of the LSTM's gates. Both take the same
            weights.
        initializer: "keras2" or "keras1", the version of Keras whose initial weights the LSTM has.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: `gates` or `initializer` is unknown, the block has no samples, or the length is
            not a multiple of the block.

    Example:
        >>> TFiLM(block=128)(keras.ops.ones((2, 4096, 16))).shape
        TensorShape([2, 4096, 16])
    """

    def __init__(
        self, block: int, gates: str = "sigmoid", initializer: str = "keras2", **kwargs
    ) -> None:
        check_choice("gates", gates, GATES)
        check_choice("initializer", initializer, INITIALIZERS)
        super().__init__(block, **kwargs)
        self.gates, self.initializer = gates, initializer

    def make_sequence(self, channels: int) -> layers.Layer:
        """Creates the LSTM."""
        dtype = self.dtype_policy
        initializers = _lstm_initializers(self.initializer, channels)
        if self.gates == "sigmoid":
            return layers.LSTM(channels, return_sequences=True, dtype=dtype, **initializers)
        # TFLite's LSTM, with which the export replaces that layer, has sigmoid gates only.
        cell = layers.LSTMCell(
            channels, recurrent_activation=hard_sigmoid, dtype=dtype, **initializers
        )
        return layers.RNN(cell, return_sequences=True, dtype=dtype)

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "gates": self.gates, "initializer": self.initializer}
