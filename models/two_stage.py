"""The two-stage conformers of CMGAN: one along time, then one along frequency.

They take images of spectra, (batch, frames, bins, c). A stage sees each row, or each column, as a
sequence.

Sources: Cao et al. 2022 (see `cmgan`); models/conformer.py in ruizhecao96/CMGAN, which is that of
lucidrains/conformer. That conformer differs from the one of Gulati et al. 2020 (arXiv:2005.08100):
- Positions are those of Shaw et al. 2018 (arXiv:1803.02155): a trained vector for each distance up
  to 512, which all heads share, in place of sinusoids with two biases.
- Queries, keys and values have no biases.
- The gate leaves twice the channels, so the depthwise convolution is twice as wide.
- Dropout follows the attention and the dense layers, not the convolutions.

CMGAN adds the input of each conformer to its output, although a conformer has a path around each of
its parts and ends with a normalization.
"""

import keras
from keras import layers, ops

from .layers import pytorch_start
from .srresnet import BATCH_NORM

HEADS = 4
# Of the depthwise convolutions.
TAPS = 31
# Hidden channels of a dense part, and channels of a convolution, relative to those of the image.
FEED_FORWARD, CONVOLVED = 4, 2
# The largest distance with a vector of its own.
LONGEST = 512
EPSILON = 1e-5


@keras.saving.register_keras_serializable("wideband")
class RelativeAttention(layers.Layer):
    """Attention along one axis of an image, with trained vectors for relative positions.

    [query, key, value], each (batch, frames, bins, c), to (batch, frames, bins, c). The score of a
    key at position j for a query at i is q . (k + p[i - j]) / sqrt(c / heads), where distances are
    clamped at `longest`.

    Source: Shaw et al. 2018, equation 5.

    Args:
        axis: 1 for time, 2 for frequency.
        heads: a divisor of c.
        longest: the largest distance with a vector of its own.
        **kwargs: arguments of a Keras layer, such as `name` and `dtype`.
    """

    def __init__(self, axis: int, heads: int = HEADS, longest: int = LONGEST, **kwargs) -> None:
        super().__init__(**kwargs)
        self.axis, self.heads, self.longest = axis, heads, longest

    def build(self, input_shape) -> None:
        """Creates the vectors of the distances from -longest to longest."""
        self.positions = self.add_weight(
            shape=(2 * self.longest + 1, input_shape[0][-1] // self.heads),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="positions",
        )

    def call(self, inputs):
        """Attends to [query, key, value]."""
        query, key, value = (self._sequences(x) for x in inputs)
        query = query * query.shape[-1] ** -0.5
        step = ops.arange(ops.shape(query)[3])
        distance = ops.clip(step[:, None] - step, -self.longest, self.longest)
        # (n, n, c / heads)
        vectors = ops.take(self.positions, distance + self.longest, axis=0)
        # (batch, others, heads, n, n)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
        scores = scores + ops.einsum("bohid,ijd->bohij", query, vectors)
        # (batch, others, heads, n, c / heads)
        x = ops.matmul(ops.softmax(scores), value)
        x = ops.transpose(x, self._order(back=True))
        return ops.reshape(x, ops.shape(inputs[0]))

    def _sequences(self, x):
        """Splits an image into heads, (batch, others, heads, n, c / heads)."""
        batch, frames, bins, channels = ops.shape(x)
        x = ops.reshape(x, (batch, frames, bins, self.heads, channels // self.heads))
        return ops.transpose(x, self._order(back=False))

    def _order(self, back: bool) -> tuple[int, ...]:
        """Returns the order of axes in which n and the heads come last, or the way back."""
        if self.axis == 2:
            return 0, 1, 3, 2, 4
        return (0, 3, 1, 2, 4) if back else (0, 2, 3, 1, 4)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the query."""
        return input_shape[0]

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        own = {"axis": self.axis, "heads": self.heads, "longest": self.longest}
        return {**super().get_config(), **own}


def two_stage(x: keras.KerasTensor, dropout: float, name: str) -> keras.KerasTensor:
    """Builds a conformer along time, then one along frequency.

    The layers of a stage are named NAME_time_PART and NAME_frequency_PART.

    Args:
        x: (batch, frames, bins, c), c a multiple of `HEADS`.
        dropout: after the attention and the dense layers.
        name: begins the names of the layers.
    """
    for axis, stage in ((1, "time"), (2, "frequency")):
        x = layers.Add()([x, _conformer(x, axis, dropout, f"{name}_{stage}")])
    return x


def _conformer(x: keras.KerasTensor, axis: int, dropout: float, name: str) -> keras.KerasTensor:
    """Builds a conformer along an axis."""
    x = layers.Add()([x, 0.5 * _feed_forward(x, dropout, f"{name}_first")])
    x = layers.Add()([x, _attention(x, axis, dropout, f"{name}_attention")])
    x = layers.Add()([x, _convolution(x, axis, f"{name}_conv")])
    x = layers.Add()([x, 0.5 * _feed_forward(x, dropout, f"{name}_second")])
    return _norm(f"{name}_last")(x)


def _feed_forward(x: keras.KerasTensor, dropout: float, name: str) -> keras.KerasTensor:
    """Builds two dense layers."""
    channels = x.shape[-1]
    x = _dense(_norm(name)(x), FEED_FORWARD * channels, f"{name}_expand", activation="silu")
    x = layers.Dropout(dropout)(x)
    return layers.Dropout(dropout)(_dense(x, channels, f"{name}_project"))


def _attention(x: keras.KerasTensor, axis: int, dropout: float, name: str) -> keras.KerasTensor:
    """Builds attention along an axis."""
    channels = x.shape[-1]
    x = _norm(name)(x)
    parts = [
        _dense(x, channels, f"{name}_{part}", use_bias=False) for part in ("query", "key", "value")
    ]
    x = _dense(RelativeAttention(axis, name=name)(parts), channels, f"{name}_project")
    return layers.Dropout(dropout)(x)


def _convolution(x: keras.KerasTensor, axis: int, name: str) -> keras.KerasTensor:
    """Builds a gate and a depthwise convolution along an axis."""
    channels = x.shape[-1]
    inner = CONVOLVED * channels
    x = _norm(name)(x)
    gate = _dense(x, inner, f"{name}_gate", activation="sigmoid")
    x = layers.Multiply()([_dense(x, inner, f"{name}_expand"), gate])
    start = pytorch_start(TAPS)
    x = layers.DepthwiseConv2D(
        (TAPS, 1) if axis == 1 else (1, TAPS),
        padding="same",
        depthwise_initializer=start["kernel_initializer"],
        bias_initializer=start["bias_initializer"],
        name=f"{name}_depthwise",
    )(x)
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_batch_norm")(x)
    return _dense(layers.Activation("silu")(x), channels, f"{name}_project")


def _dense(x: keras.KerasTensor, units: int, name: str, **options) -> keras.KerasTensor:
    start = pytorch_start(x.shape[-1])
    if not options.get("use_bias", True):
        del start["bias_initializer"]
    return layers.Dense(units, **start, **options, name=name)(x)


def _norm(name: str) -> layers.Layer:
    """Returns a normalization over the channels, whose layer is named NAME_norm."""
    return layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")
