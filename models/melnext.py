"""MelNeXt: our network for speech from 8 to 22.05 kHz, which fills log mels frame by frame.

It is the mel-domain GAN (see `melgan`) with another generator: ConvNeXt blocks (see `convnext`)
over the frames, as in the vocoder Vocos, whose channels hold all bands. Each frame thus sees the
whole band. SRResNet has a picture of frames and bands instead; with few blocks, its highest bands
see none that the input has.

Log mels are relative to the level of the second around them, so that a quieter recording gets the
same high band, quieter by as much. Bands that are empty in a reference up to the top are not
learned: recordings at 16 kHz are training data as well.
"""

import keras
import numpy as np
from keras import layers, ops

from ..command import UserError
from .convnext import KERNEL, block, first, norm, small
from .features import filterbank, get
from .fullbandnet import ROUNDING, band_width
from .layers import widen
from .mel_restoration import MelRestoration
from .system import Outputs
from .vocoder import GRIFFIN_LIM

CHANNELS, EXPANSION, BLOCKS = 256, 3, 8
# The dilations of the blocks, over and over. A frame sees 1.8 seconds to either side.
DILATIONS = (1, 3, 9)
DROPOUT = 0.2
# Frames on either side whose mean is the level.
LEVEL_FRAMES = 64
# The lowest relative log mel, and the scale of what the blocks see.
LOWEST, SCALE = -10.0, 0.25
# A band is empty if its mean log mel is not above this, relative to the noise of 16 bits.
EMPTY = 0.5
# So many bands below an empty one are the slope at the end of the recording's band.
SLOPE_BANDS = 3


@keras.saving.register_keras_serializable("wideband")
class MelNeXt(MelRestoration):
    """An interpolated wave (batch, n, 1) to the restored one, through a log mel.

    n is a multiple of 512; with frames that are centred on the multiples of the hop (`vocos24`), of
    1024.

    Args:
        mel: the mel spectrogram, a key of `features.MELS`.
        width: multiplies the generator's channels.
        blocks: ConvNeXt blocks of the generator.
        dropout: of the hidden channels of the blocks, from 0 to below 1.
        vocoder: what makes the wave: "griffin_lim", the name of a shipped vocoder, or a run folder.
        iterations: of Griffin-Lim.
        name: the name of the Keras model.

    Raises:
        UserError: there is no such mel spectrogram or vocoder, the vocoder takes another mel
            spectrogram, the width leaves a layer without channels, or a number is out of range.

    Example:
        >>> MelNeXt()(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    def __init__(
        self,
        mel: str = "nyquist",
        width: float = 1.0,
        blocks: int = BLOCKS,
        dropout: float = DROPOUT,
        vocoder: str = GRIFFIN_LIM,
        iterations: int = 32,
        name: str = "melnext",
    ) -> None:
        if blocks < 1:
            raise UserError(f"blocks {blocks} must be at least 1")
        (channels,) = widen((CHANNELS,), width, 8)
        generator = _generator(get(mel).bands, channels, blocks, dropout)
        reach = LEVEL_FRAMES + KERNEL // 2 * (1 + sum(_dilation(k) for k in range(blocks)))
        super().__init__(generator, reach, mel, vocoder, iterations, name)
        self.width, self.blocks, self.dropout = width, blocks, dropout

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the log mel (batch, frames, bands), as far as the reference is known."""
        ours, theirs = super().generate(low, high)["mel"], self.target(high)["mel"]
        return {"mel": ops.where(_known(theirs, self.mel), ours, theirs)}


def _known(mel: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Returns which bands lie below the slope at the end of a reference's band.

    Args:
        mel: the reference, (batch, frames, bands).
        name: of the mel spectrogram, a key of `features.MELS`.

    Returns:
        booleans (batch, 1, bands).
    """
    noise = np.log(ROUNDING * filterbank(name).sum(axis=0))
    filled = ops.mean(mel, axis=1, keepdims=True) > noise + EMPTY
    bands, width = mel.shape[-1], band_width(filled)
    slope = ops.where(width < bands, float(SLOPE_BANDS), 0.0)
    return ops.less(ops.arange(bands, dtype="float32"), width - slope)


def _generator(bands: int, channels: int, blocks: int, dropout: float) -> keras.Model:
    """Builds the generator: a log mel (batch, frames, bands) to one of the same shape."""
    mel = keras.Input((None, bands), name="mel")
    # (batch, frames, 1), the logarithm of the mean magnitude
    mean = ops.mean(ops.exp(mel), axis=-1, keepdims=True)
    level = ops.log(ops.average_pool(mean, 2 * LEVEL_FRAMES + 1, 1, "same", "channels_last"))
    relative = ops.maximum(mel - level, LOWEST)
    # (batch, frames, channels)
    x = first(SCALE * (relative - LOWEST / 2), channels, KERNEL, "mel")
    for k in range(blocks):
        x = block(x, EXPANSION * channels, 1 / blocks, f"block_{k}", _dilation(k), dropout=dropout)
    x = norm("mel_last")(x)
    change = layers.Dense(bands, dtype="float32", kernel_initializer=small(), name="mel_last")(x)
    return keras.Model(mel, level + relative + change, name="generator")


def _dilation(block: int) -> int:
    return DILATIONS[block % len(DILATIONS)]
