"""The Conformer block, and self-attention with relative positions in a window of frames.

Sources: Gulati et al. 2020, "Conformer: Convolution-augmented Transformer for Speech Recognition"
(arXiv:2005.08100), for the block; Dai et al. 2019, "Transformer-XL" (arXiv:1901.02860), equation
of section 3.3, for the attention.

Deviation: a frame attends to a window of frames on either side; in the paper, it attends to all.
The context of a network is thus limited, and its cost grows with the length of a wave, not with its
square. With a window as long as the wave, the attention is that of the paper.
"""

import math
from functools import partial

import keras
import numpy as np
from keras import layers, ops

from ..command import UserError
from .layers import check_choice

EXPANSION = 4
EPSILON = 1e-5
# The normalizations after the depthwise convolution.
NORMS = {
    "batch": layers.BatchNormalization,
    "layer": partial(layers.LayerNormalization, epsilon=EPSILON),
}
# The longest wavelength of the positions, over 2 pi, in frames.
LONGEST_WAVE = 10000.0
# The score of frames that are not attended to; its exponential is 0, also relative to other scores.
IGNORED = -3e4


def conformer_block(
    x: keras.KerasTensor,
    *,
    heads: int,
    span: int,
    kernel: int,
    dropout: float,
    norm: str,
    name: str,
) -> keras.KerasTensor:
    """Builds a Conformer block, (batch, frames, c) to the same.

    Half a feed-forward module, attention, convolution and half a feed-forward module are added to
    their input in turn. Each begins with a layer normalization; another one ends the block.

    Args:
        x: (batch, frames, c).
        heads: of the attention, a divisor of c.
        span: frames on either side that a frame attends to.
        kernel: frames of the depthwise convolution.
        dropout: of the output of each module and of the hidden channels of the feed-forward ones.
        norm: a key of `NORMS`, the normalization after the depthwise convolution: "batch" in the
            paper.
        name: begins the names of the layers.

    Raises:
        UserError: there is no such norm.
    """
    x = _add(x, feed_forward(x, dropout, f"{name}_feed_0"), 0.5)
    y = _normalized(x, f"{name}_attention")
    y = WindowAttention(heads, span, name=f"{name}_attention")(y)
    x = _add(x, layers.Dropout(dropout)(y))
    x = _add(x, convolution(x, kernel, dropout, norm, f"{name}_convolution"))
    x = _add(x, feed_forward(x, dropout, f"{name}_feed_1"), 0.5)
    return _normalized(x, name)


