"""Layers of critics: convolutions with normalized kernels, and the images that critics see.

Convolutions start as those of PyTorch, where all of the published critics come from.
"""

import keras
from keras import layers, ops

from .layers import pytorch_start
from .weight_norm import AllSaved, WeightNorm

# The squared magnitude below which a bin has no phase: the derivative of an angle would overflow.
EMPTY = 1e-20
# The smallest norm of a vector in a power iteration, as in PyTorch.
LEAST_NORM = 1e-12


class _NormConv2D(AllSaved, layers.Conv2D):
    """What both convolutions share: initial weights that follow from `fan_in`.

    Args:
        filters: number of output channels.
        kernel_size: height and width.
        fan_in: inputs of one output value.
        **kwargs: arguments of `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, kernel_size: tuple[int, int], fan_in: int, **kwargs) -> None:
        super().__init__(filters, kernel_size, **pytorch_start(fan_in), **kwargs)
        self.fan_in = fan_in

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        initial = ("kernel_initializer", "bias_initializer")
        config = {k: each for k, each in super().get_config().items() if k not in initial}
        return {**config, "fan_in": self.fan_in}


@keras.saving.register_keras_serializable("wideband")
class WeightNormConv2D(WeightNorm, _NormConv2D):
    """A convolution with a gain for each filter.

    Initial weights and biases are uniform in +-1 / sqrt(fan-in), as in PyTorch.

    Args:
        filters: number of output channels.
        kernel_size: height and width.
        fan_in: inputs of one output value, for the initial biases.
        **kwargs: arguments of `keras.layers.Conv2D`.
    """

    def convolution_op(self, inputs, kernel):
        """Convolves with the normalized kernel."""
        return super().convolution_op(inputs, self.normalized())


@keras.saving.register_keras_serializable("wideband")
class SpectralNormConv2D(_NormConv2D):
    """A convolution whose kernel, as a matrix with one row for each filter, has a norm of 1.

    The norm is the largest singular value. Each call in training takes one step of a power
    iteration towards it, as in PyTorch, also where only the gradient of the input is needed. The
    wrapper that comes with Keras would change the kernel itself in each of these calls.

    Source: Miyato et al. 2018, algorithm 1; torch.nn.utils.spectral_norm.

    Args:
        filters: number of output channels.
        kernel_size: height and width.
        fan_in: inputs of one output value, for the initial weights.
        **kwargs: arguments of `keras.layers.Conv2D`.
    """

    def build(self, input_shape) -> None:
        """Creates the kernel, the bias and the vector of the power iteration."""
        super().build(input_shape)
        self.direction = self.add_weight(
            shape=(self.filters,),
            initializer=lambda *shape, **kwargs: _unit(keras.random.normal(*shape, **kwargs)),
            trainable=False,
            name="direction",
        )

    def call(self, inputs, training=None):
        """Convolves with the normalized kernel."""
        # (inputs of an output value, filters)
        matrix = ops.reshape(ops.cast(self.kernel, "float32"), (-1, self.filters))
        constant = ops.stop_gradient(matrix)
        right = _unit(ops.matmul(constant, ops.cast(self.direction, "float32")))
        left = _unit(ops.matmul(right, constant))
        if training:
            self.direction.assign(left)
        norm = ops.sum(ops.matmul(right, matrix) * left)
        kernel = ops.cast(self.kernel / norm, self.compute_dtype)
        convolved = self.convolution_op(inputs, kernel)
        return ops.add(convolved, self.bias) if self.use_bias else convolved


def _unit(vector):
    """Returns a vector of the same direction and length 1."""
    return vector / ops.maximum(ops.sqrt(ops.sum(ops.square(vector))), LEAST_NORM)


@keras.saving.register_keras_serializable("wideband")
class Spectrum(layers.Layer):
    """Short-time spectra as images: (batch, n, 1) to (batch, bins, frames, channels), in float32.

    Args:
        window: samples of a frame and of its Fourier transform.
        hop: samples from one frame to the next.
        shape: the name of the window, or None for a rectangular one.
        kind: "amplitude" or "phase" (1 channel), or "complex" (2: real and imaginary parts).
        **kwargs: arguments of a Keras layer, such as `name`.
    """

    def __init__(self, window: int, hop: int, shape: str | None, kind: str, **kwargs) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.window, self.hop, self.shape, self.kind = window, hop, shape, kind

    def call(self, wave):
        """Transforms the wave (batch, n, 1), with mirrored samples at both ends."""
        real, imaginary = ops.stft(wave[..., 0], self.window, self.hop, self.window, self.shape)
        image = ops.stack(self._channels(real, imaginary), axis=-1)
        return ops.transpose(image, (0, 2, 1, 3))

    def _channels(self, real, imaginary) -> list:
        if self.kind == "complex":
            return [real, imaginary]
        power = ops.square(real) + ops.square(imaginary)
        empty = power < EMPTY
        if self.kind == "amplitude":
            # The slope of the root is infinite at 0.
            return [ops.where(empty, 0.0, ops.sqrt(ops.where(empty, 1.0, power)))]
        one, zero = ops.where(empty, 1.0, real), ops.where(empty, 0.0, imaginary)
        return [ops.arctan2(zero, one)]

    def compute_output_shape(self, input_shape):
        """Returns (batch, bins, frames, channels); the number of frames may be None."""
        batch, n, _ = input_shape
        frames = None if n is None else 1 + n // self.hop
        return batch, self.window // 2 + 1, frames, 2 if self.kind == "complex" else 1

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        own = {"window": self.window, "hop": self.hop, "shape": self.shape, "kind": self.kind}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("wideband")
class Periods(layers.Layer):
    """Writes a wave into rows of one period: (batch, n, 1) to (batch, n / period, period, 1).

    The end is extended with its mirror image to a multiple of the period.

    Args:
        period: in samples.
        **kwargs: arguments of a Keras layer, such as `name`.
    """

    def __init__(self, period: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.period = period

    def call(self, wave):
        """Reshapes the wave (batch, n, 1)."""
        n = wave.shape[1]
        if n % self.period:
            wave = ops.pad(wave, ((0, 0), (0, -n % self.period), (0, 0)), "reflect")
        return ops.reshape(wave, (-1, -(-n // self.period), self.period, 1))

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "period": self.period}
