"""Conformer: a network of Conformer blocks that predicts the levels above the band of speech.

The blocks are those of Gulati et al. 2020 (see `conformer_block`), who recognize speech with them.
The network around them is ours. The blocks see frames of 512 samples every 128, 8 ms at 16 kHz.
CMGAN (Cao et al. 2022; see `cmgan`) has such blocks for images of spectra, which take about 270
times as many multiplications.

- A windowed sinc brings the low wave to the high rate; training cannot change it.
- The blocks see the amplitudes of the low band and those of its overtones, relative to the level
  of the second around them, and predict one level for each bin.
- Below `EXACT` of the cutoff, the output has the input's bins. From there to the cutoff, filters
  attenuate the input. There, the output starts as the input, and the network predicts gains.
- In the empty bins above, the output has the phases of overtones of the wave, which a rectifier
  creates, and predicted levels times their whitened amplitudes, as in `overtonenet`. No phase is
  predicted: predicted phases of neighbouring frames cancel each other.

Deviation from the blocks' paper: attention is limited to a window of frames on either side, so the
network's context is limited, and windows of a long recording have the same output as the whole.
"""

import math
from typing import Any

import keras
from keras import layers, ops

from .conformer_block import conformer_block
from .layers import FixedConv, check_choice, sinc_kernel, widen
from .limits import check_range
from .overtonenet import NOISE
from .overtones import (
    FLOOR,
    HIGHEST,
    LOWEST,
    OvertoneShaper,
    Parts,
    features,
    last,
    levels_around,
    mixture,
)
from .stft import STFT, InverseSTFT, log_amplitude

CHANNELS = 96
HOP, WINDOW = 128, 512
# Bins above DC.
BINS = WINDOW // 2
# Half the length of the interpolating sinc, in samples at the low rate.
SINC_HALF = 32
# Frames on either side whose mean power is the level.
LEVEL_FRAMES = 64
# The part of the low band that filters before decimation leave as it is: the lowest cutoff of the
# random filters of the training, as a fraction of the low band.
EXACT = 0.6
LARGEST = 64


@keras.saving.register_keras_serializable("wideband")
class Conformer(OvertoneShaper):
    """The network of Conformer blocks: (batch, n, 1) at the low rate to (batch, ratio n, 1).

    n is a multiple of 128 / ratio, and longer than 192 / ratio. `multiple` and `context` count
    samples at the low rate.

    Args:
        ratio: the high rate over the low rate: 2, 4, 8 or 16.
        width: multiplies the channels.
        blocks: number of blocks, from 1 to 64.
        heads: heads of the attention, from 1 to 64; the channels are a multiple of twice as many.
        kernel: frames of the depthwise convolutions, an odd number; 31 in the paper.
        span: frames on either side that a frame attends to.
        norm: the normalization after the depthwise convolutions, "batch" or "layer". The paper has
            "batch"; its statistics depend on the noise that training adds.
        dropout: of each module, from 0 to below 1.
        name: the name of the Keras model.

    Raises:
        UserError: a value is out of range, or the width leaves a layer without channels.

    Example:
        >>> Conformer(ratio=4)(keras.ops.zeros((1, 1024, 1))).shape
        TensorShape([1, 4096, 1])
    """

    wants = "low"

    def __init__(
        self,
        ratio: int = 4,
        width: float = 1.0,
        blocks: int = 4,
        heads: int = 4,
        kernel: int = 15,
        span: int = 32,
        norm: str = "layer",
        dropout: float = 0.1,
        name: str = "conformer",
    ) -> None:
        check_choice("ratio", ratio, (2, 4, 8, 16))
        for argument, value in (("blocks", blocks), ("heads", heads), ("span", span)):
            check_range(argument, value, 1, LARGEST)
        check_choice("kernel", kernel, range(1, LARGEST, 2))
        # The heads share the channels, half of them sines and half of them cosines of positions.
        (channels,) = widen((CHANNELS,), width, 2 * heads)

        # === Functional Model ===
        low = keras.Input((None, 1), name="low")  # (batch, n, 1)
        settings = {
            "heads": heads,
            "span": span,
            "kernel": kernel,
            "dropout": dropout,
            "norm": norm,
        }
        # (batch, ratio n / 128, 257) all
        spectrum = _spectrum(ratio, channels, blocks, settings)(low)
        restored = InverseSTFT(WINDOW, HOP, WINDOW, "same", name="synthesis")(spectrum[1:])
        super().__init__(low, restored, name=name)

        # === Config ===
        self.ratio, self.width, self.blocks, self.heads = ratio, width, blocks, heads
        self.kernel, self.span, self.norm, self.dropout = kernel, span, norm, dropout
        self.multiple = HOP // ratio
        # Frames of the sinc, of the analysis and the synthesis, of the level, and of the blocks.
        frames = math.ceil(SINC_HALF * ratio / HOP) + WINDOW // HOP + LEVEL_FRAMES
        self.context = (frames + blocks * (span + kernel // 2)) * self.multiple


def _spectrum(ratio: int, channels: int, blocks: int, settings: dict[str, Any]) -> keras.Model:
    """Builds the network from a low wave to log amplitudes and real and imaginary parts."""
    low = keras.Input((None, 1), name="low")
    # (batch, n, ratio) to (batch, ratio n, 1)
    wave = FixedConv(sinc_kernel(ratio, SINC_HALF), "same")(low)
    wave = layers.Reshape((-1, 1), dtype="float32")(wave)
    analysis = STFT(WINDOW, HOP, WINDOW, "same", name="analysis")
    # (batch, frames, bins) all
    own, overtones = analysis(wave), analysis(ops.abs(wave))
    level, presence = levels_around(own, LEVEL_FRAMES)
    cutoff, exact = BINS // ratio + 1, int(EXACT * BINS / ratio)
    low_own, low_overtones = _bins(own, 0, cutoff), _bins(overtones, 0, cutoff)
    # (batch, frames, channels)
    x = features(low_own, low_overtones, level, presence[..., :cutoff], NOISE)
    x = layers.Dense(channels, name="first")(x)
    for k in range(blocks):
        x = conformer_block(x, **settings, name=f"block_{k}")
    # (batch, frames, bins from `exact` on)
    gain = ops.clip(last(x, cutoff - exact, "gain"), LOWEST, HIGHEST)
    gain = ops.exp(ops.pad(gain, ((0, 0), (0, 0), (0, BINS + 1 - cutoff))))
    real, imaginary = _bins(own, exact)
    gained = gain * real, gain * imaginary
    above = mixture(x, x, level, presence[..., exact:], gained, _bins(overtones, exact))
    below = _bins(own, 0, exact)
    below = [log_amplitude(*below, FLOOR), *below]
    joined = [ops.concatenate(both, axis=-1) for both in zip(below, above, strict=True)]
    return keras.Model(low, joined, name="spectrum")


def _bins(parts: Parts, first: int, end: int | None = None) -> Parts:
    """Returns some bins of a spectrum, two of (batch, frames, bins)."""
    return parts[0][..., first:end], parts[1][..., first:end]
