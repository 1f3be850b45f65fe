"""StreamNet: a small causal network for phones, of our own; no paper stands behind it.

Temporal convolutions (van den Oord et al. 2016, WaveNet, arXiv:1609.03499; Bai et al. 2018,
arXiv:1803.01271) run over frames of 4 ms that a learned filter bank cuts from the low wave, and a
second filter bank turns each frame into samples at the high rate. Beside them a learned
interpolation, which begins as a windowed sinc, brings up the band that is there. All convolutions
look back only, from 16 ms after the end of a frame: the look-ahead is 20 ms at most.

As a Keras model it takes whole waves. `step` gives the same network for the next 256 samples at the
high rate, with all that it remembers as inputs and outputs.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from .layers import check_choice, sinc_kernel, widen
from .system import Network

PAPER = "this project"

CHANNELS = 128
DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)
# Samples at the high rate: of a frame, of what `step` takes, and of the look-ahead.
FRAME, STEP, LOOK_AHEAD = 64, 256, 256
# Low samples on either side from which the interpolation starts.
SINC_HALF = 16

# Prepends what came before a sequence (batch, n, c): (batch, count + n, c).
History = Callable[[keras.KerasTensor, int], keras.KerasTensor]


@keras.saving.register_keras_serializable("wideband")
class StreamNet(Network):
    """The network for phones: (batch, n, 1) at the low rate to (batch, ratio n, 1) restored.

    n is a multiple of a frame, 64 / ratio. `multiple` and `context` count samples at the low rate.

    Args:
        ratio: the high rate over the low rate, a power of 2 up to 16.
        width: multiplies the channels.
        name: of the Keras model.

    Raises:
        UserError: the ratio is none of these, or the width leaves a layer without channels.

    Example:
        >>> StreamNet(ratio=4)(keras.ops.zeros((1, 1024, 1))).shape
        TensorShape([1, 4096, 1])
    """

    wants = "low"
    # Of what `step` gives, in samples at the high rate.
    delay = LOOK_AHEAD

    def __init__(self, ratio: int = 4, width: float = 1.0, name: str = "streamnet") -> None:
        check_choice("ratio", ratio, (2, 4, 8, 16))
        (channels,) = widen((CHANNELS,), width)
        made: dict[str, layers.Layer] = {}

        def layer(name: str) -> layers.Layer:
            return made.setdefault(name, _layer(name, ratio, channels))

        # === Functional Model ===
        low = keras.Input((None, 1), name="low")  # (batch, n, 1)
        ahead = LOOK_AHEAD // ratio
        x = _network(
            layers.ZeroPadding1D((0, ahead))(low),
            layer,
            lambda x, count: layers.ZeroPadding1D((count, 0))(x),
            ratio,
        )
        # What stands before the first sample is the look-ahead's.
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
            a model of one wave: [low (1, 256 / ratio, 1), states...] to [restored (1, 256, 1),
            states...]. Each state (1, count, channels) begins as zeros and is handed on from step
            to step; the restored wave comes 256 samples late.
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

        restored = _network(low, self.get_layer, remember, self.ratio)
        return keras.Model([low, *before], [restored, *after], name=f"{self.name}_step")


def _network(
    low: keras.KerasTensor,
    layer: Callable[[str], Any],
    history: History,
    ratio: int,
) -> keras.KerasTensor:
    """(batch, n, 1) at the low rate to (batch, ratio n, 1), late by the look-ahead."""
    frame = FRAME // ratio
    # (batch, n, ratio) to (batch, ratio n, 1)
    wave = layer("interpolation")(history(low, LOOK_AHEAD // ratio + SINC_HALF))
    wave = layers.Reshape((-1, 1), dtype="float32")(wave)
    # (batch, frames, channels)
    x = layer("analysis")(history(low, 2 * frame))
    for k, dilation in enumerate(DILATIONS):
        y = layers.LeakyReLU(negative_slope=0.2)(x)
        y = layer(f"dilated_{k}")(history(y, 2 * dilation))
        y = layers.LeakyReLU(negative_slope=0.2)(y)
        x = layers.Add()([x, layer(f"mix_{k}")(y)])
    # (batch, frames, 64) to (batch, ratio n, 1); a frame's sound goes on into the next
    x = layer("synthesis")(history(layers.LeakyReLU(negative_slope=0.2)(x), 1))
    x = layers.Reshape((-1, 1))(x)
    return layers.Add(dtype="float32")([wave, x])


def _layer(name: str, ratio: int, channels: int) -> layers.Layer:
    """Makes a convolution by its name; what it looks back on comes with its input."""
    kind, _, number = name.partition("_")
    if kind == "interpolation":
        # In float32 even under mixed precision: half floats would round the wave itself.
        kernel = keras.initializers.Constant(sinc_kernel(ratio, SINC_HALF, LOOK_AHEAD // ratio))
        return layers.Conv1D(
            ratio,
            LOOK_AHEAD // ratio + SINC_HALF + 1,
            use_bias=False,
            kernel_initializer=kernel,
            dtype="float32",
            name=name,
        )
    frame = FRAME // ratio
    options = {
        "analysis": {"filters": channels, "kernel_size": 3 * frame, "strides": frame},
        "dilated": {"filters": channels, "kernel_size": 3},
        "mix": {"filters": channels, "kernel_size": 1},
        "synthesis": {"filters": FRAME, "kernel_size": 2},
    }[kind]
    if kind == "dilated":
        options["dilation_rate"] = DILATIONS[int(number)]
    # A sum of eight blocks, and a treble that begins as next to nothing.
    stddev = {"mix": 0.02, "synthesis": 1e-3}.get(kind)
    initializer = (
        keras.initializers.RandomNormal(stddev=stddev) if stddev else keras.initializers.HeNormal()
    )
    return layers.Conv1D(**options, kernel_initializer=initializer, name=name)
