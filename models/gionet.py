"""The thesis's networks: TFNet's two branches with TFiLM's U-Nets in them, and what it compares.

Bini: Deep Learning for Audio Super Resolution, master's thesis, University of Milano-Bicocca, 2021.
Code and LaTeX source are giorgiobini/Deep-Learning-for-Audio-Super-Resolution. The thesis proposes
`gionet` and trains TFNet and TFiLM beside it, cut to three levels for about the same size:

    variant    time branch           spectral branch       parameters
    gionet     TFiLM 64, 128, 256    TFiLM 64, 128, 256    24,032,005
    gionet2    TFiLM 64, 128, 256    U-Net 64, 128, 288    23,485,829
    tfnet      U-Net 64, 128, 288    U-Net 64, 128, 288    22,939,653
    tfilmnet   TFiLM 64, 128, 448    none                  24,735,106

The bottleneck has as many filters as the last level. gionet2 stands in the code only; its number
is printed in src/Training.ipynb, the others follow from src/params.py.

Where the thesis, its code and the papers that it builds on differ, and what stands here:
- Both branches add their input to their output, and all convolutions have biases; TFNet's have
  neither additions nor, down and up, biases.
- The fusion weight: in the text w weighs the time branch, in the code the spectral branch (a
  comment there says so). `fusion` chooses; "paper" is the text and the default.
- The text gives every modulation 32 steps. The code has 32 in the time branch and 16 in the
  spectral branch, which is half as long and gets the same block lengths: 64, 32, 16 bins after
  each level would make it 32. And on the way up it keeps the bottleneck's block of 16, as the
  published TFiLM does: 64, 128 and 256 steps in time, 32, 64 and 128 in the spectrum.
  `blocks="published"` does what the code does; "paper" is the text and the default.
- The text draws "slim" nets, halved; the sizes that were trained are those above.
- The text modulates by a scale and a shift; the code by a scale alone, as the layer here does.
- The last convolution starts orthogonal in the U-Nets and at a standard deviation of 0.05 in the
  TFiLM nets, as in the code.
- Phase, replicator and magnitudes are TFNet's: see tfnet.py.
"""

import math
from collections.abc import Sequence
from functools import partial

import keras

from .layers import add_wave, check_choice, check_patch, film_unet, first_block, unet, widen
from .spectral import time_frequency
from .system import Network

PAPER = "Bini 2021"

# name: (kind and filters of the time branch, the same of the spectral branch)
VARIANTS = {
    "gionet": (("tfilm", (64, 128, 256)), ("tfilm", (64, 128, 256))),
    "gionet2": (("tfilm", (64, 128, 256)), ("unet", (64, 128, 288))),
    "tfnet": (("unet", (64, 128, 288)), ("unet", (64, 128, 288))),
    "tfilmnet": (("tfilm", (64, 128, 448)), None),
}
KERNELS = (65, 33, 17)
# From the wave, or its spectrum, to the bottleneck.
HALVINGS = 2 ** (len(KERNELS) + 1)


@keras.saving.register_keras_serializable("wideband")
class GioNet(Network):
    """A network of the thesis: (batch, n, 1) interpolated to (batch, n, 1) restored.

    n is a multiple of the attribute `multiple`: 256 at the published patch, 512 with the published
    blocks, 32 where no branch is a TFiLM net.

    Source: thesis, chapter 3; src/models.py and src/params.py of its code.

    Args:
        variant: "gionet", "gionet2", "tfnet" or "tfilmnet", as in the table of this module.
        ratio: the high rate over the low rate, for the spectral replicator.
        fusion: "paper" or "published", how the fusion weight is read. tfilmnet has neither.
        blocks: "paper" or "published", the block lengths of the modulations.
        patch: samples of the training patches. There are patch / 2 + 1 fusion weights, and blocks
            such that a patch has 32 of them at every level, or fewer in a patch too short for
            32 blocks of one sample in the bottleneck.
        width: multiplies every number of filters, for networks that a laptop can train.
        dropout: rate in the bottlenecks and on the way up; active in training only.
        name: of the Keras model; the variant's if empty.

    Raises:
        UserError: variant, fusion or blocks are unknown, the ratio is below 1, the network does
            not take the patch, or the width leaves a layer without filters.

    Example:
        >>> GioNet(width=0.25)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "interpolated"
    # The Fourier transform, or else the LSTM, runs over all of the patch.
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
        name: str = "",
    ) -> None:
        check_choice("variant", variant, VARIANTS)
        time, spectral = VARIANTS[variant]
        time_block = first_block(patch, len(KERNELS))
        spectral_block = first_block(patch // 2, len(KERNELS)) if blocks == "paper" else time_block
        multiple = _multiple(time[0], time_block)
        if spectral is not None:
            multiple = math.lcm(multiple, 2 * _multiple(spectral[0], spectral_block))
        check_patch(patch, multiple)

        # === Functional Model ===
        branch = partial(_branch, blocks=blocks, width=width, dropout=dropout)
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
        self.patch, self.width, self.dropout = patch, width, dropout
        self.multiple = multiple


# The thesis's second network: a TFiLM net in time and a U-Net in the spectrum.
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
) -> keras.KerasTensor:
    """Builds a branch, (batch, n, 1) to the same, with its input added to its output."""
    filters = widen(filters, width)
    net = unet
    if kind == "tfilm":
        net = partial(film_unet, first_block=first_block, blocks=blocks, last_stddev=0.05)
    return add_wave(net(x, filters, KERNELS, filters[-1], dropout=dropout), x)


def _multiple(kind: str, first_block: int) -> int:
    """What the length of a branch must divide by."""
    return 2 * first_block if kind == "tfilm" else HALVINGS
