"""AFiLM: the TFiLM network with self-attention in place of its recurrent networks.

Rakotonirina: Self-Attention for Audio Super-Resolution, MLSP 2021, arXiv:2108.11637. The published
code is ncarraz/AFILM.

Where the paper and the published code differ, and what is implemented here:
- The code keeps the dropout of the attention active at inference (its layer fixes `training=True`),
  so the output is random. Here dropout is active in training only.
- The code copies that of TFiLM and keeps the bottleneck's block length on the way up, so attention
  runs over 64, 128, 256 and 512 blocks there. The default here is 32 blocks everywhere, for a patch
  of 8192 samples; `blocks="published"` follows the code.
- The paper describes the transformer by 4 layers, 8 heads and 2048 hidden units only. The rest
  follows the code: the input is multiplied by the root of the number of channels before sinusoidal
  positions are added; each layer normalizes after its sum (epsilon 1e-6); dropout of 0.1 follows
  the positions and both halves of a layer; the attention weights have no dropout.
- The code's last convolution starts with Keras's "normal", a standard deviation of 0.05, as here;
  that of TFiLM starts with 0.001.
- The paper interpolates its input "bicubically", which for a wave is the cubic spline.
"""

import math

import keras
from keras import layers, ops

from ..command import UserError
from .layers import Modulation, add_wave, widen
from .limits import DEEPEST, check_range
from .system import Network
from .tfilm import BOTTLENECK_FILTERS, FILTERS, KERNELS
from .unets import film_unet, first_block

DEPTH, HEADS, FEED_FORWARD = 4, 8, 2048


@keras.saving.register_keras_serializable("wideband")
class TransformerLayer(layers.Layer):
    """Self-attention, then two dense layers; each is added to its input, then normalized.

    (batch, n, c) to (batch, n, c). Source: Vaswani et al. 2017, sections 3.1 to 3.3; EncoderLayer
    in ncarraz/AFILM.

    Args:
        heads: number of attention heads, a divisor of c.
        feed_forward: units of the first dense layer.
        dropout: dropout rate after the attention and after the dense layers.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: the channels are not a multiple of the heads.
    """

    def __init__(self, heads: int, feed_forward: int, dropout: float = 0.1, **kwargs) -> None:
        super().__init__(**kwargs)
        self.heads, self.feed_forward, self.rate = heads, feed_forward, dropout

    def build(self, input_shape) -> None:
        """Creates the layers inside."""
        channels = input_shape[-1]
        if channels % self.heads:
            raise UserError(f"{channels} channels must be a multiple of the {self.heads} heads")
        dtype = self.dtype_policy
        # The bound of Glorot's initializer for a dense layer; Keras would compute it per head.
        bound = math.sqrt(3 / channels)
        self.attention = layers.MultiHeadAttention(
            self.heads,
            channels // self.heads,
            kernel_initializer=keras.initializers.RandomUniform(-bound, bound),
            dtype=dtype,
        )
        self.attention.build(input_shape, input_shape)
        self.hidden = layers.Dense(self.feed_forward, activation="relu", dtype=dtype)
        self.hidden.build(input_shape)
        self.out = layers.Dense(channels, dtype=dtype)
        self.out.build((*input_shape[:-1], self.feed_forward))
        self.norm1 = layers.LayerNormalization(epsilon=1e-6, dtype=dtype)
        self.norm1.build(input_shape)
        self.norm2 = layers.LayerNormalization(epsilon=1e-6, dtype=dtype)
        self.norm2.build(input_shape)
        self.dropout1 = layers.Dropout(self.rate, dtype=dtype)
        self.dropout2 = layers.Dropout(self.rate, dtype=dtype)

    def call(self, x, training=None):
        """Runs x (batch, n, c) through both halves."""
        y = self.attention(x, x, training=training)
        x = self.norm1(x + self.dropout1(y, training=training))
        y = self.out(self.hidden(x))
        return self.norm2(x + self.dropout2(y, training=training))

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "heads": self.heads,
            "feed_forward": self.feed_forward,
            "dropout": self.rate,
        }


