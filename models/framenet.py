"""FrameNet: a network of our own for speech, in levels of short frames.

Every 8 ms a short-time Fourier transform takes the level of each band of the low wave. Residual
blocks of dilated convolutions (Yu and Koltun 2016, arXiv:1511.07122) see a second around. For each
band below the cutoff they tell a gain, which brings back what the low-pass took. For each band
above it they tell a level, as a logarithm: one network so restores what is loud and what is 60 dB
softer (AP-BWE, Lu et al. 2024, arXiv:2401.06387, predicts logarithms of levels too). What gets that
level are the overtones that a rectifier makes of the low wave: those of the voice where there is
one, and noise where there is none (Makhoul and Berouti 1979, "High-frequency regeneration in speech
coding systems"). The wave of that treble is given smooth magnitudes, in long frames and in short
ones. It and the wave of the gained bands join the low wave, brought to the high rate by a windowed
sinc, which no weight can disturb.
"""

import keras
import numpy as np
from keras import layers, ops

from .layers import add_wave, check_choice, sinc_kernel, widen
from .system import Network

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
# Windows, in samples, in which the magnitudes of the treble become smooth, one after the other.
SMOOTHED = (2048, 512, 2048)


@keras.saving.register_keras_serializable("wideband")
class FrameNet(Network):
    """The network for speech: (batch, n, 1) at the low rate to (batch, ratio n, 1) restored.

    n is a multiple of 512 / ratio, a hop of the longest window. `multiple` and `context` count
    samples at the low rate.

    Args:
        ratio: the high rate over the low rate: 2, 4, 8 or 16.
        width: multiplies the channels.
        noise: standard deviation of what is added to the levels in training, in units of 17 dB,
            lest the network know its recordings by them.
        name: of the Keras model.

    Raises:
        UserError: the ratio is none of these, or the width leaves a layer without channels.

    Example:
        >>> FrameNet(ratio=4)(keras.ops.zeros((1, 1024, 1))).shape
        TensorShape([1, 4096, 1])
    """

    wants = "low"

    def __init__(
        self, ratio: int = 4, width: float = 1.0, noise: float = 0.5, name: str = "framenet"
    ) -> None:
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

        # (batch, frames, below) to (batch, frames, channels)
        x = BandLevels(dtype="float32")(bands)
        x = layers.GaussianNoise(noise)(x)
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

        # (batch, frames, below) and (batch, frames, above)
        gain = layers.Dense(
            below,
            kernel_initializer="zeros",
            bias_initializer=keras.initializers.Constant(_equalizer(below, ratio)),
            dtype="float32",
            name="gain",
        )(x)
        level = layers.Dense(
            above,
            bias_initializer=keras.initializers.Constant(QUIET),
            dtype="float32",
            name="level",
        )(x)

        # (batch, frames, 2 below) to (batch, frames, 128) to (batch, ratio n, 1)
        gained = Scaling(*GAINS, dtype="float32")([gain, bands])
        gained = FixedConv(_synthesis(0, below), "same")(gained)
        gained = layers.Reshape((-1, 1), dtype="float32")(gained)

        # (batch, ratio n, 1) to (batch, frames, 2 above) and back
        treble = layers.ZeroPadding1D((WINDOW - HOP) // 2, dtype="float32")(ops.abs(wave))
        treble = FixedConv(_analysis(WINDOW, BANDS - above), strides=HOP)(treble)
        treble = Whitening(dtype="float32")(treble)
        treble = Scaling(*LEVELS, dtype="float32")([level, treble])
        treble = FixedConv(_synthesis(BANDS - above, BANDS), "same")(treble)
        treble = layers.Reshape((-1, 1), dtype="float32")(treble)
        for size in SMOOTHED:
            treble = Smoothing(size, 1 / ratio, dtype="float32")(treble)

        added = layers.Add(dtype="float32")([gained, treble])
        super().__init__(low, add_wave(added, wave), name=name)

        # === Config ===
        self.ratio, self.width, self.noise = ratio, width, noise
        # Windows overlap by three quarters; the longest ones have the longest hops.
        self.multiple = max(SMOOTHED) // 4 // ratio
        # Hops of the analysis and the synthesis, of the blocks, and of the smoothing.
        self.context = (3 + 1 + sum(DILATIONS) + sum(SMOOTHED) // HOP) * hop


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


class BandLevels(layers.Layer):
    """Takes the logarithm of the power of bands: (batch, frames, 2 c) to (batch, frames, c).

    The first half of the channels are real parts, the second imaginary ones. Speech has levels from
    -4 to 3.
    """

    def call(self, bands):
        """Takes the levels of bands (batch, frames, 2 c)."""
        real, imaginary = ops.split(bands, 2, axis=-1)
        # The floor lies below the noise of 16 bits: the level of a pause tells of its treble.
        return (ops.log(real**2 + imaginary**2 + 1e-12) + 12.0) / 4.0


class Whitening(layers.Layer):
    """Makes bands equally loud: (batch, frames, 2 c) to the same, real parts before imaginary ones.

    A band is divided by the root of the mean power of those around it, so that harmonics still
    stand out and formants do not.
    """

    def call(self, bands):
        """Divides bands (batch, frames, 2 c)."""
        real, imaginary = ops.split(bands, 2, axis=-1)
        scale = ops.rsqrt(_mean_around(real**2 + imaginary**2, WINDOW) + 1e-14)
        return ops.concatenate([scale * real, scale * imaginary], axis=-1)


class Scaling(layers.Layer):
    """Scales bands: (batch, frames, c) and (batch, frames, 2 c) to (batch, frames, 2 c).

    Args:
        least: of the natural logarithms of the factors, which are the first input.
        most: of them, too.
    """

    def __init__(self, least: float, most: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.least, self.most = least, most

    def call(self, inputs):
        """Multiplies the second input's real parts, which come first, and its imaginary ones."""
        factor, bands = inputs
        factor = ops.exp(ops.clip(factor, self.least, self.most))
        return ops.concatenate([factor, factor], axis=-1) * bands


class Smoothing(layers.Layer):
    """Gives a wave the magnitudes that its bands have on the mean: (batch, n, 1) to the same.

    Noise has bands that are empty by chance and others that are loud by chance, and they are
    not those of the noise that was recorded. Here each magnitude of a short-time Fourier transform
    becomes the root mean square of those around it, phases stay, and the inverse is that of Griffin
    and Lim 1984 ("Signal estimation from modified short-time Fourier transform", equation 6), as in
    the making of low-noise noise (Pumplin 1985; Kohlrausch et al. 1997).

    Args:
        window: samples, a power of two; n is a multiple of a quarter of it.
        cutoff: as a part of half the sample rate; nothing is left below it.
    """

    def __init__(self, window: int, cutoff: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.window, self.first = window, round(window / 2 * cutoff)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Tells Keras what it cannot find by tracing: JAX divides no unknown length into hops."""
        return shape

    def call(self, wave):
        """Smooths a wave (batch, n, 1)."""
        hann = ops.convert_to_tensor(_hann(self.window), "float32")
        # (batch, n, 1) to (batch, n / hop + 3, window): four hops make a window
        hops = ops.reshape(wave, (ops.shape(wave)[0], -1, self.window // 4))
        hops = ops.pad(hops, ((0, 0), (3, 3), (0, 0)))
        count = ops.shape(hops)[1] - 3
        frames = ops.concatenate([hops[:, k : k + count] for k in range(4)], axis=-1)

        # (batch, n / hop + 3, bands)
        real, imaginary = (part[..., self.first :] for part in ops.rfft(hann * frames))
        power = real**2 + imaginary**2
        # No quotient: in 8 bits its divisor may be zero, and TFLite stops there.
        gain = ops.sqrt(_mean_around(power, self.window) + 1e-12) * ops.rsqrt(power + 1e-12)
        below = ((0, 0), (0, 0), (self.first, 0))
        spectrum = [ops.pad(gain * part, below) for part in (real, imaginary)]
        # The squares of the four windows over a sample add up to 1.5.
        frames = hann / 1.5 * _inverse(*spectrum)
        parts = enumerate(ops.split(frames, 4, axis=-1))
        hops = sum(part[:, 3 - k : count - k] for k, part in parts)
        return ops.reshape(hops, ops.shape(wave))


def _mean_around(power, window: int):
    """Gives the mean of the bands within a quarter of a kilohertz: (batch, frames, c) to the same.

    Not a product with a matrix, whose inputs TFLite would round to 8 bits, most of them to 0. With
    frames for channels: TensorFlow takes the means of a single channel 40 times slower.
    """
    power = ops.transpose(power, (0, 2, 1))
    power = ops.average_pool(power, window // 32 + 1, 1, "same", "channels_last")
    return ops.transpose(power, (0, 2, 1))


def _inverse(real, imaginary):
    """Inverts `ops.rfft`, as Hartley's transform, which is its own inverse.

    TFLite has a Fourier transform of real numbers, and nothing that inverts it.
    """
    wave = _hartley(*ops.rfft(_hartley(real, imaginary)))
    return wave / wave.shape[-1]


def _hartley(real, imaginary):
    """Gives Hartley's transform of real numbers, from the half of their Fourier transform."""
    mirrored = ops.flip((real + imaginary)[..., 1:-1], axis=-1)
    return ops.concatenate([real - imaginary, mirrored], axis=-1)


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


def _hann(window: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2


def _analysis(window: int, first: int = 0) -> np.ndarray:
    """Gives the kernel (window, 1, 2 bands) of a Fourier transform under a Hann window.

    White noise has bands of its own variance. The bands below the first are left out.
    """
    n = np.arange(window)[:, np.newaxis]
    hann = _hann(window)[:, np.newaxis]
    angle = 2 * np.pi * (n - window / 2) * np.arange(first, window // 2 + 1) / window
    basis = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return (hann * basis / np.sqrt(np.sum(hann**2)))[:, np.newaxis, :]


def _synthesis(first: int, last: int) -> np.ndarray:
    """Gives the kernel (5, 2 (last - first), 128) that makes waves of bands under a Hann window.

    Of 257 random bands of variance 1 it makes a wave of variance 1.
    """
    # Sample n of a hop, as the frame that is 2 - k hops away counts it from its middle.
    k = np.arange(5)[:, np.newaxis, np.newaxis]
    n = np.arange(HOP) - (k - 2) * HOP - HOP / 2
    hann = np.where(np.abs(n) < WINDOW / 2, np.cos(np.pi * n / WINDOW) ** 2, 0.0)
    angle = 2 * np.pi * n * np.arange(first, last)[:, np.newaxis] / WINDOW
    basis = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return hann * basis / np.sqrt(BANDS * np.sum(hann[:, 0] ** 2) / HOP)
