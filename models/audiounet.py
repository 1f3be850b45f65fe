"""AudioUNet: a one-dimensional U-Net on the interpolated wave.

Kuleshov, Enam, Ermon: Audio Super Resolution using Neural Networks, ICLR 2017 workshop,
arXiv:1708.00853. The published code is kuleshov/audio-super-res.

Where the paper, the published code and its later versions differ, and what is implemented here:
- The paper's figure has batch normalization; the code has it commented out. It is left out here.
- The code's filters were 128, 256, 512, 512 in 2017. A commit of 2019 changed them to 128, 384,
  512, 512 without comment. `variant` selects one; 2017 is the default.
- Both versions of the code ran on Keras 1.2.1. Its orthogonal initial weights differ from those of
  all later versions: see `layers.TapOrthogonal`. `initializer` selects one; "keras2", the later
  ones, is the default.
- Dropout of 0.5 is in the bottleneck and on the way up, before the activation, as in the code.
- The subpixel step is the code's plain reshape, not the channel order of the 2-D PixelShuffle.
"""

import keras

from .layers import add_wave, check_choice, widen
from .system import Network
from .unets import LAST_KERNEL, unet, unet_context

FILTERS = {"2017": (128, 256, 512, 512), "2019": (128, 384, 512, 512)}
KERNELS = (65, 33, 17, 9)
BOTTLENECK_FILTERS, BOTTLENECK_KERNEL = 512, 9


@keras.saving.register_keras_serializable("wideband")
class AudioUNet(Network):
    """The AudioUNet: (batch, n, 1) interpolated to (batch, n, 1) restored, n a multiple of 32.

    Source: the paper; 56,411,394 parameters in the variant of 2017 and 70,977,154 in that of 2019.

    Args:
        variant: "2017" or "2019", the filters of the published code in that year.
        width: multiplies every number of filters, for networks that train on a laptop.
        dropout: dropout rate in the bottleneck and on the way up; active in training only.
        initializer: "keras2", or "keras1" for the initial weights of the published code.
        name: the name of the Keras model.

    Raises:
        UserError: the variant or the initializer is unknown, or the width leaves a layer without
            filters.

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
        initializer: str = "keras2",
        name: str = "audiounet",
    ) -> None:
        variant = str(variant)  # an override in a recipe is parsed as a number
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
            initializer=initializer,
            last_initializer=keras.initializers.RandomNormal(stddev=1e-3),
        )
        super().__init__(wave, add_wave(x, wave), name=name)

        # === Config ===
        self.variant, self.width, self.dropout = variant, width, dropout
        self.initializer = initializer
        self.multiple = 2 ** (len(filters) + 1)
        kernels = (*KERNELS, BOTTLENECK_KERNEL, *KERNELS[::-1], LAST_KERNEL)
        self.context = unet_context(kernels, len(KERNELS))
