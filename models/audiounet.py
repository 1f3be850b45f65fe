"""AudioUNet: a one-dimensional U-Net on the interpolated wave.

Kuleshov, Enam, Ermon: Audio Super Resolution using Neural Networks, ICLR 2017 workshop,
arXiv:1708.00853. The published code is kuleshov/audio-super-res.

Where the paper, the published code and its later states differ, and what stands here:
- The paper draws batch normalisation; the code has it commented out, and so it is left out here.
- The code's filters were 128, 256, 512, 512 in 2017; a commit of 2019 made them 128, 384, 512, 512
  without a word. `variant` chooses; 2017 is the default.
- Dropout of 0.5 stands in the bottleneck and on the way up, before the activation, as in the code.
- The subpixel step is the code's plain reshape, not the channel order of the 2-D PixelShuffle.
"""

import keras

from .layers import LAST_KERNEL, add_wave, check_choice, unet, widen
from .system import Network

PAPER = "Kuleshov et al. 2017"

FILTERS = {"2017": (128, 256, 512, 512), "2019": (128, 384, 512, 512)}
KERNELS = (65, 33, 17, 9)
BOTTLENECK_FILTERS, BOTTLENECK_KERNEL = 512, 9


@keras.saving.register_keras_serializable("wideband")
class AudioUNet(Network):
    """The AudioUNet: (batch, n, 1) interpolated to (batch, n, 1) restored, n a multiple of 32.

    Source: the paper; 56,411,394 parameters in the variant of 2017 and
    70,977,154 in that of 2019.

    Args:
        variant: "2017" or "2019", the filters of the published code in that year.
        width: multiplies every number of filters, for networks that a laptop can train.
        dropout: rate in the bottleneck and on the way up; active in training only.
        name: of the Keras model.

    Raises:
        UserError: the variant is unknown, or the width leaves a layer without filters.

    Example:
        >>> AudioUNet(width=0.25)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"

    def __init__(
        self,
        variant: str = "2017",
        width: float = 1.0,
        dropout: float = 0.5,
        name: str = "audiounet",
    ) -> None:
        variant = str(variant)
        check_choice("variant", variant, FILTERS)
        *filters, bottleneck_filters = widen([*FILTERS[variant], BOTTLENECK_FILTERS], width)

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        x = unet(
            wave,
            filters,
            KERNELS,
            bottleneck_filters,
            BOTTLENECK_KERNEL,
            dropout=dropout,
            last_initializer=keras.initializers.RandomNormal(stddev=1e-3),
        )
        super().__init__(wave, add_wave(x, wave), name=name)

        # === Config ===
        self.variant, self.width, self.dropout = variant, width, dropout
        self.multiple = 2 ** (len(filters) + 1)
        self.context = _context()


def _context() -> int:
    """Samples on either side of an output sample that it can see, rounded up to the grid."""
    reach, step = 0, 1
    for kernel in (*KERNELS, BOTTLENECK_KERNEL):
        reach += kernel // 2 * step
        step *= 2
    for kernel in reversed(KERNELS):
        reach += kernel // 2 * step
        step //= 2
    reach += LAST_KERNEL // 2 * step
    # An output may stand anywhere within the coarsest step, the bottleneck's.
    coarsest = 2 ** (len(KERNELS) + 1)
    return -(-reach // coarsest) * coarsest + coarsest
