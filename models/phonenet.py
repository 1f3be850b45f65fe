"""PhoneNet: our network for speech of any band on phones, a small and causal OvertoneNet.

It differs from `overtonenet` in what a stream needs, and in the phases:

- Frames of 16 ms every 4 ms lie within the wave, and the wave is preceded by silence.
- The convolutions look back only. The features of the next three frames decide on a frame, too:
  with the length of a frame and a step of 8 ms, the output lags by 32 ms.
- The level is that of the last half second.
- A second stream, as in AP-BWE (see `apbwe`), corrects the phases.

As a Keras model the network takes whole waves. `step` builds the same network for the next 128
samples, with its states as inputs and outputs.
"""

import keras
from keras import layers, ops

from . import band_hz
from .convnext import KERNEL, History, streams
from .layers import widen
from .overtones import OvertoneShaper, features, last, levels, mixture
from .stft import STFT, InverseSTFT, unit

CHANNELS, HIDDEN, BLOCKS = 128, 304, 4
FFT, HOP, FRAME = 256, 64, 256
# The dilation of each block relative to that of the block before.
GROWTH = 2
# Standard deviation of the noise on log amplitudes in training: 9 dB.
NOISE = 1.0
# Frames whose mean power is the level.
LEVEL_FRAMES = 128
# Frames after a frame that decide on it, too.
AHEAD = 3
# Frames after a frame that share samples with it.
OVERLAP = FRAME // HOP - 1
# Samples of a step.
STEP = 2 * HOP


@keras.saving.register_keras_serializable("wideband")
class PhoneNet(OvertoneShaper):
    """The network for phones: an interpolated wave (batch, n, 1) to the restored one.

    n is a multiple of 64.

    Args:
        width: multiplies the channels.
        blocks: ConvNeXt blocks of each stream.
        name: the name of the Keras model.

    Raises:
        UserError: the width leaves a layer without channels.

    Example:
        >>> PhoneNet()(keras.ops.zeros((1, 16000, 1))).shape
        TensorShape([1, 16000, 1])
    """

    wants = "interpolated"
    band_hz = band_hz("phonenet")
    # The lag of the output of `step`, in samples.
    delay = (AHEAD + OVERLAP) * HOP

    def __init__(self, width: float = 1.0, blocks: int = BLOCKS, name: str = "phonenet") -> None:
        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        inner = keras.Input((None, 1), name="wave")
        spectrum = keras.Model(inner, _spectrum(inner, _silence, width, blocks), name="spectrum")
        super().__init__(wave, _restore(wave, spectrum)[0], name=name)

        # === Config ===
        self.width, self.blocks = width, blocks
        self.multiple = HOP
        seen = sum((KERNEL - 1) * GROWTH**k for k in range(blocks)) + LEVEL_FRAMES - 1
        # A sample is in OVERLAP more frames than one, and frames are decided on AHEAD frames later.
        self.context = (seen + 1 + OVERLAP - AHEAD) * HOP

    def step(self) -> keras.Model:
        """Builds the network for one step of a stream, with a copy of the weights of this one.

        Returns:
            a model for one channel: [wave (1, 128, 1), states...] to [restored (1, 128, 1),
            states...]. Each state (1, count, channels) starts as zeros and is passed from step to
            step. The restored wave lags by 384 samples.
        """
        wave = keras.Input((STEP, 1), batch_size=1, name="interpolated")
        before: list[keras.KerasTensor] = []
        after: list[keras.KerasTensor] = []

        def remember(x: keras.KerasTensor, count: int) -> keras.KerasTensor:
            state = keras.Input((count, x.shape[-1]), batch_size=1, name=f"state_{len(before):02}")
            longer = ops.concatenate([state, x], axis=1)
            before.append(state)
            after.append(longer[:, -count:])
            return longer

        spectrum = _spectrum(wave, remember, self.width, self.blocks)
        restored = _synthesize(spectrum, remember)
        step = keras.Model([wave, *before], [restored, *after], name=f"{self.name}_step")
        for layer in self.get_layer("spectrum").layers:
            if layer.weights:
                step.get_layer(layer.name).set_weights(layer.get_weights())
        return step

    def _restored(self, low):
        wave, spectrum = _restore(low, self.get_layer("spectrum"))
        # Without the frames before the wave and those after it.
        return wave, [part[:, AHEAD : part.shape[1] - OVERLAP] for part in spectrum]

    def _analyzed(self, wave):
        return super()._analyzed(_silence(wave, FRAME - HOP))


def _restore(wave, spectrum):
    """Returns the restored wave (batch, n, 1) and its spectrum, which lags by `AHEAD` frames."""
    frames = spectrum(ops.pad(wave, ((0, 0), (0, PhoneNet.delay), (0, 0))))
    return _synthesize(frames, _silence)[:, PhoneNet.delay :], frames


def _silence(x, count: int):
    """Prepends zeros, the history of a whole wave."""
    return ops.pad(x, ((0, 0), (count, 0), (0, 0)))


def _spectrum(
    wave: keras.KerasTensor, history: History, width: float, blocks: int
) -> list[keras.KerasTensor]:
    """Builds the network from a wave to log amplitudes, real and imaginary parts of each frame."""
    channels, hidden = widen((CHANNELS, HIDDEN), width, 8)
    analysis = STFT(FFT, HOP, FRAME, padding="none", name="analysis")
    seen = history(wave, FRAME - HOP)
    # (batch, frames, bins) all
    own, overtones = analysis(seen), analysis(ops.abs(seen))
    power = history(own[0] ** 2 + own[1] ** 2, LEVEL_FRAMES - 1)
    power = ops.average_pool(power, LEVEL_FRAMES, 1, "valid", "channels_last")
    level, presence = levels(power)
    # (batch, frames, channels) both
    amplitude, phase = streams(
        features(own, overtones, level, presence, NOISE),
        layers.Concatenate()([*unit(*own), *unit(*overtones)]),
        channels=channels,
        hidden=hidden,
        blocks=blocks,
        kernel=1,
        growth=GROWTH,
        history=history,
    )
    # The frames that the streams decide on now.
    own, overtones = (
        (history(real, AHEAD)[:, :-AHEAD], history(imaginary, AHEAD)[:, :-AHEAD])
        for real, imaginary in (own, overtones)
    )
    bins = presence.shape[-1]
    correction = last(phase, bins, "real"), last(phase, bins, "imaginary")
    return mixture(amplitude, phase, level, presence, own, overtones, correction)


def _synthesize(spectrum, history: History):
    """Adds up frames, what `_spectrum` returns, to a wave (batch, 64 frames, 1)."""
    _, real, imaginary = spectrum
    synthesis = InverseSTFT(FFT, HOP, FRAME, padding="none")
    return synthesis([history(real, OVERLAP), history(imaginary, OVERLAP)])
