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

import keras
from keras import layers, ops

from . import band_hz
from .convnext import KERNEL, block, first, norm
from .layers import widen
from .stft import POWER_FLOOR, STFT, InverseSTFT, angle, log_amplitude, unit
from .system import Network, Outputs

CHANNELS, EXPANSION, BLOCKS = 256, 3, 10
# The dilations of the blocks, over and over. A frame sees 1.6 seconds to either side, enough to
# know the voice and the room.
DILATIONS = (1, 3, 9, 27)
FFT, HOP, FRAME = 512, 100, 400
# Added to relative amplitudes before the logarithm, and to the level; in a target, to amplitudes,
# where it is 160 dB below that of a full-scale tone.
FLOOR = 1e-6
# Frames on either side whose mean power is the level.
LEVEL_FRAMES = 64
# The mean level of a bin relative to that of all bins, natural logarithm, below which it is empty,
# and the steepness of this decision.
EMPTY, STEEPNESS = -6.5, 2.0
# Standard deviation of the noise on log amplitudes in training: 6 dB. With the dropout, it keeps
# the network from memorizing recordings by their levels.
NOISE = 0.7
DROPOUT = 0.1
# The predicted relative log amplitude before training.
INITIAL = -5.0
# Overtones are whitened by their mean power within this many Hz on either side at 16 kHz.
WHITENING_HZ = 250
# Relative log amplitudes of the input, natural logarithms, are clipped to this range.
LOWEST, HIGHEST = -10.0, 6.0

# Real and imaginary parts, or cosines and sines.
Parts = tuple[keras.KerasTensor, keras.KerasTensor]


