"""TFGAN, the vocoder of VoiceFixer and NVSR: 128 bands at 44.1 kHz to a wave.

Tian, Chen, Zhou et al., "TFGAN: Time and Frequency Domain Based Generative Adversarial Network for
High-fidelity Speech Synthesis", 2020, arXiv:2011.12206. The sizes are those of VoiceFixer (Liu et
al. 2021, arXiv:2109.13731), whose voicefixer/vocoder in github.com/haoheliu/voicefixer this file
follows.

Deviations: the code has a convolution beside each transposed one whose output it does not use;
these 697,280 parameters are left out. It appends four frames of silence, and a fifth one to an odd
number of frames; here there are always four. The vocoder's output has so many more hops than the
recording, which the code cuts in halves from either end. Waves then come 2.5 or 3 hops early; here,
all of them are cut from the end.
"""

import math

import keras
import numpy as np
from keras import layers, ops

from .hifigan import TAPS, convolve, upsample
from .layers import widen
from .limits import check_range
from .resynthesis import Resynthesis, check_mel

CHANNELS, CONDITION_CHANNELS = 1024, 512
# Convolutions over frames, before the wave is made.
CONDITIONS = 5
RATES = (7, 7, 3, 3)
DEPTH = 8
# Slopes of rectifiers for negative values, between stages and inside them.
SLOPE, INNER_SLOPE = 0.2, 0.01
# Band k, counted from 1, is divided by WEIGHT exp(GROWTH k): the mean of mels of speech.
WEIGHT, GROWTH = 18.8927416350036, 0.0269863588184314
# In decibels. From the lowest level to 0, the input is scaled to +-4.
QUIETEST_DB, REFERENCE_DB, LOWEST_DB, BOUND = -100.0, 20.0, -115.0, 4.0
SILENT_FRAMES = 4


@keras.saving.register_keras_serializable("wideband")
class TFGAN(Resynthesis):
    """The vocoder of VoiceFixer: a recording (batch, n, 1) at 44.1 kHz to the same, made anew.

    n is a multiple of 2646.

    Args:
        mel: what it takes, a key of `features.MELS` with frames of 441 samples.
        width: multiplies the channels.
        depth: pairs of convolutions of each stage, the k-th of which has a dilation of 3**k.
        weight_norm: whether convolutions have weight normalization, as in the published training.
            Without, each has one weight less per channel (see `weight_norm.folded`).
        name: the name of the Keras model.

    Raises:
        UserError: it does not take such mel spectrograms, the width leaves a layer without
            channels, or the depth is out of range.

    Example:
        >>> TFGAN(width=0.0625, depth=2)(keras.ops.zeros((1, 2646, 1))).shape
        TensorShape([1, 2646, 1])
    """

    def __init__(
        self,
        mel: str = "voicefixer",
        width: float = 1.0,
        depth: int = DEPTH,
        weight_norm: bool = False,
        name: str = "tfgan",
    ) -> None:
        own = check_mel(mel, hop=math.prod(RATES), padding="center")
        check_range("depth", depth, 1, DEPTH)
        (channels,) = widen((CHANNELS,), width, 2 ** len(RATES))
        (condition_channels,) = widen((CONDITION_CHANNELS,), width)

        # === Functional Model ===
        features = keras.Input((None, own.bands), name="mel")  # (batch, frames, bands)
        x = ops.pad(
            _scaled(features, own.bands),
            ((0, 0), (0, SILENT_FRAMES), (0, 0)),
            constant_values=-BOUND,
        )
        for k in range(CONDITIONS):
            x = convolve(x, condition_channels, 3, weight_norm, f"condition_{k}")
            x = layers.ELU()(x)
        # (batch, frames, channels)
        x = layers.LeakyReLU(negative_slope=SLOPE)(_ends(x, channels, weight_norm, "first"))
        for stage, rate in enumerate(RATES):
            channels //= 2
            cut = rate // 2 + rate % 2, rate // 2
            # (batch, rate times as many, channels)
            x = upsample(x + ops.sin(x), channels, 2 * rate, rate, weight_norm, f"up_{stage}", cut)
            for k in range(depth):
                x = _pair(x, 3**k, weight_norm, f"stage_{stage}_{k}")
            x = layers.LeakyReLU(negative_slope=SLOPE)(x)
        x = _ends(x, 1, weight_norm, "last")
        x = layers.Activation("tanh", dtype="float32")(x)
        # The frames are one more than the hops of the wave.
        cut = 0, (SILENT_FRAMES + 1) * own.hop
        vocoder = keras.Model(features, layers.Cropping1D(cut, dtype="float32")(x), name="vocoder")
        super().__init__(vocoder, mel, own, _reach(depth), name)

        # === Config ===
        self.width, self.depth, self.weight_norm = width, depth, weight_norm


def _scaled(features: keras.KerasTensor, bands: int) -> keras.KerasTensor:
    """Scales a log mel (batch, frames, bands) to +-4, in float32."""
    features = layers.Activation("linear", dtype="float32")(features)
    mean = np.log(WEIGHT) + GROWTH * np.arange(1, bands + 1)
    decibels = 20 / math.log(10) * (features - ops.convert_to_tensor(mean, "float32"))
    decibels = ops.maximum(decibels, QUIETEST_DB) - REFERENCE_DB
    return ops.clip(BOUND - 2 * BOUND / LOWEST_DB * decibels, -BOUND, BOUND)


def _ends(x: keras.KerasTensor, filters: int, weight_norm: bool, name: str) -> keras.KerasTensor:
    """Convolves x (batch, n, c) after mirroring its ends, to (batch, n, filters)."""
    half = TAPS // 2
    mirrored = ops.pad(x, ((0, 0), (half, half), (0, 0)), "reflect")
    return convolve(mirrored, filters, TAPS, weight_norm, name, padding="valid")


def _pair(x: keras.KerasTensor, dilation: int, weight_norm: bool, name: str) -> keras.KerasTensor:
    """Adds two convolutions, the first of which has the dilation, to x (batch, n, c)."""
    y = x
    for part, distance in (("dilated", dilation), ("plain", 1)):
        y = layers.LeakyReLU(negative_slope=INNER_SLOPE)(y)
        y = convolve(y, x.shape[-1], 3, weight_norm, f"{name}_{part}", distance)
    return layers.Add()([x, y])


def _reach(depth: int) -> int:
    """Returns the samples on either side of a frame on which the output depends."""
    pairs = sum(3**k + 1 for k in range(depth))
    hop = math.prod(RATES)
    total = (CONDITIONS + TAPS // 2) * hop
    for rate in RATES:
        hop //= rate
        total += (2 * rate + pairs) * hop
    return total + TAPS // 2
