"""Convolutions whose kernels have trained norms: gain * v / |v|.

Weight normalization helps a training, and costs a product per weight in each step. `folded` makes
the same network without it.

Source: Salimans and Kingma 2016, equation 2; torch.nn.utils.weight_norm with dim=0.
"""

import keras
from keras import layers, ops

from .long_conv import conv
from .system import Network


class AllSaved(layers.Layer):
    """A layer whose file has all of its weights; a convolution of Keras saves two of them."""

    def save_own_variables(self, store) -> None:
        """Saves all weights."""
        layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store) -> None:
        """Loads all weights."""
        layers.Layer.load_own_variables(self, store)


class WeightNorm(AllSaved):
    """What the layers share: gains for the last axis of the kernel, which start as its norms."""

    kernel: keras.Variable

    def build(self, input_shape) -> None:
        """Creates the kernel, the bias and the gains."""
        super().build(input_shape)
        self.gain = self.add_weight(
            shape=self.kernel.shape[-1:],
            initializer=lambda *_, **__: norms(self.kernel),
            name="gain",
        )

    def normalized(self):
        """Returns the kernel that the layer convolves with."""
        kernel = self.kernel
        scale = ops.cast(self.gain, "float32") / norms(kernel)
        return kernel * ops.cast(scale, kernel.dtype)


@keras.saving.register_keras_serializable("wideband")
class WeightNormConv1D(WeightNorm, layers.Conv1D):
    """A convolution with a gain for each filter.

    It takes the arguments of `keras.layers.Conv1D`, without strides and activation.
    """

    def call(self, inputs):
        """Convolves x (batch, n, c) with the normalized kernel, to (batch, n, filters)."""
        return conv(inputs, self.normalized(), 1, self.padding, *self.dilation_rate) + self.bias


@keras.saving.register_keras_serializable("wideband")
class WeightNormConv1DTranspose(WeightNorm, layers.Conv1DTranspose):
    """A transposed convolution with a gain for each input channel, as in PyTorch.

    It takes the arguments of `keras.layers.Conv1DTranspose`, without activation.
    """

    def call(self, inputs):
        """Convolves x (batch, n, c) with the normalized kernel, to (batch, strides n, filters)."""
        options = {"strides": list(self.strides), "padding": self.padding}
        return ops.conv_transpose(inputs, self.normalized(), **options) + self.bias


def norms(kernel):
    """Returns the norms of a kernel (..., n) over all axes but the last, (n,) float32."""
    kernel = ops.cast(kernel, "float32")
    return ops.sqrt(ops.sum(ops.square(kernel), axis=tuple(range(len(kernel.shape) - 1))))


def folded(network: Network) -> Network:
    """Returns the same network without weight normalization.

    Args:
        network: a network with the argument `weight_norm`, and all its layers with weights in the
            layer "vocoder".
    """
    plain = type(network)(**{**network.get_config(), "weight_norm": False})
    for layer in network.get_layer("vocoder").layers:
        if not layer.weights:
            continue
        weights = layer.get_weights()
        if isinstance(layer, WeightNorm):
            weights = [ops.convert_to_numpy(layer.normalized()), weights[1]]
        plain.get_layer("vocoder").get_layer(layer.name).set_weights(weights)
    return plain
