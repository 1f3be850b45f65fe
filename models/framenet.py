"""FrameNet: our network for speech, which predicts the levels of bands in short frames.

Every 8 ms, a short-time Fourier transform measures the level of each band of the low wave. Residual
blocks of dilated convolutions (Yu and Koltun 2016, arXiv:1511.07122) have a context of one second
on either side.

- Below the cutoff they predict a gain for each band, which restores what the low-pass filter of the
  decimation attenuated.
- Above the cutoff they predict a log level for each band, so one network restores loud bands and
  bands that are 60 dB softer. AP-BWE (Lu et al. 2024, arXiv:2401.06387) predicts log levels, too.
- A rectifier creates overtones of the low wave: harmonics where the speech is voiced, noise
  elsewhere (Makhoul and Berouti 1979, "High-frequency regeneration in speech coding systems"). They
  are whitened and scaled to the predicted levels. Then their magnitudes are smoothed in long and
  short frames.

Both bands are added to the low wave, which a windowed sinc brings to the high rate; training cannot
change that sinc.

All constants are representable in float16, as TFLite files in float16 require: see `SCALE`.
"""

import math

import keras
import numpy as np
from keras import layers, ops

from .layers import FixedConv, add_wave, check_choice, sinc_kernel, widen
from .limits import check_range
from .spectral import inverse_rfft
from .system import Network

CHANNELS = 192
DILATIONS = (1, 3, 9, 27) * 3
# Hop and window of the frames, in samples at the high rate.
HOP, WINDOW = 128, 512
BANDS = WINDOW // 2 + 1
# Half the length of the interpolating sinc, in samples at the low rate.
SINC_HALF = 32
# Bounds of the natural logarithms of the gains below the cutoff and of the levels above the cutoff.
LOG_GAIN_RANGE, LOG_LEVEL_RANGE = (-10.0, 5.0), (-16.0, 4.0)
# The predicted log level of untrained blocks: 60 dB below full scale.
INITIAL_LOG_LEVEL = -7.0
# Windows of the smoothing stages, in samples at the high rate.
SMOOTHING_WINDOWS = (2048, 512, 2048)
# Amplitudes are scaled before they are squared: unscaled, the floors under the powers (1e-12 and
# 1e-14) would be 0 in float16, and digital silence would become NaN. A power of two is exact.
SCALE = 2.0**15
# The floor of the levels is below the noise of 16-bit audio, since the level of a pause determines
# the level of its high band.
LEVEL_FLOOR, WHITENING_FLOOR, SMOOTHING_FLOOR = (
    floor * SCALE**2 for floor in (1e-12, 1e-14, 1e-12)
)