@keras.saving.register_keras_serializable("wideband")
class Transformer(layers.Layer):
    """Sinusoidal positions, then a stack of transformer layers: (batch, n, c) to (batch, n, c).

    Source: transformer.py in ncarraz/AFILM; Vaswani et al. 2017, sections 3.4 and 3.5.

    Args:
        depth: number of layers.
        heads: number of attention heads, a divisor of c.
        feed_forward: hidden units of every layer.
        dropout: dropout rate after the positions and in every layer.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.
    """

    def __init__(
        self, depth: int, heads: int, feed_forward: int, dropout: float = 0.1, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.depth, self.heads, self.feed_forward = depth, heads, feed_forward
        self.rate = dropout
        self.first_dropout = layers.Dropout(dropout, dtype=self.dtype_policy)
        self.stack = [
            TransformerLayer(heads, feed_forward, dropout, dtype=self.dtype_policy)
            for _ in range(depth)
        ]

    def build(self, input_shape) -> None:
        """Creates the weights of the stack."""
        for layer in self.stack:
            layer.build(input_shape)

    def call(self, x, training=None):
        """Runs x (batch, n, c) through the stack."""
        n, channels = ops.shape(x)[1:]
        x = math.sqrt(channels) * x + ops.cast(_positions(n, channels), x.dtype)
        x = self.first_dropout(x, training=training)
        for layer in self.stack:
            x = layer(x, training=training)
        return x

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "heads": self.heads,
            "feed_forward": self.feed_forward,
            "dropout": self.rate,
        }


def _positions(n, channels: int):
    """Returns sines in the even and cosines in the odd channels, (n, channels)."""
    channel = ops.arange(channels)
    pair = ops.cast(channel // 2 * 2, "float32")
    step = ops.cast(ops.arange(n), "float32")
    # (n, channels)
    angle = step[:, None] * ops.exp(-math.log(10000.0) / channels * pair)
    return ops.where(channel % 2 == 0, ops.sin(angle), ops.cos(angle))


@keras.saving.register_keras_serializable("wideband")
class AFiLM(Modulation):
    """Scales each block of a sequence by the output of a transformer over all blocks.

    It is a `TFiLM` with attention over the maxima of the blocks in place of the LSTM.

    Source: the paper.

    Args:
        block: samples per block. The length must be a multiple of the block.
        depth: number of layers of the transformer.
        feed_forward: hidden units of the transformer's layers.
        dropout: dropout rate of the transformer; active in training only.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: the block has no samples, the length is not a multiple of the block, or the
            channels are not a multiple of 8.
    """

    def __init__(
        self,
        block: int,
        depth: int = DEPTH,
        feed_forward: int = FEED_FORWARD,
        dropout: float = 0.1,
        **kwargs,
    ) -> None:
        super().__init__(block, **kwargs)
        self.depth, self.feed_forward, self.rate = depth, feed_forward, dropout

    def make_sequence(self, channels: int) -> layers.Layer:
        """Creates the transformer that computes the scales."""
        return Transformer(self.depth, HEADS, self.feed_forward, self.rate, dtype=self.dtype_policy)

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {
            **super().get_config(),
            "depth": self.depth,
            "feed_forward": self.feed_forward,
            "dropout": self.rate,
        }


@keras.saving.register_keras_serializable("wideband")
class AFiLMNet(Network):
    """The AFiLM network: (batch, n, 1) interpolated to (batch, n, 1) restored.

    It is `tfilm.TFiLMNet` with attention over the blocks in place of the LSTMs.

    Source: the paper; 134,723,842 parameters.

    Args:
        blocks: "paper" or "published", as in `tfilm.TFiLMNet`.
        patch: samples of the training patches, which determine the blocks as in `tfilm.TFiLMNet`;
            n is a multiple of a block.
        depth: number of layers of every transformer, from 1 to 32; 4 as published.
        width: multiplies every number of filters and hidden units, rounded to multiples of the
            8 heads, for networks that train on a laptop.
        dropout: dropout rate in the U-Net's bottleneck and on its way up; active in training only.
        attention_dropout: dropout rate in the transformers; active in training only.
        name: the name of the Keras model.

    Raises:
        UserError: as in `tfilm.TFiLMNet`, or the depth is out of range.

    Example:
        >>> AFiLMNet(width=0.25)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"
    # Attention runs over the whole patch.
    context = None

    def __init__(
        self,
        blocks: str = "paper",
        patch: int = 8192,
        depth: int = DEPTH,
        width: float = 1.0,
        dropout: float = 0.5,
        attention_dropout: float = 0.1,
        name: str = "afilm",
    ) -> None:
        check_range("depth", depth, 1, DEEPEST)
        *filters, bottleneck, feed_forward = widen(
            (*FILTERS, BOTTLENECK_FILTERS, FEED_FORWARD), width, HEADS
        )
        block = first_block(patch, len(FILTERS))

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        x = film_unet(
            wave,
            filters,
            KERNELS,
            bottleneck,
            film=lambda length: AFiLM(length, depth, feed_forward, attention_dropout),
            first_block=block,
            blocks=blocks,
            dropout=dropout,
            last_stddev=0.05,
        )
        super().__init__(wave, add_wave(x, wave), name=name)

        # === Config ===
        self.blocks, self.patch, self.depth, self.width = blocks, patch, depth, width
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.multiple = 2 * block
