"""The U-Net of the Keras project: it takes the wave at its low rate, without interpolation.

Şut: Audio Super-Resolution, 2022, the project sutgeorge/Audio-Super-Resolution. No paper describes
the network; its README tells of its stages, and Project/model*.py hold them.

Which of its networks stands here, and what differs:
- In its first stage, with chunks of 256 samples, the network took the interpolated wave. From the
  second on (4800 samples, then 4096) it takes the wave at the low rate, a quarter of the chunk, and
  brings it to the high rate by two more upsampling blocks. This is the network of the last stages:
  64, 128 and 256 filters, kernels of 32, batch normalization on the way down.
- It was also run with 4 and 5 levels, and without dropout in the two last blocks, where dropout
  puts noise into the wave: `levels` and `last_dropout`. The stage with separable convolutions and
  the inception blocks are left out.
- There the ratio is 4; here it is any power of 2, one block for each factor of 2.
- Its input is added to all 32 channels where its own rate is reached again, not to the output.
- LeakyReLU has Keras's slope of 0.3, and stands before the dropout.
- The project feeds 16-bit integers as they are; this suite's waves are in [-1, 1].
"""

import math

import keras
from keras import layers

from ..command import UserError
from .layers import Subpixel, add_wave, check_choice, widen
from .system import Network

PAPER = "Sut 2022"

# levels: filters on the way down, and those of the blocks with skips on the way up
DOWN = {3: (64, 128, 256), 4: (64, 128, 128, 256), 5: (64, 64, 128, 128, 256)}
UP = {3: (256, 128, 64), 4: (256, 128, 128, 64), 5: (256, 128, 128, 64, 64)}
BOTTLENECK_FILTERS, LAST_FILTERS = 256, 64
KERNEL = 32


@keras.saving.register_keras_serializable("wideband")
class KerasUNet(Network):
    """The Keras project's U-Net: (batch, n, 1) at the low rate to (batch, ratio n, 1) restored.

    n is a multiple of 2 ** (levels + 1). `multiple` and `context` count samples at the low rate,
    which are those of its input.

    Source: Project/model.py of sutgeorge/Audio-Super-Resolution.

    Args:
        ratio: the high rate over the low rate, a power of 2; 4 as published.
        levels: 3, 4 or 5 halvings before the bottleneck.
        last_dropout: whether the blocks that reach the high rate have dropout too.
        width: multiplies every number of filters, for networks that a laptop can train.
        dropout: rate on the way up; active in training only.
        name: of the Keras model.

    Raises:
        UserError: the ratio is no power of 2 above 1, there is no such number of levels, or the
            width leaves a layer without filters.

    Example:
        >>> KerasUNet(ratio=4, width=0.25)(keras.ops.zeros((1, 1024, 1))).shape
        TensorShape([1, 4096, 1])
    """

    wants = "low"

    def __init__(
        self,
        ratio: int = 4,
        levels: int = 3,
        last_dropout: bool = True,
        width: float = 1.0,
        dropout: float = 0.5,
        name: str = "keras_unet",
    ) -> None:
        if ratio < 2 or ratio & (ratio - 1):
            raise UserError(f"ratio {ratio} is no power of 2 above 1")
        check_choice("levels", levels, DOWN)
        bottleneck, last = widen((BOTTLENECK_FILTERS, LAST_FILTERS), width, 2)

        # === Functional Model ===
        wave = keras.Input((None, 1), name="low")  # (batch, n, 1)
        x, skips = wave, []
        for count in widen(DOWN[levels], width):
            # (batch, m, c) to (batch, m / 2, count)
            x = _conv(count, strides=2)(x)
            x = layers.BatchNormalization()(x)
            x = layers.LeakyReLU(negative_slope=0.3)(x)
            skips.append(x)

        # (batch, m, c) to (batch, m / 2, bottleneck)
        x = _conv(bottleneck, strides=2)(x)
        x = layers.LeakyReLU(negative_slope=0.3)(x)

        for count in widen(UP[levels], width, 2):
            # (batch, m, c) to (batch, 2 m, count / 2), then the skip's channels behind
            x = _upsample(x, count, dropout)
            x = layers.Concatenate()([x, skips.pop()])
        # (batch, n / 2, c) to (batch, n, last / 2); the wave is added to every channel
        x = add_wave(_upsample(x, last, dropout), wave)

        # (batch, n, c) to (batch, ratio n, last / 2)
        for _ in range(round(math.log2(ratio))):
            x = _upsample(x, last, dropout if last_dropout else 0.0)
        # In float32 even under mixed precision: half floats would round the wave itself.
        x = layers.Conv1D(
            1, 1, kernel_initializer=keras.initializers.Orthogonal(), dtype="float32"
        )(x)
        super().__init__(wave, x, name=name)

        # === Config ===
        self.ratio, self.levels, self.last_dropout = ratio, levels, last_dropout
        self.width, self.dropout = width, dropout
        self.multiple = 2 ** (levels + 1)
        self.context = _context(levels, ratio)


def _conv(filters: int, strides: int = 1) -> layers.Conv1D:
    return layers.Conv1D(
        filters,
        KERNEL,
        strides=strides,
        padding="same",
        kernel_initializer=keras.initializers.Orthogonal(),
    )


def _upsample(x: keras.KerasTensor, filters: int, dropout: float) -> keras.KerasTensor:
    """(batch, m, c) to (batch, 2 m, filters / 2)."""
    x = _conv(filters)(x)
    x = layers.LeakyReLU(negative_slope=0.3)(x)
    x = layers.Dropout(dropout)(x)
    return Subpixel()(x)


def _context(levels: int, ratio: int) -> int:
    """Low-rate samples on either side of an output sample that it can see, up to the grid."""
    coarsest = 2 ** (levels + 1)
    # Down to the coarsest step, and up to the step of the last convolution before the high rate.
    steps = [2.0**level for level in range(levels + 1)]
    steps += [2.0**level for level in range(levels + 1, -round(math.log2(ratio)), -1)]
    reach = sum(KERNEL // 2 * step for step in steps)
    # An output may stand anywhere within the coarsest step.
    return math.ceil(reach / coarsest) * coarsest + coarsest
