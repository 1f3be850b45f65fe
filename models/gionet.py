"""The networks of Bini's thesis: the branches of TFNet with the U-Nets of TFiLM, and baselines.

Bini: Deep Learning for Audio Super Resolution, master's thesis, University of Milano-Bicocca, 2021.
Code and LaTeX source are giorgiobini/Deep-Learning-for-Audio-Super-Resolution. The thesis proposes
`gionet` and compares it with TFNet and TFiLM, reduced to three levels to have about the same size:

    variant    time branch           spectral branch       parameters
    gionet     TFiLM 64, 128, 256    TFiLM 64, 128, 256    24,032,005
    gionet2    TFiLM 64, 128, 256    U-Net 64, 128, 288    23,485,829
    tfnet      U-Net 64, 128, 288    U-Net 64, 128, 288    22,939,653
    tfilmnet   TFiLM 64, 128, 448    none                  24,735,106

The bottleneck has as many filters as the last level. gionet2 is in the code only; its number of
parameters is printed in src/Training.ipynb, the others follow from src/params.py.

Where the thesis, its code and the papers before it differ, and what is implemented here:
- Both branches add their input to their output, and all convolutions have biases. TFNet has no
  additions, and no biases in the convolutions on the way down and up.
- The fusion weight: w is the weight of the time branch in the text and of the spectral branch in
  the code, as a comment there says. `fusion` selects one; "paper" is the text and the default.
- In the text every modulation runs over 32 blocks. The code has 32 in the time branch but 16 in the
  spectral branch, which is half as long and has the same block lengths; 32 blocks would need 64, 32
  and 16 bins after the levels. On the way up the code keeps the bottleneck's block of 16, as the
  published TFiLM does: 64, 128 and 256 blocks in time, 32, 64 and 128 in the spectrum.
  `blocks="published"` follows the code; "paper" is the text and the default.
- The gates of the LSTM are the default of Keras. The code ran on Google Colab in February 2021 with
  TensorFlow 1.15.2. Its version of Keras, below 2.4, is not recorded. Most likely it was 2.3.1,
  whose gates are sigmoids; up to version 2.2 they were hard sigmoids. `gates` selects one;
  "sigmoid" is the default.
- The figures of the text show "slim" nets of half the size; the trained sizes are those above.
- The text modulates with a scale and a shift; the code and the layer here with a scale only.
- The last convolution starts orthogonal in the U-Nets and with a standard deviation of 0.05 in the
  TFiLM nets, as in the code.
- Phase, replicator and magnitudes are those of TFNet: see tfnet.py.
"""

import math
from collections.abc import Sequence
from functools import partial

import keras

from .layers import GATES, TFiLM, add_wave, check_choice, check_patch, widen
from .limits import check_range
from .spectral import FUSIONS, HIGHEST_RATIO, time_frequency
from .system import Network
from .unets import BLOCKS, film_unet, first_block, unet

# name: (kind and filters of the time branch, the same of the spectral branch)
VARIANTS = {
    "gionet": (("tfilm", (64, 128, 256)), ("tfilm", (64, 128, 256))),
    "gionet2": (("tfilm", (64, 128, 256)), ("unet", (64, 128, 288))),
    "tfnet": (("unet", (64, 128, 288)), ("unet", (64, 128, 288))),
    "tfilmnet": (("tfilm", (64, 128, 448)), None),
}
KERNELS = (65, 33, 17)
# The step of the bottleneck, in samples of the branch's input.
COARSEST = 2 ** (len(KERNELS) + 1)


