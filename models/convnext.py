"""ConvNeXt blocks in one dimension, and two streams of them that exchange their values.

Sources: Liu et al. 2022, "A ConvNet for the 2020s" (arXiv:2201.03545), for the block; Lu et al.
2024, AP-BWE (arXiv:2401.06387), for the streams.
"""

from collections.abc import Callable

import keras
from keras import layers

from .long_conv import Conv1D

# Prepends the `count` frames before a sequence (batch, n, c), to (batch, count + n, c).
History = Callable[[keras.KerasTensor, int], keras.KerasTensor]

KERNEL = 7
EPSILON = 1e-6


@keras.saving.register_keras_serializable("wideband")
class ChannelScale(layers.Layer):
    """Scales each channel by a trained factor: (batch, n, c) to the same.

    Args:
        initial: the factors before training.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.
    """

    def __init__(self, initial: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape) -> None:
        """Creates the factors, one for each channel."""
        constant = keras.initializers.Constant(self.initial)
        self.factor = self.add_weight(shape=(input_shape[-1],), initializer=constant, name="factor")

    def call(self, x):
        """Scales x (batch, n, c)."""
        return x * self.factor

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "initial": self.initial}


def streams(
    amplitude: keras.KerasTensor,
    phase: keras.KerasTensor,
    *,
    channels: int,
    hidden: int,
    blocks: int,
    kernel: int = KERNEL,
    growth: int = 1,
    history: History | None = None,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Builds the stream of the amplitude and that of the phase.

    Before each pair of blocks, the phase is added to the amplitude, and this sum to the phase.

    The layers are named STREAM_first, STREAM_first_norm, STREAM_last_norm, and for block k
    STREAM_k_depthwise, _norm, _expand, _project and _scale, where STREAM is amplitude or phase.

    Args:
        amplitude: (batch, frames, bins).
        phase: the same.
        channels: channels between the blocks.
        hidden: channels inside a block.
        blocks: blocks of each stream.
        kernel: frames that the first convolutions see.
        growth: the dilation of each block's convolution, relative to that of the block before.
        history: makes the blocks causal; the first convolutions must see one frame only.

    Returns:
        both streams, (batch, frames, channels), normalized.
    """
    amplitude = first(amplitude, channels, kernel, "amplitude")
    phase = first(phase, channels, kernel, "phase")
    for k in range(blocks):
        amplitude = layers.Add()([amplitude, phase])
        phase = layers.Add()([phase, amplitude])
        amplitude = block(amplitude, hidden, 1 / blocks, f"amplitude_{k}", growth**k, history)
        phase = block(phase, hidden, 1 / blocks, f"phase_{k}", growth**k, history)
    return norm("amplitude_last")(amplitude), norm("phase_last")(phase)


def block(
    x: keras.KerasTensor,
    hidden: int,
    scale: float,
    name: str,
    dilation: int = 1,
    history: History | None = None,
    dropout: float = 0.0,
) -> keras.KerasTensor:
    """Builds a ConvNeXt block, (batch, n, c) to the same.

    Args:
        x: (batch, n, c).
        hidden: channels between the two dense layers.
        scale: initial factor of the block's output, which is added to its input.
        name: begins the names of the layers.
        dilation: frames from one value to the next that the convolution sees.
        history: prepends the frames before x, so that the convolution looks back only; None has it
            look to both sides.
        dropout: of the hidden channels.
    """
    y = layers.DepthwiseConv1D(
        KERNEL,
        padding="valid" if history else "same",
        dilation_rate=dilation,
        depthwise_initializer=small(),
        name=f"{name}_depthwise",
    )(history(x, (KERNEL - 1) * dilation) if history else x)
    y = norm(name)(y)
    y = layers.Dense(hidden, activation="gelu", kernel_initializer=small(), name=f"{name}_expand")(
        y
    )
    if dropout:
        y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
    y = layers.Dense(x.shape[-1], kernel_initializer=small(), name=f"{name}_project")(y)
    y = ChannelScale(scale, name=f"{name}_scale")(y)
    return layers.Add()([x, y])


def small() -> keras.initializers.Initializer:
    """Returns the initializer of all kernels.

    The published code truncates the normal distribution at -2 and 2, a hundred standard deviations
    away; keras.initializers.TruncatedNormal truncates at two.
    """
    return keras.initializers.RandomNormal(stddev=0.02)


def first(x: keras.KerasTensor, channels: int, kernel: int, name: str) -> keras.KerasTensor:
    """Builds a convolution before the blocks with its norm, (batch, n, c) to (batch, n, channels).

    The layers are named NAME_first and NAME_first_norm.
    """
    x = Conv1D(channels, kernel, padding="same", kernel_initializer=small(), name=f"{name}_first")(
        x
    )
    return norm(f"{name}_first")(x)


def norm(name: str) -> layers.Layer:
    """Returns a normalization over the channels, whose layer is named NAME_norm."""
    return layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")
