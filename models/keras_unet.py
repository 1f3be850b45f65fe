"""The U-Net of the Keras project, which takes the wave at its low rate, without interpolation.

Şut: Audio Super-Resolution, 2022, the project sutgeorge/Audio-Super-Resolution. No paper describes
the network. The README describes its stages, and Project/model*.py have their code.

Which of the networks is implemented here, and how it differs:
- In the first stage, with chunks of 256 samples, the network took the interpolated wave. From the
  second stage on (4800 samples, then 4096) it takes the wave at the low rate, a quarter of the
  chunk, and reaches the high rate with two more upsampling blocks. This is the network of the last
  stages: 64, 128 and 256 filters, kernels of 32, batch normalization on the way down.
- The project ran it with 3, 4 and 5 levels: Project/model-3-layers.py, model-4-layers.py and
  model-5-layers.py. Project/model.py, which the scripts import, is the last one in the latest
  commit. Files that end in -no-dropout-at-the-end.py have no dropout in the last two blocks, where
  dropout adds noise to the wave. See `levels` and `last_dropout`. The stage with separable
  convolutions and the inception blocks are left out.
- The project's ratio is 4. Here it is any power of 2, with one block for each factor of 2.
- The input is added to all 32 channels where the network has returned to the low rate, not to the
  output.
- LeakyReLU has the default slope of Keras 2, 0.3, and precedes the dropout.
- The project feeds 16-bit integers without scaling; here waves are in [-1, 1].
"""

import math

import keras
from keras import layers

from ..command import UserError
from .layers import Subpixel, add_wave, check_choice, widen
from .long_conv import Conv1D
from .system import Network
from .unets import unet_context

# levels: filters on the way down, and those of the blocks with skips on the way up
DOWN = {3: (64, 128, 256), 4: (64, 128, 128, 256), 5: (64, 64, 128, 128, 256)}
UP = {3: (256, 128, 64), 4: (256, 128, 128, 64), 5: (256, 128, 128, 64, 64)}
BOTTLENECK_FILTERS, LAST_FILTERS = 256, 64
KERNEL = 32


@keras.saving.register_keras_serializable("wideband")
class KerasUNet(Network):
    """The Keras project's U-Net: (batch, n, 1) at the low rate to (batch, ratio n, 1) restored.

    n is a multiple of 2 ** (levels + 1). `multiple` and `context` count samples at the low rate.

    Source: Project/model-3-layers.py, model-4-layers.py and model-5-layers.py of
    sutgeorge/Audio-Super-Resolution, one for each number of levels.

    Args:
        ratio: the high rate over the low rate, a power of 2; 4 as published.
        levels: 3, 4 or 5 halvings before the bottleneck.
        last_dropout: whether the blocks above the low rate have dropout, too.
        width: multiplies every number of filters, for networks that train on a laptop.
        dropout: dropout rate on the way up; active in training only.
        name: the name of the Keras model.

    Raises:
        UserError: the ratio is not a power of 2 above 1, the number of levels is not supported, or
            the width leaves a layer without filters.

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
            raise UserError(f"ratio {ratio} must be a power of 2 above 1")
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
            # (batch, m, c) to (batch, 2 m, count / 2), then the channels of the skip
            x = _upsample(x, count, dropout)
            x = layers.Concatenate()([x, skips.pop()])
        # (batch, n / 2, c) to (batch, n, last / 2); the wave is added to every channel
        x = add_wave(_upsample(x, last, dropout), wave)

        # (batch, n, c) to (batch, ratio n, last / 2)
        doublings = round(math.log2(ratio))
        for _ in range(doublings):
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
        self.context = unet_context([KERNEL] * (2 * levels + 2 + doublings), levels, ratio)


def _conv(filters: int, strides: int = 1) -> Conv1D:
    return Conv1D(
        filters,
        KERNEL,
        strides=strides,
        padding="same",
        kernel_initializer=keras.initializers.Orthogonal(),
    )


def _upsample(x: keras.KerasTensor, filters: int, dropout: float) -> keras.KerasTensor:
    """Builds a block from (batch, m, c) to (batch, 2 m, filters / 2)."""
    x = _conv(filters)(x)
    x = layers.LeakyReLU(negative_slope=0.3)(x)
    x = layers.Dropout(dropout)(x)
    return Subpixel()(x)
