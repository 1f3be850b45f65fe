"""StreamNet: our small causal network for phones, which has no paper.

Temporal convolutions (van den Oord et al. 2016, WaveNet, arXiv:1609.03499; Bai et al. 2018,
arXiv:1803.01271) run over frames of 4 ms, which a learned filter bank computes from the low wave. A
second filter bank turns each frame into samples at the high rate. In parallel, a learned
interpolation, which starts as a windowed sinc, brings the low band to the high rate. All
convolutions look back only, from 16 ms after the end of a frame, so the look-ahead is at most
20 ms.

As a Keras model the network takes whole waves. `step` builds the same network for the next 256
samples at the high rate, with its states as inputs and outputs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import layers, ops

from .layers import check_choice, sinc_kernel, widen
from .system import Network

CHANNELS = 128
DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)
# Lengths of a frame, a step and the look-ahead, in samples at the high rate.
FRAME, STEP, LOOK_AHEAD = 64, 256, 256
# Half the length of the initial interpolating sinc, in samples at the low rate.
SINC_HALF = 16

# Prepends the `count` samples before a sequence (batch, n, c), to (batch, count + n, c).
History = Callable[[keras.KerasTensor, int], keras.KerasTensor]


@keras.saving.register_keras_serializable("wideband")
class StreamNet(Network):
    """The network for phones: (batch, n, 1) at the low rate to (batch, ratio n, 1) restored.

    n is a multiple of a frame, 64 / ratio. `multiple` and `context` count samples at the low rate.

    Args:
        ratio: the high rate over the low rate: 2, 4, 8 or 16.
        width: multiplies the channels.
        name: the name of the Keras model.

    Raises:
        UserError: the ratio is not supported, or the width leaves a layer without channels.

    Example:
        >>> StreamNet(ratio=4)(keras.ops.zeros((1, 1024, 1))).shape
        TensorShape([1, 4096, 1])
    """

    wants = "low"
    # The lag of the output of `step`, in samples at the high rate.
    delay = LOOK_AHEAD

    def __init__(self, ratio: int = 4, width: float = 1.0, name: str = "streamnet") -> None:
        check_choice("ratio", ratio, (2, 4, 8, 16))
        (channels,) = widen((CHANNELS,), width)
        ahead = LOOK_AHEAD // ratio

        # === Functional Model ===
        low = keras.Input((None, 1), name="low")  # (batch, n, 1)
        x = layers.ZeroPadding1D((0, ahead))(low)
        x = _network(x, _convolutions(ratio, channels), _silence, ratio)
        # Drop the samples that belong to the look-ahead.
        super().__init__(low, layers.Cropping1D((LOOK_AHEAD, 0), dtype="float32")(x), name=name)

        # === Config ===
        self.ratio, self.width = ratio, width
        self.multiple = FRAME // ratio
        # Frames of the analysis, of the blocks, and of the synthesis.
        frames = 3 + 2 * sum(DILATIONS) + 1
        self.context = frames * self.multiple - ahead

    def step(self) -> keras.Model:
        """Builds the network for one step of a stream, with the weights of this one.

        Returns:
            a model for one channel: [low (1, 256 / ratio, 1), states...] to [restored (1, 256, 1),
            states...]. Each state (1, count, channels) starts as zeros and is passed from step to
            step. The restored wave lags by 256 samples.
        """
        low = keras.Input((STEP // self.ratio, 1), batch_size=1, name="low")
        before: list[keras.KerasTensor] = []
        after: list[keras.KerasTensor] = []

        def remember(x: keras.KerasTensor, count: int) -> keras.KerasTensor:
            state = keras.Input((count, x.shape[-1]), batch_size=1, name=f"state_{len(before):02}")
            longer = ops.concatenate([state, x], axis=1)
            before.append(state)
            after.append(longer[:, -count:])
            return longer

        convolutions = {layer.name: layer for layer in self.layers}
        restored = _network(low, convolutions, remember, self.ratio)
        return keras.Model([low, *before], [restored, *after], name=f"{self.name}_step")


def _silence(x: keras.KerasTensor, count: int) -> keras.KerasTensor:
    """Prepends zeros, the history of a whole wave."""
    return layers.ZeroPadding1D((count, 0))(x)


def _convolutions(ratio: int, channels: int) -> dict[str, layers.Layer]:
    """Creates the convolutions by name. They do not pad: their inputs include the history."""
    frame, ahead = FRAME // ratio, LOOK_AHEAD // ratio
    convolutions = [
        # In float32 even under mixed precision: half floats would round the wave itself.
        layers.Conv1D(
            ratio,
            ahead + SINC_HALF + 1,
            use_bias=False,
            kernel_initializer=keras.initializers.Constant(sinc_kernel(ratio, SINC_HALF, ahead)),
            dtype="float32",
            name="interpolation",
        ),
        _conv("analysis", channels, 3 * frame, strides=frame),
    ]
    for k, dilation in enumerate(DILATIONS):
        convolutions += [
            _conv(f"dilated_{k}", channels, 3, dilation_rate=dilation),
            # The sum of all blocks starts close to zero.
            _conv(f"mix_{k}", channels, 1, stddev=0.02),
        ]
    # The high band starts close to zero, too.
    convolutions.append(_conv("synthesis", FRAME, 2, stddev=1e-3))
    return {layer.name: layer for layer in convolutions}


def _conv(
    name: str, filters: int, kernel: int, *, stddev: float | None = None, **options: int
) -> layers.Conv1D:
    """Creates a convolution with a normal initializer: He's, or one of the standard deviation."""
    initializer = (
        keras.initializers.RandomNormal(stddev=stddev) if stddev else keras.initializers.HeNormal()
    )
    return layers.Conv1D(filters, kernel, kernel_initializer=initializer, name=name, **options)


def _network(
    low: keras.KerasTensor, convolutions: Mapping[str, Any], history: History, ratio: int
) -> keras.KerasTensor:
    """Builds the network: (batch, n, 1) to (batch, ratio n, 1), which lags by the look-ahead."""
    # (batch, n, ratio) to (batch, ratio n, 1)
    wave = convolutions["interpolation"](history(low, LOOK_AHEAD // ratio + SINC_HALF))
    wave = layers.Reshape((-1, 1), dtype="float32")(wave)
    # (batch, frames, channels)
    x = convolutions["analysis"](history(low, 2 * FRAME // ratio))
    for k, dilation in enumerate(DILATIONS):
        y = layers.LeakyReLU(negative_slope=0.2)(x)
        y = convolutions[f"dilated_{k}"](history(y, 2 * dilation))
        y = layers.LeakyReLU(negative_slope=0.2)(y)
        x = layers.Add()([x, convolutions[f"mix_{k}"](y)])
    # (batch, frames, 64) to (batch, ratio n, 1); each frame continues into the next
    x = history(layers.LeakyReLU(negative_slope=0.2)(x), 1)
    x = layers.Reshape((-1, 1))(convolutions["synthesis"](x))
    return layers.Add(dtype="float32")([wave, x])
