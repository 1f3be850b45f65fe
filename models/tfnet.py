"""TFNet: one U-Net on the wave, one on its spectrum's magnitudes, joined bin by bin.

Lim, Yeh, Xu, Do, Hasegawa-Johnson: Time-Frequency Networks for Audio Super-Resolution, ICASSP
2018. The published code is moodoki/tfnet.

Where the paper, the published code and its copies differ, and what stands here:
- The fusion weight: in the paper w weighs the magnitude of the time branch and 1 - w that of the
  spectral branch; the code has it the other way round, as Bini's thesis of 2021 remarks, which
  copied it. `fusion` chooses; "paper" is the default. v against -v makes one of the other.
- The clamp w = (tanh(v) + 1) / 2 stands in the code only. It stands here in both readings.
- The code takes the phase by atan2. Here the spectrum is scaled instead (see `Fusion`): the same
  numbers, but gradients without NaN, which the code's README warns of. Only a bin without any
  content differs: the code gives it phase 0, here it stays empty.
- The convolutions down and up have no bias; the bottleneck and the last one have. No branch adds
  its input to its output. The thesis has both biases and additions.
- The code drops out behind the activations, AudioUNet before them: the same function, for an
  activation that keeps the sign and is linear on either side.
- The bottleneck has the last level's filters. The code's two branches share one dictionary for it:
  different sizes of the branches would there get the spectral branch's bottleneck.
- The replicator of the code fails at ratios that do not divide the bins; here the last copy is
  cut. Its variants on short-time spectra came after the paper and are left out.
- The magnitudes are not normalised: they grow with the patch, so a network is right for patches
  of the length that it was trained with. It runs on any multiple of 64 samples.
- The input is upsampled by FFT, not by splines: that is the recipe's business.
"""

from functools import partial

import keras

from .layers import check_choice, check_patch, unet, widen
from .spectral import time_frequency
from .system import Network

PAPER = "Lim et al. 2018"

FILTERS = {"slim": (64, 128, 256, 256), "full": (128, 256, 512, 512)}
KERNELS = (65, 33, 17, 9)


@keras.saving.register_keras_serializable("wideband")
class TFNet(Network):
    """The TFNet: (batch, n, 1) interpolated to (batch, n, 1) restored, n a multiple of 64.

    Source: the paper; tfnet-2018.flags of the published code has the slim size, which has
    28,214,405 parameters. The full size has AudioUNet's filters in both branches.

    Args:
        variant: "slim" (the paper's: half of AudioUNet's filters) or "full".
        ratio: the high rate over the low rate, for the spectral replicator.
        fusion: "paper" or "published", how the fusion weight is read.
        patch: samples of the training patches, for which there are patch / 2 + 1 fusion weights.
        width: multiplies every number of filters, for networks that a laptop can train.
        dropout: rate in the bottlenecks and on the way up; active in training only.
        name: of the Keras model.

    Raises:
        UserError: variant or fusion is unknown, the ratio is below 1, the patch is no multiple
            of 64, or the width leaves a layer without filters.

    Example:
        >>> TFNet(width=0.25)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"
    # The Fourier transform runs over all of the patch.
    context = None

    def __init__(
        self,
        variant: str = "slim",
        ratio: int = 4,
        fusion: str = "paper",
        patch: int = 8192,
        width: float = 1.0,
        dropout: float = 0.5,
        name: str = "tfnet",
    ) -> None:
        check_choice("variant", variant, FILTERS)
        filters = widen(FILTERS[variant], width)
        # The spectral branch, half as long as the wave, halves once more than there are levels.
        multiple = 2 * 2 ** (len(filters) + 1)
        check_patch(patch, multiple)

        # === Functional Model ===
        branch = partial(
            unet,
            filters=filters,
            kernels=KERNELS,
            bottleneck_filters=filters[-1],
            use_bias=False,
            dropout=dropout,
            last_initializer="glorot_uniform",
        )
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        x = time_frequency(wave, branch, branch, ratio=ratio, patch=patch, fusion=fusion)
        super().__init__(wave, x, name=name)

        # === Config ===
        self.variant, self.ratio, self.fusion, self.patch = variant, ratio, fusion, patch
        self.width, self.dropout = width, dropout
        self.multiple = multiple
