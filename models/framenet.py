"""FrameNet: a network of our own for speech, in levels and phases of short frames.

Every 8 ms a short-time Fourier transform takes the level and the phase of each band of the low
wave. Residual blocks of dilated convolutions (Yu and Koltun 2016, arXiv:1511.07122) see a second
around. For each band below the cutoff they tell a gain, which brings back what the low-pass took.
For each band above it they tell a level, as a logarithm: one network so restores what is loud and
what is 60 dB softer (AP-BWE, Lu et al. 2024, arXiv:2401.06387, predicts logarithms of levels too).
What gets that level are the overtones that a rectifier makes of the low wave: those of the voice
where there is one, and noise where there is none (Makhoul and Berouti 1979, "High-frequency
regeneration in speech coding systems"). The inverse transform of both joins the low wave, brought
to the high rate by a windowed sinc, which no weight can disturb.
"""

import keras
import numpy as np
from keras import layers, ops

from .layers import Network, add_wave, check_choice, sinc_kernel, widen

PAPER = "this project"

CHANNELS = 192
DILATIONS = (1, 3, 9, 27) * 3
# Samples at the high rate: from frame to frame, and of a frame's window.
HOP, WINDOW = 128, 512
BANDS = WINDOW // 2 + 1
# Low samples on either side from which the wave is interpolated.
SINC_HALF = 32
# Natural logarithms of the gains below the cutoff and of the levels above it, at least and at most.
GAINS, LEVELS = (-10.0, 5.0), (-16.0, 4.0)
# Of a level that the blocks tell nothing of: 60 dB below full scale.
QUIET = -7.0


