"""TFiLM: a U-Net on the interpolated wave with recurrent modulations.

Birnbaum, Kuleshov, Enam, Koh, Ermon: Temporal FiLM: Capturing Long-Range Sequence Dependencies with
Feature-Wise Modulations, NeurIPS 2019, arXiv:1909.06628. The published code is audiotfilm.py in
kuleshov/audio-super-res. The layer is `layers.TFiLM`, the U-Net `unets.film_unet`.

Where the paper and the published code differ, and what is implemented here:
- The paper modulates with a scale and a shift; the code and this network with a scale only.
- In the paper, every modulation runs over 32 blocks of a patch of 8192 samples, both ways. This is
  the default. The code keeps the bottleneck's block length of 8 on the way up, so its modulations
  run over 64, 128, 256 and 512 blocks there; `blocks="published"` does the same. Both have the same
  parameters: weights fit either one, but the outputs differ.
- The gates of the LSTM were hard sigmoids in the code of 2019, which ran on Keras 1.2.1. Since it
  moved to Keras 2.4, in April 2021, they have been sigmoids. Both take the same weights, but the
  outputs differ. `gates` selects one; "sigmoid" is the default, because it is the LSTM of the
  literature, of the code as it runs today, and of its copy in ncarraz/AFILM.
- The initial weights of the code of 2019 are those of Keras 1: see `layers.TapOrthogonal`.
  `initializer` selects one; "keras2", as in the code since 2021, is the default.
- Convolutions have stride 1 and dilation 2, and max-pooling halves the sequence. The code has
  arguments for the size and the stride of the pooling. It ignored them until April 2021. Since then
  it uses them, and their default of 4 does not fit its subpixel step: only 2 works.
- The order in the bottleneck is that of the code: pooling, dropout, activation, modulation.
- The copy of this network (tfilm.py in ncarraz/AFILM) initializes the last convolution with a
  standard deviation of 0.05 in place of 0.001, and repeats the block lengths of the code.
"""

from functools import partial

import keras

from .layers import TFiLM, add_wave, widen
from .system import Network
from .unets import film_unet, first_block

FILTERS = (128, 256, 512, 512)
KERNELS = (65, 33, 17, 9)
BOTTLENECK_FILTERS = 512


@keras.saving.register_keras_serializable("wideband")
class TFiLMNet(Network):
    """The TFiLM network: (batch, n, 1) interpolated to (batch, n, 1) restored.

    n is a multiple of a block, which is patch / 32: 256 samples as published. Longer waves have
    more blocks.

    Source: the paper; 68,221,186 parameters, as printed in a training log of the published code
    (issue 47 of kuleshov/audio-super-res).

    Args:
        blocks: "paper", or "published" for the block lengths of the published code.
        patch: samples of the training patches. A patch has 32 blocks, or fewer if it is too short
            for 32 blocks in the bottleneck: 256 samples make 8.
        width: multiplies every number of filters, for networks that train on a laptop.
        dropout: dropout rate in the bottleneck and on the way up; active in training only.
        gates: "sigmoid", or "hard_sigmoid" for the LSTM of the published code in 2019.
        initializer: "keras2", or "keras1" for the initial weights of the published code in 2019.
        name: the name of the Keras model.

    Raises:
        UserError: `blocks`, `gates` or `initializer` is unknown, the network does not take the
            patch, or the width leaves a layer without filters.

    Example:
        >>> TFiLMNet(width=0.25)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"
    # The LSTM runs over the whole patch.
    context = None

    def __init__(
        self,
        blocks: str = "paper",
        patch: int = 8192,
        width: float = 1.0,
        dropout: float = 0.5,
        gates: str = "sigmoid",
        initializer: str = "keras2",
        name: str = "tfilm",
    ) -> None:
        *filters, bottleneck = widen((*FILTERS, BOTTLENECK_FILTERS), width)
        block = first_block(patch, len(FILTERS))

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        x = film_unet(
            wave,
            filters,
            KERNELS,
            bottleneck,
            film=partial(TFiLM, gates=gates, initializer=initializer),
            first_block=block,
            blocks=blocks,
            dropout=dropout,
            initializer=initializer,
        )
        super().__init__(wave, add_wave(x, wave), name=name)

        # === Config ===
        self.blocks, self.patch, self.width, self.dropout = blocks, patch, width, dropout
        self.gates, self.initializer = gates, initializer
        self.multiple = 2 * block
