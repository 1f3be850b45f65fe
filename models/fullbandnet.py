"""FullbandNet: our network for speech, music and sounds of any band, at 48 kHz.

It is OvertoneNet (see `overtonenet`) with frames of 20 ms every 6.7 ms, 513 bins up to 24 kHz. What
differs is due to the recordings:

- At 48 kHz, the upper octaves of a recording may be 70 dB below its level without being empty.
- Most recordings at 44.1 and 48 kHz have passed through a codec that removed what is above 15 to
  20 kHz. A network that learned from them would do the same. So nothing is learned, by any loss or
  critic, about bins that are empty in the reference up to the top: there, the output is replaced
  with the reference. In recordings at 16 kHz, the slope at the end of the band counts as empty: a
  network that learned it would leave a dip above 8 kHz.
- Codecs also leave holes of silence below that, around quiet sounds, which nobody hears and nothing
  predicts. A network that learned from them would leave the upper octaves of some voices empty. So
  nothing is learned about holes, and log amplitudes are compared above the rounding noise of
  16 bits.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from . import band_hz
from .overtonenet import BLOCKS, DROPOUT, Frames, OvertoneNet
from .overtones import outputs
from .stft import log_amplitude
from .system import Outputs, System

# Half a frame is mirrored at the ends of a wave, which must be longer.
FRAMES = Frames(48000, 1024, 320, 960, multiple=640, empty=-8.0)
# Frames at either end that reach into the mirrored half.
MIRRORED = 2
# The root mean square amplitude of the bins of a wave that has nothing but the noise of rounding to
# 16 bits. The squares of the samples of a Hann window add up to 3/8 of its length.
ROUNDING = math.sqrt(2.0**-30 / 12 * 3 / 8 * FRAMES.frame)
# A bin is empty, or in a hole, if its power and that around it is below this.
EMPTY_POWER = (2 * ROUNDING) ** 2
# The share at the end of a band below this frequency that counts as its slope: resamplers to 16 kHz
# fall off from 92 % on, and the transform smears the end. Codecs end higher, and more steeply.
SLOPE, SLOPE_BELOW_HZ = 0.12, 10000
# Frames and bins on either side of a bin that decide on a hole: 20 ms and 230 Hz.
HOLE_FRAMES, HOLE_BINS = 3, 5


@keras.saving.register_keras_serializable("wideband")
class FullbandNet(OvertoneNet):
    """The network for any sound of any band: a wave (batch, n, 1) at 48 kHz to the restored one.

    n is a multiple of 640.

    Args:
        width: multiplies the channels.
        blocks: ConvNeXt blocks.
        dropout: of the hidden channels of the blocks, from 0 to below 1.
        name: the name of the Keras model.

    Raises:
        UserError: the width leaves a layer without channels.

    Example:
        >>> FullbandNet(width=0.1, blocks=1)(keras.ops.zeros((1, 4800, 1))).shape
        TensorShape([1, 4800, 1])
    """

    band_hz = band_hz("fullbandnet")
    frames = FRAMES
    floor = ROUNDING

    def __init__(
        self,
        width: float = 1.0,
        blocks: int = BLOCKS,
        dropout: float = DROPOUT,
        name: str = "fullbandnet",
    ) -> None:
        super().__init__(width, blocks, dropout, name)

    def start_from(self, trained: System) -> None:
        """Copies the weights of a FullbandNet, or stretches those of an OvertoneNet.

        Blocks are copied. Of layers with bins, a bin gets the weights that OvertoneNet has at its
        frequency. Above 8 kHz, predictions start as those at 8 kHz, and features are ignored.
        """
        if isinstance(trained, FullbandNet):
            super().start_from(trained)
            return
        assert isinstance(trained, OvertoneNet)
        old, new = (each.get_layer("spectrum").weights for each in (trained, self))
        for source, target in zip(old, new, strict=True):
            target.assign(_stretched(np.asarray(source), target.shape))

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the restored wave and its spectrum, both as far as the reference is known."""
        log_amplitudes, real, imaginary = self.get_layer("spectrum")(low)
        predicted = ops.logaddexp(log_amplitudes, math.log(self.floor)), real, imaginary
        real, imaginary = self._analyzed(high)
        reference = log_amplitude(real, imaginary, self.floor), real, imaginary
        log_amplitudes, real, imaginary = _completed(predicted, reference)
        wave = self.get_layer("synthesis")([real, imaginary])
        spectrum = outputs(log_amplitudes, real, imaginary, self._analyzed(wave))
        return {"wave": wave, "spectrum": spectrum}

    def completed(self, restored: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Returns the restored wave (n,) with the reference (n,) where that is empty."""
        padding = 0, -len(high) % self.multiple
        both = (np.pad(each, padding)[np.newaxis, :, np.newaxis] for each in (restored, high))
        wave = self.get_layer("synthesis")(_completed(*(self._analyzed(each) for each in both)))
        return ops.convert_to_numpy(wave)[0, : len(high), 0]


def _stretched(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Brings weights of an OvertoneNet to the bins of a FullbandNet.

    Raises:
        ValueError: they are those of another width.
    """
    if weights.shape == shape:
        return weights
    old, new = OvertoneNet.frames, FRAMES
    count = old.fft // 2 + 1
    bins = np.arange(new.fft // 2 + 1) * (new.sample_rate / new.fft) / (old.sample_rate / old.fft)
    if weights.shape[-1] == count:
        return np.apply_along_axis(lambda row: np.interp(bins, range(count), row), -1, weights)
    # The first layer takes three features of each bin. It adds up fewer bins below 8 kHz.
    features = bins[1] * weights.reshape(3, count, -1)
    stretched = np.apply_along_axis(
        lambda column: np.interp(bins, range(count), column, right=0.0), 1, features
    )
    return stretched.reshape(1, 3 * len(bins), -1)


def _completed(ours: Sequence, theirs: Sequence) -> list[keras.KerasTensor]:
    """Returns the parts of our spectrum, with those of the reference where it is empty.

    Args:
        ours: real and imaginary parts at the end, (batch, frames, bins) all.
        theirs: the same parts of the reference.
    """
    real, imaginary = theirs[-2:]
    known = _known(real**2 + imaginary**2)
    return [ops.where(known, *each) for each in zip(ours, theirs, strict=True)]


def _known(power: keras.KerasTensor) -> keras.KerasTensor:
    """Returns which bins are below the slope at the end of a reference's band and in no hole.

    Args:
        power: of the bins of a reference, (batch, frames, bins).

    Returns:
        booleans of the same shape.
    """
    # At the ends, where the wave is mirrored, its kink fills all bins.
    filled = ops.mean(power[:, MIRRORED:-MIRRORED], axis=1, keepdims=True) > EMPTY_POWER
    width = band_width(filled)
    share = ops.where(width < SLOPE_BELOW_HZ * FRAMES.fft / FRAMES.sample_rate, 1 - SLOPE, 1.0)
    within_band = ops.less(ops.arange(power.shape[-1], dtype="float32"), share * width)

    around = ops.average_pool(power, 2 * HOLE_FRAMES + 1, 1, "same", "channels_last")
    around = ops.transpose(around, (0, 2, 1))
    around = ops.average_pool(around, 2 * HOLE_BINS + 1, 1, "same", "channels_last")
    return ops.logical_and(within_band, ops.transpose(around, (0, 2, 1)) > EMPTY_POWER)


def band_width(filled: keras.KerasTensor) -> keras.KerasTensor:
    """Counts the bins up to the last filled one: booleans (..., bins) to float32 (..., 1)."""
    numbers = ops.arange(filled.shape[-1], dtype="float32")
    return ops.max(ops.where(filled, numbers + 1, 0.0), axis=-1, keepdims=True)