@keras.saving.register_keras_serializable("wideband")
class GioNet(Network):
    """A network of the thesis: (batch, n, 1) interpolated to (batch, n, 1) restored.

    n is a multiple of the attribute `multiple`: 256 for the published patch, 512 with the published
    blocks, 32 if no branch is a TFiLM net.

    Source: the thesis, chapter 3; src/models.py and src/params.py of its code.

    Args:
        variant: "gionet", "gionet2", "tfnet" or "tfilmnet", as in the table of this module.
        ratio: the high rate over the low rate, for the spectral replicator.
        fusion: "paper" or "published", the meaning of the fusion weight. tfilmnet has no fusion.
        blocks: "paper" or "published", the block lengths of the modulations.
        patch: samples of the training patches. There are patch / 2 + 1 fusion weights. A patch has
            32 blocks at every level, or fewer if it is too short for 32 blocks of one sample in the
            bottleneck.
        width: multiplies every number of filters, for networks that train on a laptop.
        dropout: dropout rate in the bottlenecks and on the way up; active in training only.
        gates: "sigmoid" or "hard_sigmoid", the activation of the gates of the modulations' LSTMs.
        name: the name of the Keras model; by default the variant.

    Raises:
        UserError: the variant, the fusion, the blocks or the gates are unknown, the ratio is out of
            range, the network does not take the patch, or the width leaves a layer without filters.

    Example:
        >>> GioNet(width=0.25)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"
    # The Fourier transform or the LSTM runs over the whole patch.
    context = None

    def __init__(
        self,
        variant: str = "gionet",
        ratio: int = 4,
        fusion: str = "paper",
        blocks: str = "paper",
        patch: int = 8192,
        width: float = 1.0,
        dropout: float = 0.5,
        gates: str = "sigmoid",
        name: str = "",
    ) -> None:
        check_choice("variant", variant, VARIANTS)
        check_choice("fusion", fusion, FUSIONS)
        check_choice("blocks", blocks, BLOCKS)
        check_choice("gates", gates, GATES)
        check_range("ratio", ratio, 1, HIGHEST_RATIO)
        time, spectral = VARIANTS[variant]
        time_block, spectral_block = _first_blocks(variant, patch, blocks)
        multiple = math.lcm(2 * time_block, 4 * spectral_block) if spectral else 2 * time_block
        check_patch(patch, multiple)

        # === Functional Model ===
        branch = partial(_branch, blocks=blocks, width=width, dropout=dropout, gates=gates)
        time_net = partial(branch, *time, first_block=time_block)
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        if spectral is None:
            x = time_net(wave)
        else:
            x = time_frequency(
                wave,
                time_net,
                partial(branch, *spectral, first_block=spectral_block),
                ratio=ratio,
                patch=patch,
                fusion=fusion,
            )
        super().__init__(wave, x, name=name or variant)

        # === Config ===
        self.variant, self.ratio, self.fusion, self.blocks = variant, ratio, fusion, blocks
        self.patch, self.width, self.dropout, self.gates = patch, width, dropout, gates
        self.multiple = multiple


# The second network of the thesis: a TFiLM net in time and a U-Net in the spectrum.
gionet2 = partial(GioNet, variant="gionet2")


def _branch(
    kind: str,
    filters: Sequence[int],
    x: keras.KerasTensor,
    *,
    first_block: int,
    blocks: str,
    width: float,
    dropout: float,
    gates: str,
) -> keras.KerasTensor:
    """Builds a branch, (batch, n, 1) to the same, which adds its input to its output."""
    filters = widen(filters, width)
    net = unet
    if kind == "tfilm":
        film = partial(TFiLM, gates=gates)
        net = partial(
            film_unet, film=film, first_block=first_block, blocks=blocks, last_stddev=0.05
        )
    return add_wave(net(x, filters, KERNELS, filters[-1], dropout=dropout), x)


def _first_blocks(variant: str, patch: int, blocks: str) -> tuple[int, int]:
    """Returns the `first_block` of the time branch and of the spectral branch.

    A branch takes multiples of twice that many samples. For a U-Net, they are its coarsest step.
    """
    kinds = [branch and branch[0] for branch in VARIANTS[variant]]
    time = spectral = COARSEST // 2
    # The spectral branch comes first, because its patches are multiples of more samples.
    if kinds[1] == "tfilm" and blocks == "paper":
        spectral = first_block(patch, len(KERNELS), parts=2)
    if kinds[0] == "tfilm":
        time = first_block(patch, len(KERNELS))
    if kinds[1] == "tfilm" and blocks == "published":
        spectral = time
    return time, spectral