@keras.saving.register_keras_serializable("wideband")
class FrameNet(Network):
    """The network for speech: (batch, n, 1) at the low rate to (batch, ratio n, 1) restored.

    n is a multiple of 512 / ratio, the hop of the longest window. `multiple` and `context` count
    samples at the low rate.

    Args:
        ratio: the high rate over the low rate: 2, 4, 8 or 16.
        width: multiplies the channels.
        noise: standard deviation of the noise that training adds to the input levels, in units of
            17 dB, from 0 to 1. It keeps the network from memorizing recordings by their levels.
        name: the name of the Keras model.

    Raises:
        UserError: the ratio is not supported, the noise is out of range, or the width leaves a
            layer without channels.

    Example:
        >>> FrameNet(ratio=4)(keras.ops.zeros((1, 1024, 1))).shape
        TensorShape([1, 4096, 1])
    """

    wants = "low"

    def __init__(
        self, ratio: int = 4, width: float = 1.0, noise: float = 0.5, name: str = "framenet"
    ) -> None:
        check_choice("ratio", ratio, (2, 4, 8, 16))
        check_range("noise", noise, 0, 1)
        (channels,) = widen((CHANNELS,), width)
        hop, window = HOP // ratio, WINDOW // ratio
        # The cutoff is the highest band of the low wave and the lowest band of the high band.
        cutoff = window // 2

        # === Functional Model ===
        low = keras.Input((None, 1), name="low")  # (batch, n, 1)
        # (batch, n, ratio) to (batch, ratio n, 1)
        wave = FixedConv(sinc_kernel(ratio, SINC_HALF), "same")(low)
        wave = layers.Reshape((-1, 1), dtype="float32")(wave)
        # (batch, frames, 2 low bands)
        bands = _frames(low, window, hop)
        x = BandLevels(dtype="float32")(bands)
        x = layers.GaussianNoise(noise)(x)
        # (batch, frames, channels)
        x = _blocks(x, channels)
        # (batch, ratio n, 1) both
        low_band = _low_band(x, bands, ratio)
        high_band = _high_band(x, wave, cutoff)
        for size in SMOOTHING_WINDOWS:
            high_band = Smoothing(size, 1 / ratio, dtype="float32")(high_band)
        added = layers.Add(dtype="float32")([low_band, high_band])
        super().__init__(low, add_wave(added, wave), name=name)

        # === Config ===
        self.ratio, self.width, self.noise = ratio, width, noise
        # Windows overlap by three quarters; the longest windows have the longest hops.
        self.multiple = max(SMOOTHING_WINDOWS) // 4 // ratio
        # Hops of the analysis and the synthesis, of the blocks, and of the smoothing.
        self.context = (3 + 1 + sum(DILATIONS) + sum(SMOOTHING_WINDOWS) // HOP) * hop


def _frames(wave: keras.KerasTensor, window: int, hop: int, first: int = 0) -> keras.KerasTensor:
    """Transforms windows that are centered on hops, (batch, n, 1) to (batch, n / hop, 2 bands)."""
    padded = layers.ZeroPadding1D((window - hop) // 2, dtype="float32")(wave)
    return FixedConv(_analysis(window, first), strides=hop)(padded)


def _blocks(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Builds the residual blocks: levels (batch, frames, bands) to (batch, frames, channels)."""
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
        # The sum of all blocks starts close to zero.
        small = keras.initializers.RandomNormal(stddev=0.02)
        y = layers.Conv1D(channels, 1, kernel_initializer=small, name=f"mix_{k}")(y)
        x = layers.Add()([x, y])
    return layers.LeakyReLU(negative_slope=0.2)(x)


def _low_band(x: keras.KerasTensor, bands: keras.KerasTensor, ratio: int) -> keras.KerasTensor:
    """Builds the correction of the low band, (batch, ratio n, 1), from gains for its bands."""
    count = bands.shape[-1] // 2
    # (batch, frames, count)
    gain = layers.Dense(
        count,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(_equalizer(count, ratio)),
        dtype="float32",
        name="gain",
    )(x)
    gained = Scaling(*LOG_GAIN_RANGE, dtype="float32")([gain, bands])
    # (batch, frames, 128) to (batch, ratio n, 1)
    gained = FixedConv(_synthesis(0, count), "same")(gained)
    return layers.Reshape((-1, 1), dtype="float32")(gained)


def _high_band(x: keras.KerasTensor, wave: keras.KerasTensor, cutoff: int) -> keras.KerasTensor:
    """Builds the high band, (batch, ratio n, 1), from levels for the overtones of the wave."""
    # (batch, frames, bands from the cutoff on)
    level = layers.Dense(
        BANDS - cutoff,
        bias_initializer=keras.initializers.Constant(INITIAL_LOG_LEVEL),
        dtype="float32",
        name="level",
    )(x)
    overtones = _frames(ops.abs(wave), WINDOW, HOP, cutoff)
    overtones = Whitening(dtype="float32")(overtones)
    overtones = Scaling(*LOG_LEVEL_RANGE, dtype="float32")([level, overtones])
    # (batch, frames, 128) to (batch, ratio n, 1)
    overtones = FixedConv(_synthesis(cutoff, BANDS), "same")(overtones)
    return layers.Reshape((-1, 1), dtype="float32")(overtones)


class BandLevels(layers.Layer):
    """Log powers of bands: (batch, frames, 2 c) to (batch, frames, c).

    The first half of the channels are real parts, the second half imaginary parts. The levels of
    speech are between -4 and 3.
    """

    def call(self, bands):
        """Measures the levels of bands (batch, frames, 2 c)."""
        log = ops.log(_scaled_power(*ops.split(bands, 2, axis=-1)) + LEVEL_FLOOR)
        return (log + (12.0 - 2 * math.log(SCALE))) / 4.0


class Whitening(layers.Layer):
    """Makes bands equally loud: (batch, frames, 2 c) to the same, real parts before imaginary ones.

    Each band is divided by the root mean square of the bands around it. This removes formants and
    keeps harmonics.
    """

    def call(self, bands):
        """Whitens bands (batch, frames, 2 c)."""
        real, imaginary = ops.split(bands, 2, axis=-1)
        power = _mean_around(_scaled_power(real, imaginary), WINDOW)
        scale = SCALE * ops.rsqrt(power + WHITENING_FLOOR)
        return ops.concatenate([scale * real, scale * imaginary], axis=-1)


class Scaling(layers.Layer):
    """Scales bands: (batch, frames, c) and (batch, frames, 2 c) to (batch, frames, 2 c).

    Args:
        lower: lower bound of the first input, the natural logarithms of the factors.
        upper: upper bound of the first input.
    """

    def __init__(self, lower: float, upper: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.lower, self.upper = lower, upper

    def call(self, inputs):
        """Multiplies the real and the imaginary part of each band by the same factor.

        Args:
            inputs: the log factors (batch, frames, c) and the bands (batch, frames, 2 c).
        """
        factor, bands = inputs
        factor = ops.exp(ops.clip(factor, self.lower, self.upper))
        return ops.concatenate([factor, factor], axis=-1) * bands


class Smoothing(layers.Layer):
    """Smooths the magnitudes of a wave's spectrum along frequency: (batch, n, 1) to the same.

    In generated noise some bands are weak and others are loud by chance, but not the same ones as
    in recorded noise. Here each magnitude of a short-time Fourier transform is replaced with the
    root mean square of those around it, and phases are kept. The inverse transform is that of
    Griffin and Lim 1984 ("Signal estimation from modified short-time Fourier transform", equation
    6). Low-noise noise is generated in the same way (Pumplin 1985; Kohlrausch et al. 1997).

    Args:
        window: samples, a power of two; n is a multiple of a quarter of the window.
        cutoff: a fraction of half the sample rate; bands below this frequency become silent.
    """

    def __init__(self, window: int, cutoff: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.window, self.first = window, round(window / 2 * cutoff)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input.

        Keras would find it by tracing `call`, but JAX cannot divide an unknown length into hops.
        """
        return input_shape

    def call(self, wave):
        """Smooths a wave (batch, n, 1)."""
        hann = ops.convert_to_tensor(_hann(self.window), "float32")
        # (batch, n, 1) to (batch, n / hop + 3, window); four hops make a window
        hops = ops.reshape(wave, (ops.shape(wave)[0], -1, self.window // 4))
        hops = ops.pad(hops, ((0, 0), (3, 3), (0, 0)))
        count = ops.shape(hops)[1] - 3
        frames = ops.concatenate([hops[:, k : k + count] for k in range(4)], axis=-1)

        # The squares of the four windows over a sample add up to 1.5.
        frames = hann / 1.5 * inverse_rfft(*self._smooth(*ops.rfft(hann * frames)))
        quarters = enumerate(ops.split(frames, 4, axis=-1))
        hops = sum(quarter[:, 3 - k : count - k] for k, quarter in quarters)
        return ops.reshape(hops, ops.shape(wave))

    def _smooth(self, real, imaginary):
        """Smooths a half spectrum, two of (..., bins), and removes the bins below the cutoff."""
        real, imaginary = real[..., self.first :], imaginary[..., self.first :]
        power = _scaled_power(real, imaginary)
        mean = _mean_around(power, self.window)
        # Not a quotient: in int8 its divisor may be zero, where TFLite stops with an error.
        gain = ops.sqrt(mean + SMOOTHING_FLOOR) * ops.rsqrt(power + SMOOTHING_FLOOR)
        below = ((0, 0), (0, 0), (self.first, 0))
        return ops.pad(gain * real, below), ops.pad(gain * imaginary, below)


def _scaled_power(real, imaginary):
    """Returns the power of complex numbers, times SCALE squared."""
    return (SCALE * real) ** 2 + (SCALE * imaginary) ** 2


def _mean_around(power, window: int):
    """Averages over bands, 250 Hz on either side at 16 kHz: (batch, frames, c) to the same.

    A matrix product would have the same result, but TFLite would quantize its inputs to 8 bits,
    most of them to 0. The frames are the channels of the pooling, because TensorFlow is 40 times
    slower at pooling a single channel.
    """
    power = ops.transpose(power, (0, 2, 1))
    power = ops.average_pool(power, window // 32 + 1, 1, "same", "channels_last")
    return ops.transpose(power, (0, 2, 1))


def _equalizer(count: int, ratio: int) -> np.ndarray:
    """Returns the initial log gains, which invert the filter of `data_gen.degrade.decimate`.

    The output already contains the interpolated wave, so the gains are 1 / H - 1. H is a Chebyshev
    filter of order 8 with a ripple of 0.05 dB up to 0.8 of the low band, applied forwards and
    backwards.
    """
    frequency = np.linspace(0, 1, count) / ratio
    warped = np.tan(np.pi / 2 * frequency) / np.tan(np.pi / 2 * 0.8 / ratio)
    ripple = 10 ** (0.05 / 10) - 1
    response = 1 / (1 + ripple * np.polynomial.chebyshev.chebval(warped, [0] * 8 + [1]) ** 2)
    return np.log(np.clip(1 / response - 1, *np.exp(LOG_GAIN_RANGE)))


def _hann(window: int) -> np.ndarray:
    return np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2


def _analysis(window: int, first: int) -> np.ndarray:
    """Returns the kernel (window, 1, 2 bands) of a Fourier transform with a Hann window.

    The bands of white noise have the variance of its samples. Bands below the first are left out.
    """
    n = np.arange(window)[:, np.newaxis]
    hann = _hann(window)[:, np.newaxis]
    angle = 2 * np.pi * (n - window / 2) * np.arange(first, window // 2 + 1) / window
    basis = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return (hann * basis / np.sqrt(np.sum(hann**2)))[:, np.newaxis, :]


def _synthesis(first: int, last: int) -> np.ndarray:
    """Returns the kernel (5, 2 (last - first), 128) that turns bands into a wave (Hann window).

    257 random bands of variance 1 become a wave of variance 1.
    """
    # The position of sample n of a hop relative to the middle of the frame 2 - k hops away.
    k = np.arange(5)[:, np.newaxis, np.newaxis]
    n = np.arange(HOP) - (k - 2) * HOP - HOP / 2
    hann = np.where(np.abs(n) < WINDOW / 2, np.cos(np.pi * n / WINDOW) ** 2, 0.0)
    angle = 2 * np.pi * n * np.arange(first, last)[:, np.newaxis] / WINDOW
    basis = np.concatenate([np.cos(angle), -np.sin(angle)], axis=1)
    return hann * basis / np.sqrt(BANDS * np.sum(hann[:, 0] ** 2) / HOP)