def feed_forward(x: keras.KerasTensor, dropout: float, name: str) -> keras.KerasTensor:
    """Builds a feed-forward module, (batch, frames, c) to the same, which has 4 c hidden channels.

    The layers are named NAME_norm, NAME_expand and NAME_project.
    """
    channels = x.shape[-1]
    x = _normalized(x, name)
    x = layers.Dense(EXPANSION * channels, activation="silu", name=f"{name}_expand")(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(channels, name=f"{name}_project")(x)
    return layers.Dropout(dropout)(x)


def convolution(
    x: keras.KerasTensor, kernel: int, dropout: float, norm: str, name: str
) -> keras.KerasTensor:
    """Builds a convolution module, (batch, frames, c) to the same.

    The layers are named NAME_norm, NAME_expand, NAME_depthwise, NAME_depthwise_norm and
    NAME_project.

    Raises:
        UserError: there is no such norm.
    """
    check_choice("norm", norm, NORMS)
    channels = x.shape[-1]
    x = _normalized(x, name)
    # (batch, frames, 2 c) to (batch, frames, c)
    values, gates = ops.split(layers.Dense(2 * channels, name=f"{name}_expand")(x), 2, axis=-1)
    x = values * ops.sigmoid(gates)
    x = layers.DepthwiseConv1D(kernel, padding="same", name=f"{name}_depthwise")(x)
    x = layers.Activation("silu")(NORMS[norm](name=f"{name}_depthwise_norm")(x))
    x = layers.Dense(channels, name=f"{name}_project")(x)
    return layers.Dropout(dropout)(x)


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return NORMS["layer"](name=f"{name}_norm")(x)


def _add(x: keras.KerasTensor, y: keras.KerasTensor, factor: float = 1.0) -> keras.KerasTensor:
    return layers.Add()([x, y if factor == 1.0 else factor * y])


@keras.saving.register_keras_serializable("wideband")
class WindowAttention(layers.Layer):
    """Self-attention with relative positions in a window: (batch, frames, c) to the same.

    The score of frame j for frame i and a head is (q_i + u) k_j + (q_i + v) W r_(i-j), divided by
    the root of the head's channels, where r has the sines and cosines of the distance, as in
    "Attention is all you need". Each frame attends to `span` frames on either side, as far as there
    are as many.

    The frames are cut into blocks of `span`; each block attends to itself and its neighbours.

    Args:
        heads: number of heads, a divisor of c.
        span: frames on either side, at least 1.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: the span is below 1, or the heads do not divide an even number of channels.

    Example:
        >>> WindowAttention(heads=4, span=16)(keras.ops.ones((2, 100, 96))).shape
        TensorShape([2, 100, 96])
    """

    def __init__(self, heads: int, span: int, **kwargs) -> None:
        if span < 1:
            raise UserError(f"span {span} must be at least 1 frame")
        super().__init__(**kwargs)
        self.heads, self.span = heads, span

    def build(self, input_shape) -> None:
        """Creates the projections, that of the positions without a bias, and the biases u and v."""
        channels = input_shape[-1]
        if self.heads < 1 or channels % self.heads or channels % 2:
            raise UserError(
                f"heads {self.heads} must divide the number of channels, {channels}, an even number"
            )
        shape = self.heads, channels // self.heads
        self.query, self.key, self.value, self.mix = (
            layers.Dense(channels, dtype=self.dtype_policy, name=name)
            for name in ("query", "key", "value", "mix")
        )
        self.position = layers.Dense(
            channels, use_bias=False, dtype=self.dtype_policy, name="position"
        )
        for dense in (self.query, self.key, self.value, self.mix, self.position):
            dense.build((None, channels))
        self.u = self.add_weight(shape=shape, initializer="glorot_uniform", name="u")
        self.v = self.add_weight(shape=shape, initializer="glorot_uniform", name="v")
        # From the last frame of the window to the first, as distances i - j.
        self._positions = sinusoids(np.arange(-self.span, self.span + 1)[::-1], channels)

    def call(self, x):
        """Attends within x (batch, frames, c)."""
        frames, channels = ops.shape(x)[1], x.shape[-1]
        span, blocks = self.span, -(-frames // self.span)
        each = channels // self.heads
        # (batch, frames, c) to (batch * blocks, span, heads, each)
        query = self._blocks(ops.pad(self.query(x), ((0, 0), (0, span), (0, 0))), blocks)
        query = ops.reshape(query, (-1, span, self.heads, each))
        # (batch, frames, c) to (batch * blocks, 3 span, heads, each)
        key, value = (
            ops.reshape(self._windows(dense(x), blocks), (-1, 3 * span, self.heads, each))
            for dense in (self.key, self.value)
        )
        position = self.position(ops.convert_to_tensor(self._positions, self.compute_dtype))
        position = ops.reshape(position, (-1, self.heads, each))
        content = ops.einsum("nqhd,nkhd->nhqk", query + self.u, key)
        scores = content + self._shift(ops.einsum("nqhd,rhd->nhqr", query + self.v, position))
        weights = self._softmax(scores * (1 / math.sqrt(each)), blocks, frames)
        # (batch * blocks, span, heads, each) to (batch, frames, c)
        mixed = ops.einsum("nhqk,nkhd->nqhd", weights, value)
        mixed = ops.reshape(mixed, (-1, blocks * span, channels))
        return self.mix(mixed[:, :frames])

    def _blocks(self, x, blocks):
        """Cuts x (batch, at least blocks * span, c) into (batch, blocks, span, c)."""
        x = x[:, : blocks * self.span]
        return ops.reshape(x, (-1, blocks, self.span, x.shape[-1]))

    def _windows(self, x, blocks):
        """Returns each block between its neighbours: x to (batch, blocks, 3 span, c)."""
        x = ops.pad(x, ((0, 0), (self.span, 2 * self.span), (0, 0)))
        x = self._blocks(x, blocks + 2)
        return ops.concatenate([x[:, k : k + blocks] for k in range(3)], axis=2)

    def _shift(self, scores):
        """Moves scores of distances, (..., span, 2 span + 1), to frames, (..., span, 3 span).

        Row i moves by i to the right, without loops: each row gets one place more than the result
        has, so that it begins one place later than the row before. Source: Transformer-XL,
        appendix B.
        """
        lead, span = ops.shape(scores)[:2], self.span
        padded = ops.pad(scores, ((0, 0), (0, 0), (0, 0), (0, span)))
        flat = ops.reshape(padded, (-1, lead[1], span * (3 * span + 1)))
        return ops.reshape(flat[..., : span * 3 * span], (-1, lead[1], span, 3 * span))

    def _softmax(self, scores, blocks, frames):
        """Turns scores (batch * blocks, heads, span, 3 span) into weights, which add up to 1."""
        span = self.span
        window = np.arange(3 * span)
        distance = window - np.arange(span)[:, np.newaxis]
        near = ops.convert_to_tensor((distance >= 0) & (distance <= 2 * span))
        # The frame of each place: (blocks, 1, 1, 3 span)
        place = (
            span * (ops.arange(blocks, dtype="int32") - 1)[:, np.newaxis, np.newaxis, np.newaxis]
        )
        place = place + ops.convert_to_tensor(window, "int32")
        exists = ops.logical_and(place >= 0, place < frames)
        # In float32, since half floats have too few digits for the sum.
        scores = ops.reshape(ops.cast(scores, "float32"), (-1, blocks, self.heads, span, 3 * span))
        scores = ops.where(ops.logical_and(near, exists), scores, IGNORED)
        weights = ops.cast(ops.softmax(scores), self.compute_dtype)
        return ops.reshape(weights, (-1, self.heads, span, 3 * span))

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "heads": self.heads, "span": self.span}


def sinusoids(positions: np.ndarray, channels: int) -> np.ndarray:
    """Returns sines and cosines of positions, (positions, channels) float32, sines first."""
    pairs = np.arange(0, channels, 2)
    angles = positions[:, np.newaxis] / LONGEST_WAVE ** (pairs / channels)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