@keras.saving.register_keras_serializable("wideband")
class OvertoneNet(Network):
    """The network for speech of any band: an interpolated wave (batch, n, 1) to the restored one.

    n is a multiple of 100, and longer than 200.

    Args:
        width: multiplies the channels.
        blocks: ConvNeXt blocks.
        dropout: of the hidden channels of the blocks, from 0 to below 1.
        name: the name of the Keras model.

    Raises:
        UserError: the width leaves a layer without channels.

    Example:
        >>> OvertoneNet()(keras.ops.zeros((1, 16000, 1))).shape
        TensorShape([1, 16000, 1])
    """

    wants = "interpolated"
    band_hz = band_hz("overtonenet")

    def __init__(
        self,
        width: float = 1.0,
        blocks: int = BLOCKS,
        dropout: float = DROPOUT,
        name: str = "overtonenet",
    ) -> None:
        (channels,) = widen((CHANNELS,), width, 8)

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        # (batch, n / 100 + 1, 257) all
        real, imaginary = _spectrum(channels, blocks, dropout)(wave)[1:]
        restored = InverseSTFT(FFT, HOP, FRAME, name="synthesis")([real, imaginary])
        super().__init__(wave, restored, name=name)

        # === Config ===
        self.width, self.blocks, self.dropout = width, blocks, dropout
        self.multiple = HOP
        # A frame, the frames of the convolutions, and those of the level.
        frames = LEVEL_FRAMES + sum(KERNEL // 2 * _dilation(k) for k in range(blocks))
        self.context = FRAME + frames * HOP

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the restored wave and its spectrum as predicted."""
        log_amplitudes, real, imaginary = self.get_layer("spectrum")(low)
        wave = self.get_layer("synthesis")([real, imaginary])
        return {
            "wave": wave,
            "spectrum": outputs(log_amplitudes, real, imaginary, self._analyze(wave)),
        }

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the reference and its spectrum."""
        return {"wave": high, "spectrum": target(*self._analyze(high))}

    def _analyze(self, wave):
        return self.get_layer("spectrum").get_layer("analysis")(wave)


def target(real: keras.KerasTensor, imaginary: keras.KerasTensor) -> dict:
    """Returns what losses compare of the reference's spectrum, (batch, frames, bins) both."""
    return outputs(log_amplitude(real, imaginary, FLOOR), real, imaginary, (real, imaginary))


def outputs(
    log_amplitudes: keras.KerasTensor,
    real: keras.KerasTensor,
    imaginary: keras.KerasTensor,
    wave: Parts,
) -> dict:
    """Returns what losses compare of a predicted spectrum, (batch, frames, bins) all.

    Args:
        log_amplitudes: natural logarithms.
        real: real parts.
        imaginary: imaginary parts.
        wave: real and imaginary parts of the spectrum of the predicted wave.
    """
    return {
        "log_amplitude": log_amplitudes,
        "phase": angle(real, imaginary),
        "real": real,
        "imaginary": imaginary,
        "wave_real": wave[0],
        "wave_imaginary": wave[1],
    }


def _dilation(block: int) -> int:
    return DILATIONS[block % len(DILATIONS)]


def _spectrum(channels: int, blocks: int, dropout: float) -> keras.Model:
    """Builds the network from a wave to log amplitudes and real and imaginary parts."""
    wave = keras.Input((None, 1), name="wave")
    analysis = STFT(FFT, HOP, FRAME, name="analysis")
    # (batch, frames, bins) all
    own, overtones = analysis(wave), analysis(ops.abs(wave))
    power = ops.average_pool(
        own[0] ** 2 + own[1] ** 2, 2 * LEVEL_FRAMES + 1, 1, "same", "channels_last"
    )
    level, presence = levels(power)
    # (batch, frames, channels)
    x = first(features(own, overtones, level, presence, NOISE), channels, 1, "amplitude")
    for k in range(blocks):
        x = block(
            x, EXPANSION * channels, 1 / blocks, f"amplitude_{k}", _dilation(k), dropout=dropout
        )
    x = norm("amplitude_last")(x)
    mixed = mixture(x, x, level, presence, own, overtones)
    return keras.Model(wave, mixed, name="spectrum")


def levels(power: keras.KerasTensor) -> Parts:
    """Returns the log level around each frame and that of each bin relative to it.

    Args:
        power: mean power of each bin around each frame, (batch, frames, bins).

    Returns:
        (batch, frames, 1) and (batch, frames, bins), clipped.
    """
    mean = ops.maximum(ops.mean(power, axis=-1, keepdims=True), POWER_FLOOR)
    level = ops.log(ops.sqrt(mean) + FLOOR)
    amplitudes = ops.exp(-level) * ops.sqrt(ops.maximum(power, POWER_FLOOR))
    return level, ops.clip(ops.log(amplitudes + FLOOR), LOWEST, HIGHEST)


def features(
    own: Parts,
    overtones: Parts,
    level: keras.KerasTensor,
    presence: keras.KerasTensor,
    noise: float,
) -> keras.KerasTensor:
    """Returns what predicts the amplitudes, (batch, frames, 3 bins), with noise in training.

    Args:
        own: real and imaginary parts of the input's spectrum, (batch, frames, bins) both.
        overtones: those of the overtones.
        level: log level around each frame, (batch, frames, 1).
        presence: relative log level of each bin around each frame, (batch, frames, bins).
        noise: its standard deviation, in natural logarithms of the amplitude.
    """
    amplitudes = [relative(*own, level), relative(*overtones, level), presence]
    return layers.GaussianNoise(noise)(layers.Concatenate()(amplitudes))


def relative(
    real: keras.KerasTensor, imaginary: keras.KerasTensor, level: keras.KerasTensor
) -> keras.KerasTensor:
    """Returns log amplitudes relative to a level (batch, frames, 1), clipped."""
    scale = ops.exp(-level)
    return ops.clip(log_amplitude(scale * real, scale * imaginary, FLOOR), LOWEST, HIGHEST)


def mixture(
    amplitude: keras.KerasTensor,
    phase: keras.KerasTensor,
    level: keras.KerasTensor,
    presence: keras.KerasTensor,
    own: Parts,
    overtones: Parts,
    correction: Parts = (0.0, 0.0),
) -> list[keras.KerasTensor]:
    """Mixes the input's spectrum with that of the overtones, shaped as predicted.

    Args:
        amplitude: what predicts the amplitudes, (batch, frames, channels).
        phase: what predicts the bins with the phases of the input, (batch, frames, channels).
        level: log level around each frame, (batch, frames, 1).
        presence: relative log level of each bin around each frame, (batch, frames, bins).
        own: real and imaginary parts of the input's spectrum, (batch, frames, bins) both.
        overtones: those of the overtones.
        correction: is added to the cosines and sines of the phases, (batch, frames, bins) both.

    Returns:
        log amplitudes, real parts and imaginary parts, (batch, frames, bins) all.
    """
    bins = presence.shape[-1]
    present = STEEPNESS * (presence - EMPTY)
    share = ops.sigmoid(present + last(amplitude, bins, "share"))
    predicted = last(amplitude, bins, "amplitude", INITIAL) + _whiten(*overtones, level)
    log_amplitudes = level + share * relative(*own, level) + (1.0 - share) * predicted
    keep = ops.sigmoid(present + last(phase, bins, "keep"))
    own, overtones = unit(*own), unit(*overtones)
    cosine, sine = unit(
        keep * own[0] + (1.0 - keep) * overtones[0] + correction[0],
        keep * own[1] + (1.0 - keep) * overtones[1] + correction[1],
    )
    magnitude = ops.exp(log_amplitudes)
    return [log_amplitudes, magnitude * cosine, magnitude * sine]


def _whiten(
    real: keras.KerasTensor, imaginary: keras.KerasTensor, level: keras.KerasTensor
) -> keras.KerasTensor:
    """Returns log amplitudes relative to those of the bins around, clipped."""
    scale = ops.exp(-level)
    real, imaginary = scale * real, scale * imaginary
    bins = real.shape[-1]
    around = 2 * round(WHITENING_HZ / 8000 * (bins - 1)) + 1
    # TensorFlow is many times slower at pooling a single channel.
    power = ops.transpose(real**2 + imaginary**2, (0, 2, 1))
    power = ops.average_pool(power, around, 1, "same", "channels_last")
    power = ops.maximum(ops.transpose(power, (0, 2, 1)), POWER_FLOOR)
    fine = log_amplitude(real, imaginary, FLOOR) - ops.log(ops.sqrt(power) + FLOOR)
    return ops.clip(fine, LOWEST, HIGHEST)


def last(x: keras.KerasTensor, bins: int, name: str, bias: float = 0.0) -> keras.KerasTensor:
    """Builds the last layer of a prediction, (batch, frames, bins), named NAME_last."""
    return layers.Dense(
        bins,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(bias),
        dtype="float32",
        name=f"{name}_last",
    )(x)