@keras.saving.register_keras_serializable("wideband")
class FrameNet(Network):
    """The network for speech: (batch, n, 1) at the low rate to (batch, ratio n, 1) restored.

    n is a multiple of a hop, 128 / ratio. `multiple` and `context` count samples at the low rate.

    Args:
        ratio: the high rate over the low rate: 2, 4, 8 or 16.
        width: multiplies the channels.
        name: of the Keras model.

    Raises:
        ValueError: the ratio is none of these, or the width leaves a layer without channels.

    Example:
        >>> FrameNet(ratio=4)(keras.ops.zeros((1, 1024, 1))).shape
        TensorShape([1, 4096, 1])
    """

    wants = "low"

    def __init__(self, ratio: int = 4, width: float = 1.0, name: str = "framenet") -> None:
        check_choice("ratio", ratio, (2, 4, 8, 16))
        (channels,) = widen((CHANNELS,), width)
        hop, window = HOP // ratio, WINDOW // ratio
        # Bands that the low wave has, the highest of which is the cutoff, and those from there on.
        below, above = window // 2 + 1, BANDS - window // 2

        # === Functional Model ===
        low = keras.Input((None, 1), name="low")  # (batch, n, 1)
        # (batch, n, ratio) to (batch, ratio n, 1)
        wave = FixedConv(sinc_kernel(ratio, SINC_HALF), "same")(low)
        wave = layers.Reshape((-1, 1), dtype="float32")(wave)
        # (batch, frames, 2 below), a frame's window around its hop
        bands = layers.ZeroPadding1D((window - hop) // 2, dtype="float32")(low)
        bands = FixedConv(_analysis(window), strides=hop)(bands)

        # (batch, frames, 3 below) to (batch, frames, channels)
        x = LevelAndPhase(dtype="float32")(bands)
        x = layers.Conv1D(channels, 3, padding="same", name="first")(x)
        for k, dilation in enumerate(DILATIONS):
            y = layers.LeakyReLU(negative_slope=0.2)(x)
            y = layers.Conv1D(
                channels,
                3,
                padding="same",
                dilation_rate=dilation,
                kernel_initializer="he_normal",
                name=f"dilated_{k}",
            )(y)
            y = layers.LeakyReLU(negative_slope=0.2)(y)
            # The sum of all blocks begins as next to nothing.
            small = keras.initializers.RandomNormal(stddev=0.02)
            y = layers.Conv1D(channels, 1, kernel_initializer=small, name=f"mix_{k}")(y)
            x = layers.Add()([x, y])
        x = layers.LeakyReLU(negative_slope=0.2)(x)

        # (batch, ratio n, 1) to (batch, frames, 2 above)
        overtones = layers.ZeroPadding1D((WINDOW - HOP) // 2, dtype="float32")(ops.abs(wave))
        overtones = FixedConv(_analysis(WINDOW, BANDS - above), strides=HOP)(overtones)

        # (batch, frames, above), (batch, frames, 2 above) and (batch, frames, below)
        level = layers.Dense(above, dtype="float32", name="level")(x)
        turn = layers.Dense(2 * above, kernel_initializer="zeros", dtype="float32", name="turn")(x)
        gain = layers.Dense(
            below,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(_equalizer(below, ratio)),
            dtype="float32",
            name="gain",
        )(x)
        carrier = Carrier(dtype="float32")([turn, overtones])
        # (batch, frames, 2 * 257) to (batch, frames, 128) to (batch, ratio n, 1)
        x = Spectrum(dtype="float32")([level, carrier, gain, bands])
        x = FixedConv(_synthesis(), "same")(x)
        x = layers.Reshape((-1, 1), dtype="float32")(x)
        super().__init__(low, add_wave(x, wave), name=name)

        # === Config ===
        self.ratio, self.width = ratio, width
        self.multiple = hop
        # Hops of the analysis, of the blocks, and of the synthesis.
        self.context = (2 + 1 + sum(DILATIONS) + 2) * hop


class FixedConv(layers.Layer):
    """A convolution without weights, in float32: (batch, n, c) to (batch, n / strides, filters).

    Args:
        kernel: (taps, c, filters).
        padding: "valid" or "same".
        strides: samples from one output to the next.
    """

    def __init__(self, kernel: np.ndarray, padding: str = "valid", strides: int = 1) -> None:
        super().__init__(dtype="float32")
        self.kernel, self.padding, self.strides = kernel, padding, strides

    def call(self, x):
        """Convolves x (batch, n, c)."""
        kernel = ops.convert_to_tensor(self.kernel, "float32")
        return ops.conv(x, kernel, strides=self.strides, padding=self.padding)


class LevelAndPhase(layers.Layer):
    """Splits bands into level and phase: (batch, frames, 2 c) to (batch, frames, 3 c).

    The first half of the channels are real parts, the second imaginary ones. Out come the logarithm
    of the power, from -4 to 3, and the cosine and sine of the phase.
    """

    def call(self, bands):
        """Splits bands (batch, frames, 2 c)."""
        real, imaginary = ops.split(bands, 2, axis=-1)
        # The floor lies below the noise of 16 bits: the level of a pause tells of its treble.
        power = real**2 + imaginary**2 + 1e-12
        scale = ops.rsqrt(power)
        level = (ops.log(power) + 12.0) / 4.0
        return ops.concatenate([level, scale * real, scale * imaginary], axis=-1)


class Carrier(layers.Layer):
    """Makes overtones equally loud, then turns and scales each: (batch, frames, 2 a) twice.

    The inputs are complex factors, less 1, and bands, in which real parts come before imaginary
    ones. A band is divided by the root of the mean power of the 17 bands around it, half a
    kilohertz, so that harmonics still stand out and formants do not.
    """

    def call(self, inputs):
        """Multiplies flattened bands by factors."""
        turn, bands = inputs
        real, imaginary = ops.split(bands, 2, axis=-1)
        power = real**2 + imaginary**2
        # Not a product with a matrix, whose inputs TFLite would round to 8 bits, most of them to 0.
        near = ops.average_pool(power[..., None], (1, 17), 1, "same", "channels_last")[..., 0]
        scale = ops.rsqrt(near + 1e-14)
        real, imaginary = scale * real, scale * imaginary
        cosine, sine = ops.split(turn, 2, axis=-1)
        cosine = 1.0 + cosine
        return ops.concatenate(
            [cosine * real - sine * imaginary, cosine * imaginary + sine * real], axis=-1
        )


class Spectrum(layers.Layer):
    """Puts together what the network adds to the low wave, all in bands.

    The inputs are levels (batch, frames, a) and carriers (batch, frames, 2 a) of the highest bands,
    and gains (batch, frames, b) and the low wave (batch, frames, 2 b) of the lowest; real parts
    come before imaginary ones. The output is (batch, frames, 2 * 257).
    """

    def call(self, inputs):
        """Multiplies carriers by levels and low bands by gains, and adds both up."""
        level, carrier, gain, bands = inputs
        level = ops.exp(ops.clip(QUIET + level, *LEVELS))
        gain = ops.exp(ops.clip(gain, *GAINS))
        lowest = ((0, 0), (0, 0), (0, BANDS - gain.shape[-1]))
        highest = ((0, 0), (0, 0), (BANDS - level.shape[-1], 0))
        parts = zip(ops.split(bands, 2, axis=-1), ops.split(carrier, 2, axis=-1), strict=True)
        return ops.concatenate(
            [ops.pad(gain * low, lowest) + ops.pad(level * high, highest) for low, high in parts],
            axis=-1,
        )


def _equalizer(below: int, ratio: int) -> np.ndarray:
    """Gives the first logarithms of the gains: what `data_gen.degrade.decimate` took from bands.

    The wave itself is there already; 1 / H - 1 of it more make it whole. H is a Chebyshev filter
    of order 8 with a ripple of 0.05 dB up to 0.8 of the low band, forwards and backwards.
    """
    frequency = np.linspace(0, 1, below) / ratio
    warped = np.tan(np.pi / 2 * frequency) / np.tan(np.pi / 2 * 0.8 / ratio)
    ripple = 10 ** (0.05 / 10) - 1
    response = 1 / (1 + ripple * np.polynomial.chebyshev.chebval(warped, [0] * 8 + [1]) ** 2)
    return np.log(np.clip(1 / response - 1, *np.exp(GAINS)))


def _analysis(window: int, first: int = 0) -> np.ndarray:
    """Gives the kernel (window, 1, 2 bands) of a Fourier transform under a Hann window.

    White noise has bands of its own variance. The bands below the first are left out.
    """
    n = np.arange(window)[:, np.newaxis]
    hann = np.sin(np.pi * (n + 0.5) / window) ** 2
    angle = 2 * np.pi * (n - window / 2) * np.arange(first, window // 2 + 1) / window
    basis = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return (hann * basis / np.sqrt(np.sum(hann**2)))[:, np.newaxis, :]


def _synthesis() -> np.ndarray:
    """Gives the kernel (5, 2 * 257, 128) that adds up the waves of bands under a Hann window.

    Of random bands of variance 1 it makes a wave of variance 1.
    """
    # Sample n of a hop, as the frame that is 2 - k hops away counts it from its middle.
    k = np.arange(5)[:, np.newaxis, np.newaxis]
    n = np.arange(HOP) - (k - 2) * HOP - HOP / 2
    hann = np.where(np.abs(n) < WINDOW / 2, np.cos(np.pi * n / WINDOW) ** 2, 0.0)
    angle = 2 * np.pi * n * np.arange(BANDS)[:, np.newaxis] / WINDOW
    basis = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return hann * basis / np.sqrt(BANDS * np.sum(hann[:, 0] ** 2) / HOP)
