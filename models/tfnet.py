"""TFNet: one U-Net on the wave and one on the magnitudes of its spectrum, joined bin by bin.

Lim, Yeh, Xu, Do, Hasegawa-Johnson: Time-Frequency Networks for Audio Super-Resolution, ICASSP
2018. The published code is moodoki/tfnet.

Where the paper, the published code and its copies differ, and what is implemented here:
- The fusion weight: in the paper, w is the weight of the time branch's magnitude and 1 - w that of
  the spectral branch's. In the code it is the other way round, which Bini's thesis of 2021 remarks
  and copies. `fusion` selects one; "paper" is the default. Negating v turns one into the other.
- The clamp w = (tanh(v) + 1) / 2 is in the code only. Here both variants have it.
- The code takes the phase with atan2. Here the spectrum is scaled instead (see `Fusion`): the
  numbers are the same, but there are no NaN gradients, of which the code's README warns. Bins
  differ in which the magnitude of the time branch is below a floor of 1e-4: the spectral branch's
  share is multiplied by that magnitude over 1e-4 here, but added as it is in the code. Empty bins
  stay empty here; in the code they get the spectral branch's share with a phase of 0.
- The convolutions on the way down and up have no bias; the bottleneck and the last one have one. No
  branch adds its input to its output. The thesis has both biases and additions.
- The code has dropout after the activations, AudioUNet before them. The function is the same,
  because the activations are linear on either side of zero and keep the sign.
- The bottleneck has the filters of the last level. In the code the two branches share one
  dictionary for it, so branches of different sizes would both get the bottleneck of the spectral
  branch.
- The replicator of the code fails if the ratio does not divide the bins; here the last copy is cut.
  Its variants on short-time spectra came after the paper and are left out.
- Magnitudes are not normalized. They grow with the patch, so a network is accurate for patches of
  the length that it was trained on, although it runs on any multiple of 64 samples.
- The paper upsamples the input with an FFT, not with splines. Here the recipe determines this.
"""

from functools import partial

import keras

from .layers import check_choice, check_patch, widen
from .limits import check_range
from .spectral import FUSIONS, HIGHEST_RATIO, time_frequency
from .system import Network
from .unets import unet

FILTERS = {"slim": (64, 128, 256, 256), "full": (128, 256, 512, 512)}
KERNELS = (65, 33, 17, 9)


@keras.saving.register_keras_serializable("wideband")
class TFNet(Network):
    """The TFNet: (batch, n, 1) interpolated to (batch, n, 1) restored, n a multiple of 64.

    Source: the paper; tfnet-2018.flags of the published code has the slim size, with 28,214,405
    parameters. The full size has AudioUNet's filters in both branches.

    Args:
        variant: "slim" (the paper's: half of AudioUNet's filters) or "full".
        ratio: the high rate over the low rate, for the spectral replicator.
        fusion: "paper" or "published", the meaning of the fusion weight.
        patch: samples of the training patches; there are patch / 2 + 1 fusion weights.
        width: multiplies every number of filters, for networks that train on a laptop.
        dropout: dropout rate in the bottlenecks and on the way up; active in training only.
        name: the name of the Keras model.

    Raises:
        UserError: the variant or the fusion is unknown, the ratio is out of range, the patch is not
            a multiple of 64, or the width leaves a layer without filters.

    Example:
        >>> TFNet(width=0.25)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"
    # The Fourier transform runs over the whole patch.
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
        check_choice("fusion", fusion, FUSIONS)
        check_range("ratio", ratio, 1, HIGHEST_RATIO)
        filters = widen(FILTERS[variant], width)
        # The spectrum is half as long as the wave, and its branch halves levels + 1 times.
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
