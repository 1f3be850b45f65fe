"""Layers that the autoencoder and the diffusion network of AudioSR share.

They take images (batch, frames, bins, channels). PyTorch's order of axes is (batch, channels,
frames, bins).

Sources: Liu et al. 2023 (see `audiosr_unet`); openaimodel.py, attention.py and model.py in
audiosr/latent_diffusion/modules of haoheliu/versatile_audio_super_resolution.
"""

import keras
from keras import layers, ops

from .layers import pytorch_start, widen

# Of the published networks: groups of a normalization, and channels of the first convolution. A
# narrower network has fewer groups of as many channels.
GROUPS, CHANNELS = 32, 128


@keras.saving.register_keras_serializable("wideband")
class ImageAttention(layers.Layer):
    """Attention between all points of an image.

    [query, key, value], each (batch, frames, bins, c), to (batch, frames, bins, c). Scores are
    divided by the root of the channels of a head. The scores take heads (frames bins)^2 numbers.

    Args:
        heads: a divisor of c.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.
    """

    def __init__(self, heads: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, inputs):
        """Attends to [query, key, value]."""
        batch, frames, bins, channels = ops.shape(inputs[0])
        # (batch, frames bins, heads, c / heads)
        shape = batch, frames * bins, self.heads, channels // self.heads
        x = ops.dot_product_attention(*(ops.reshape(x, shape) for x in inputs))
        return ops.reshape(x, (batch, frames, bins, channels))

    def compute_output_shape(self, input_shape):
        """Returns the shape of the query."""
        return input_shape[0]

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "heads": self.heads}


def start(width: float) -> tuple[int, int]:
    """Returns the groups of all normalizations and the channels of the first convolution.

    Raises:
        UserError: the width leaves no group.
    """
    (groups,) = widen((GROUPS,), width)
    return groups, CHANNELS // GROUPS * groups


def residual(
    x: keras.KerasTensor,
    channels: int,
    groups: int,
    epsilon: float,
    name: str,
    embedding: keras.KerasTensor | None = None,
    dropout: float = 0.0,
) -> keras.KerasTensor:
    """Builds a residual block, (batch, frames, bins, c) to (batch, frames, bins, channels).

    The layers are named NAME_norm_0, NAME_conv_0, NAME_norm_1 and NAME_conv_1; NAME_embedding if
    there is one; and NAME_skip if c is another number than `channels`.

    Args:
        x: (batch, frames, bins, c).
        channels: of the output.
        groups: of the normalizations.
        epsilon: of the normalizations.
        name: begins the names of the layers.
        embedding: of the time step, (batch, e), after a rectifier. With one, the block starts as
            the identity.
        dropout: of the input of the second convolution.
    """
    y = conv(swish(norm(x, groups, epsilon, f"{name}_norm_0")), channels, f"{name}_conv_0")
    if embedding is not None:
        each = dense(embedding, channels, f"{name}_embedding")
        y = layers.Add()([y, layers.Reshape((1, 1, channels))(each)])
    y = swish(norm(y, groups, epsilon, f"{name}_norm_1"))
    if dropout:
        y = layers.Dropout(dropout)(y)
    y = conv(y, channels, f"{name}_conv_1", zero=embedding is not None)
    if x.shape[-1] != channels:
        x = dense(x, channels, f"{name}_skip")
    return layers.Add()([x, y])


def norm(x: keras.KerasTensor, groups: int, epsilon: float, name: str) -> keras.KerasTensor:
    """Normalizes groups of channels over the whole image."""
    return layers.GroupNormalization(groups, epsilon=epsilon, name=name)(x)


def swish(x: keras.KerasTensor) -> keras.KerasTensor:
    """Multiplies each value by its sigmoid."""
    return layers.Activation("silu")(x)


def conv(
    x: keras.KerasTensor, channels: int, name: str, *, zero: bool = False, **options
) -> keras.KerasTensor:
    """Convolves an image with kernels of 3 x 3, padded with zeros to the same size.

    Args:
        x: (batch, frames, bins, c).
        channels: of the output.
        name: of the layer.
        zero: whether all weights start as 0.
        **options: arguments of the layer.
    """
    initial = _zeros() if zero else pytorch_start(9 * x.shape[-1])
    return layers.Conv2D(channels, 3, **{"padding": "same", **initial, **options}, name=name)(x)


def halve(x: keras.KerasTensor, before: int, name: str) -> keras.KerasTensor:
    """Halves the frames and the bins by a convolution.

    Args:
        x: (batch, frames, bins, c), with even numbers of both.
        before: zeros before the first frame and the first bin, 0 or 1. One follows the last.
        name: of the convolution.
    """
    x = layers.ZeroPadding2D(((before, 1), (before, 1)))(x)
    return conv(x, x.shape[-1], name, strides=2, padding="valid")


def double(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Doubles the frames and the bins: repeats each, then convolves."""
    return conv(layers.UpSampling2D(2)(x), x.shape[-1], name)


def dense(
    x: keras.KerasTensor,
    channels: int,
    name: str,
    *,
    zero: bool = False,
    use_bias: bool = True,
    **options,
) -> keras.KerasTensor:
    """Builds a dense layer over the last axis, which PyTorch has as a convolution of 1 x 1.

    Args:
        x: (batch, ..., c).
        channels: of the output.
        name: of the layer.
        zero: whether all weights start as 0.
        use_bias: whether it has a bias.
        **options: arguments of the layer.
    """
    initial = _zeros() if zero else pytorch_start(x.shape[-1])
    if not use_bias:
        del initial["bias_initializer"]
    return layers.Dense(channels, use_bias=use_bias, **initial, **options, name=name)(x)


def _zeros() -> dict[str, keras.initializers.Initializer]:
    zeros = keras.initializers.Zeros()
    return {"kernel_initializer": zeros, "bias_initializer": zeros}
