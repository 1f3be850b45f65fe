"""OvertoneNet: our network for speech of any band, which shapes overtones of the wave.

ConvNeXt blocks (see `convnext`) predict the amplitudes of a short-time spectrum. The network sees
where the band ends, so one network restores bands of all widths.

- Amplitudes are relative to the level of the second around them. A quieter recording thus
  gets the same high band, quieter by as much.
- Bins that are much quieter than that level for a second are empty. The output starts as the input
  in the other bins, which need not pass through the blocks.
- In empty bins, the output starts as overtones of the wave, which a rectifier creates (Makhoul and
  Berouti 1979, "High-frequency regeneration in speech coding systems"). They continue the harmonics
  of a voice, and their phases are those of a wave from the start. They are whitened; the network
  predicts the envelope of their amplitudes.
- Frames have 400 samples every 100 and 257 bins. The convolutions of the blocks are dilated.

AP-BWE (Lu et al. 2024, arXiv:2401.06387; see `apbwe`), from which the blocks and the losses are,
predicts phases in a second stream. Predicted phases of neighbouring frames cancel each other, and
with the right envelope the phases hardly matter (docs/design-notes.md).
"""

from typing import NamedTuple

import keras
from keras import ops

from ..command import UserError
from . import band_hz
from .convnext import KERNEL, block, first, norm
from .layers import widen
from .overtones import EMPTY, OvertoneShaper, features, levels_around, mixture
from .stft import STFT, InverseSTFT

CHANNELS, EXPANSION, BLOCKS = 256, 3, 10
# The dilations of the blocks, over and over. A frame sees 1.6 seconds to either side, enough to
# know the voice and the room.
DILATIONS = (1, 3, 9, 27)
# Frames on either side whose mean power is the level.
LEVEL_FRAMES = 64
# Standard deviation of the noise on log amplitudes in training: 6 dB. With the dropout, it keeps
# the network from memorizing recordings by their levels.
NOISE = 0.7
DROPOUT = 0.1


class Frames(NamedTuple):
    """How a wave is cut into frames: lengths in samples, and when a bin counts as empty.

    Args:
        sample_rate: in Hz.
        fft: of the transform.
        hop: from one frame to the next.
        frame: of a frame.
        multiple: every wave has a multiple of so many samples.
        empty: the relative log level below which a bin is empty.
    """

    sample_rate: int
    fft: int
    hop: int
    frame: int
    multiple: int
    empty: float = EMPTY


@keras.saving.register_keras_serializable("wideband")
class OvertoneNet(OvertoneShaper):
    """The network for speech of any band: an interpolated wave (batch, n, 1) to the restored one.

    n is a multiple of 100, and longer than 200.

    Args:
        width: multiplies the channels.
        blocks: ConvNeXt blocks.
        dropout: of the hidden channels of the blocks, from 0 to below 1.
        name: the name of the Keras model.

    Raises:
        UserError: the width leaves a layer without channels, or there are no blocks.

    Example:
        >>> OvertoneNet()(keras.ops.zeros((1, 16000, 1))).shape
        TensorShape([1, 16000, 1])
    """

    wants = "interpolated"
    band_hz = band_hz("overtonenet")
    frames = Frames(16000, 512, 100, 400, multiple=100)

    def __init__(
        self,
        width: float = 1.0,
        blocks: int = BLOCKS,
        dropout: float = DROPOUT,
        name: str = "overtonenet",
    ) -> None:
        if blocks < 1:
            raise UserError(f"blocks {blocks} must be at least 1")
        (channels,) = widen((CHANNELS,), width, 8)

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        fft, hop, frame = self.frames[1:4]
        # (batch, n / hop + 1, bins) all
        real, imaginary = _spectrum(self.frames, channels, blocks, dropout)(wave)[1:]
        restored = InverseSTFT(fft, hop, frame, name="synthesis")([real, imaginary])
        super().__init__(wave, restored, name=name)

        # === Config ===
        self.width, self.blocks, self.dropout = width, blocks, dropout
        self.multiple = self.frames.multiple
        # A frame, the frames of the convolutions, and those of the level.
        reach = LEVEL_FRAMES + sum(KERNEL // 2 * _dilation(k) for k in range(blocks))
        context = frame + reach * hop
        self.context = context + -context % self.multiple


def _dilation(block: int) -> int:
    return DILATIONS[block % len(DILATIONS)]


def _spectrum(frames: Frames, channels: int, blocks: int, dropout: float) -> keras.Model:
    """Builds the network from a wave to log amplitudes and real and imaginary parts."""
    wave = keras.Input((None, 1), name="wave")
    analysis = STFT(frames.fft, frames.hop, frames.frame, name="analysis")
    # (batch, frames, bins) all
    own, overtones = analysis(wave), analysis(ops.abs(wave))
    level, presence = levels_around(own, LEVEL_FRAMES)
    # (batch, frames, channels)
    x = first(features(own, overtones, level, presence, NOISE), channels, 1, "amplitude")
    for k in range(blocks):
        x = block(
            x, EXPANSION * channels, 1 / blocks, f"amplitude_{k}", _dilation(k), dropout=dropout
        )
    x = norm("amplitude_last")(x)
    limits = {"sample_rate": frames.sample_rate, "empty": frames.empty}
    mixed = mixture(x, x, level, presence, own, overtones, **limits)
    return keras.Model(wave, mixed, name="spectrum")
