"""What networks that shape overtones of the wave share: features, mixture and predictions.

Amplitudes are relative to the level around a frame. In bins where the input is empty, the output
starts as overtones of the wave, whitened; a network predicts the envelope of their amplitudes. See
`overtonenet`.
"""

import keras
from keras import layers, ops

from .stft import POWER_FLOOR, angle, log_amplitude, unit
from .system import Network, Outputs

# Added to relative amplitudes before the logarithm, and to the level; in a target, to amplitudes,
# where it is 160 dB below that of a full-scale tone.
FLOOR = 1e-6
# The mean level of a bin relative to that of all bins, natural logarithm, below which it is empty,
# and the steepness of this decision.
EMPTY, STEEPNESS = -6.5, 2.0
# The predicted relative log amplitude before training.
INITIAL = -5.0
# Overtones are whitened by their mean power within this many Hz on either side.
WHITENING_HZ = 250
# Relative log amplitudes of the input, natural logarithms, are clipped to this range.
LOWEST, HIGHEST = -10.0, 6.0

# Real and imaginary parts, or cosines and sines.
Parts = tuple[keras.KerasTensor, keras.KerasTensor]


class OvertoneShaper(Network):
    """A network that shapes overtones of the wave, with what losses compare of its spectrum.

    Its layer "spectrum" makes log amplitudes, real parts and imaginary parts (batch, frames, bins)
    of a wave, with a layer "analysis" in it; its layer "synthesis" makes a wave of the latter two.
    """

    # Added to the amplitudes of a reference before the logarithm.
    floor = FLOOR

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the restored wave and its spectrum as predicted."""
        wave, (log_amplitudes, real, imaginary) = self._restored(low)
        spectrum = outputs(log_amplitudes, real, imaginary, self._analyzed(wave))
        return {"wave": wave, "spectrum": spectrum}

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the reference and its spectrum."""
        real, imaginary = self._analyzed(high)
        amplitudes = log_amplitude(real, imaginary, self.floor)
        return {"wave": high, "spectrum": outputs(amplitudes, real, imaginary, (real, imaginary))}

    def _restored(self, low):
        """Returns the restored wave and the three parts of its spectrum as predicted."""
        spectrum = self.get_layer("spectrum")(low)
        return self.get_layer("synthesis")(spectrum[1:]), spectrum

    def _analyzed(self, wave):
        return self.get_layer("spectrum").get_layer("analysis")(wave)


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


def levels_around(own: Parts, frames: int) -> Parts:
    """Returns the levels, as `levels`, of so many frames on either side.

    Args:
        own: real and imaginary parts of a spectrum, (batch, frames, bins) both.
        frames: on either side of each frame.
    """
    power = own[0] ** 2 + own[1] ** 2
    return levels(ops.average_pool(power, 2 * frames + 1, 1, "same", "channels_last"))


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
    *,
    sample_rate: int = 16000,
    empty: float = EMPTY,
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
        sample_rate: of the wave in Hz.
        empty: the relative log level below which a bin is empty.

    Returns:
        log amplitudes, real parts and imaginary parts, (batch, frames, bins) all.
    """
    bins = presence.shape[-1]
    present = STEEPNESS * (presence - empty)
    share = ops.sigmoid(present + last(amplitude, bins, "share"))
    whitened = _whiten(*overtones, level, sample_rate)
    predicted = last(amplitude, bins, "amplitude", INITIAL) + whitened
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
    real: keras.KerasTensor,
    imaginary: keras.KerasTensor,
    level: keras.KerasTensor,
    sample_rate: int,
) -> keras.KerasTensor:
    """Returns log amplitudes relative to those of the bins around, clipped."""
    scale = ops.exp(-level)
    real, imaginary = scale * real, scale * imaginary
    bins = real.shape[-1]
    around = 2 * round(2 * WHITENING_HZ / sample_rate * (bins - 1)) + 1
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
