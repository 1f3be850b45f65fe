"""Critics: the networks that judge waves in adversarial training.

A critic is a `keras.Model` from a wave (batch, n, 1) to a list with one entry per member, such as a
period or a resolution. An entry lists the outputs of the layers, which feature matching compares;
the last one has the scores. Critics are needed in training only.

Weights start as in PyTorch, where all of the published critics come from. Convolutions have weight
normalization (Salimans and Kingma 2016).
"""

import itertools
import math
from collections.abc import Callable

import keras
from keras import layers, ops

from ..command.errors import lookup
from .layers import widen

SLOPE = 0.1  # of the leaky rectifiers
PERIODS = (2, 3, 5, 7, 11)
# Window and hop, in samples.
RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
# The edges of the bands, in fractions of half the sample rate.
BAND_EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)

# The squared magnitude below which a bin has no phase: the derivative of an angle would overflow.
EMPTY = 1e-20

Maps = list[keras.KerasTensor]


@keras.saving.register_keras_serializable("wideband")
class WeightNormConv2D(layers.Conv2D):
    """A convolution whose kernels have trained norms: gain * v / |v| for each filter.

    Initial weights and biases are uniform in +-1 / sqrt(fan-in), as in PyTorch.

    Source: Salimans and Kingma 2016, equation 2; torch.nn.utils.weight_norm with dim=0.

    Args:
        filters: number of output channels.
        kernel_size: height and width.
        fan_in: inputs of one output value, for the initial biases.
        **kwargs: arguments of `keras.layers.Conv2D`.
    """

    def __init__(self, filters: int, kernel_size: tuple[int, int], fan_in: int, **kwargs) -> None:
        super().__init__(
            filters,
            kernel_size,
            kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"),
            bias_initializer=keras.initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5),
            **kwargs,
        )
        self.fan_in = fan_in

    def build(self, input_shape) -> None:
        """Creates the kernel, the bias and the gains, which start as the norms of the kernel."""
        super().build(input_shape)
        self.gain = self.add_weight(
            shape=(self.filters,), initializer=lambda *_, **__: _norm(self.kernel), name="gain"
        )

    def convolution_op(self, inputs, kernel):
        """Convolves with the normalized kernel."""
        scale = ops.cast(ops.cast(self.gain, "float32") / _norm(kernel), kernel.dtype)
        return super().convolution_op(inputs, kernel * scale)

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        config = super().get_config()
        for initial in ("kernel_initializer", "bias_initializer"):
            config.pop(initial)
        return {**config, "fan_in": self.fan_in}


def _norm(kernel):
    """Returns the norm of each filter of a kernel (height, width, c, filters), (filters,)."""
    kernel = ops.cast(kernel, "float32")
    return ops.sqrt(ops.sum(ops.square(kernel), axis=(0, 1, 2)))


@keras.saving.register_keras_serializable("wideband")
class Spectrum(layers.Layer):
    """Short-time spectra as images: (batch, n, 1) to (batch, bins, frames, channels), in float32.

    Args:
        window: samples of a frame and of its Fourier transform.
        hop: samples from one frame to the next.
        shape: the name of the window, or None for a rectangular one.
        kind: "amplitude" or "phase" (1 channel), or "complex" (2: real and imaginary parts).
        **kwargs: arguments of a Keras layer, such as `name`.
    """

    def __init__(self, window: int, hop: int, shape: str | None, kind: str, **kwargs) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.window, self.hop, self.shape, self.kind = window, hop, shape, kind

    def call(self, wave):
        """Transforms the wave (batch, n, 1), with mirrored samples at both ends."""
        real, imaginary = ops.stft(wave[..., 0], self.window, self.hop, self.window, self.shape)
        image = ops.stack(self._channels(real, imaginary), axis=-1)
        return ops.transpose(image, (0, 2, 1, 3))

    def _channels(self, real, imaginary) -> list:
        if self.kind == "complex":
            return [real, imaginary]
        power = ops.square(real) + ops.square(imaginary)
        empty = power < EMPTY
        if self.kind == "amplitude":
            # The slope of the root is infinite at 0.
            return [ops.where(empty, 0.0, ops.sqrt(ops.where(empty, 1.0, power)))]
        one, zero = ops.where(empty, 1.0, real), ops.where(empty, 0.0, imaginary)
        return [ops.arctan2(zero, one)]

    def compute_output_shape(self, input_shape):
        """Returns (batch, bins, frames, channels); the number of frames may be None."""
        batch, n, _ = input_shape
        frames = None if n is None else 1 + n // self.hop
        return batch, self.window // 2 + 1, frames, 2 if self.kind == "complex" else 1

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        own = {"window": self.window, "hop": self.hop, "shape": self.shape, "kind": self.kind}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("wideband")
class Periods(layers.Layer):
    """Writes a wave into rows of one period: (batch, n, 1) to (batch, n / period, period, 1).

    The end is extended with its mirror image to a multiple of the period.

    Args:
        period: in samples.
        **kwargs: arguments of a Keras layer, such as `name`.
    """

    def __init__(self, period: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.period = period

    def call(self, wave):
        """Reshapes the wave (batch, n, 1)."""
        n = wave.shape[1]
        if n % self.period:
            wave = ops.pad(wave, ((0, 0), (0, -n % self.period), (0, 0)), "reflect")
        return ops.reshape(wave, (-1, -(-n // self.period), self.period, 1))

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "period": self.period}


def multi_period(wave: keras.KerasTensor, width: float) -> list[Maps]:
    """Builds the multi-period critic of HiFi-GAN: each member sees every p-th sample in a row.

    The first layer's output is not compared.

    Source: Kong et al. 2020, section 2.3; models.py in jik876/hifi-gan.

    Args:
        wave: (batch, n, 1), n known.
        width: multiplies the channels: 32, 128, 512, 1024 and 1024.
    """
    members = []
    for period in PERIODS:
        x, maps = Periods(period, name=f"period_{period}")(wave), []
        for k, filters in enumerate(widen((32, 128, 512, 1024, 1024), width)):
            strides = (1 if k == 4 else 3, 1)
            x = _conv(x, filters, (5, 1), strides, name=f"period_{period}_conv_{k}")
            x = layers.LeakyReLU(negative_slope=SLOPE)(x)
            maps.append(x)
        score = _conv(x, 1, (3, 1), name=f"period_{period}_score")
        members.append([*maps[1:], score])
    return members


def _multi_resolution(wave: keras.KerasTensor, width: float, kind: str) -> list[Maps]:
    (filters,) = widen((64,), width)
    kernels = ((7, 5), (5, 3), (5, 3), (3, 3), (3, 3))
    strides = ((2, 2), (2, 1), (2, 2), (2, 1), (2, 2))
    members = []
    for window, hop in RESOLUTIONS:
        name = f"{kind}_{window}"
        x, maps = Spectrum(window, hop, None, kind, name=name)(wave), []
        for k in range(5):
            x = _conv(x, filters, kernels[k], strides[k], name=f"{name}_conv_{k}")
            x = layers.LeakyReLU(negative_slope=SLOPE)(x)
            maps.append(x)
        members.append([*maps, _conv(x, 1, (3, 3), name=f"{name}_score")])
    return members


def multi_resolution_amplitude(wave: keras.KerasTensor, width: float) -> list[Maps]:
    """Builds the multi-resolution amplitude critic of AP-BWE.

    Source: Lu et al. 2024, section III-C; models/model.py in yxlu-0102/AP-BWE.

    Args:
        wave: (batch, n, 1).
        width: multiplies the 64 channels.
    """
    return _multi_resolution(wave, width, "amplitude")


def multi_resolution_phase(wave: keras.KerasTensor, width: float) -> list[Maps]:
    """Builds the multi-resolution phase critic of AP-BWE.

    Source: Lu et al. 2024, section III-C; models/model.py in yxlu-0102/AP-BWE.

    Args:
        wave: (batch, n, 1).
        width: multiplies the 64 channels.
    """
    return _multi_resolution(wave, width, "phase")


def multi_band(wave: keras.KerasTensor, width: float) -> list[Maps]:
    """Builds the multi-band critic of the Descript codec: complex spectra, cut into five bands.

    Each band has its own layers; one score layer sees all bands. A hop is a quarter of a window.

    Source: Kumar et al. 2023, "High-Fidelity Audio Compression with Improved RVQGAN", section 3.3.

    Args:
        wave: (batch, n, 1).
        width: multiplies the 32 channels.
    """
    (filters,) = widen((32,), width)
    strides = ((1, 1), (1, 2), (1, 2), (1, 2), (1, 1))
    members = []
    for window, _ in reversed(RESOLUTIONS):
        spectrum = Spectrum(window, window // 4, "hann", "complex", name=f"complex_{window}")(wave)
        # (batch, frames, bins, 2)
        image = layers.Permute((2, 1, 3))(spectrum)
        edges = [round(edge * (window // 2 + 1)) for edge in BAND_EDGES]
        bands, maps = [], []
        for band, (low, high) in enumerate(itertools.pairwise(edges)):
            x = image[:, :, low:high]
            for k in range(5):
                kernel = (3, 3) if k == 4 else (3, 9)
                name = f"complex_{window}_band_{band}_conv_{k}"
                x = _conv(x, filters, kernel, strides[k], name=name)
                x = layers.LeakyReLU(negative_slope=SLOPE)(x)
                maps.append(x)
            bands.append(x)
        joined = layers.Concatenate(axis=2)(bands)
        score = _conv(joined, 1, (3, 3), name=f"complex_{window}_score")
        members.append([*maps, score])
    return members


def _conv(
    x: keras.KerasTensor,
    filters: int,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    *,
    name: str,
) -> keras.KerasTensor:
    """Convolves with half a kernel of zeros at each end, as PyTorch pads.

    Keras's own padding for strided convolutions is longer at the end than at the start.
    """
    height, width = (size // 2 for size in kernel)
    x = layers.ZeroPadding2D(((height, height), (width, width)))(x)
    fan_in = math.prod(kernel) * x.shape[-1]
    return WeightNormConv2D(filters, kernel, fan_in, strides=strides, name=name)(x)


CRITICS: dict[str, Callable[[keras.KerasTensor, float], list[Maps]]] = {
    "multi_period": multi_period,
    "multi_resolution_amplitude": multi_resolution_amplitude,
    "multi_resolution_phase": multi_resolution_phase,
    "multi_band": multi_band,
}


def build(name: str, n: int, width: float = 1.0) -> keras.Model:
    """Builds a critic with random weights.

    Args:
        name: a key of `CRITICS`.
        n: samples of the waves that it judges.
        width: multiplies the published numbers of channels.

    Raises:
        UserError: there is no such critic, or the width leaves a layer without channels.

    Example:
        >>> critic = build("multi_period", 8000, width=0.125)
        >>> [member[-1].shape for member in critic(keras.ops.zeros((1, 8000, 1)))]
        [(1, 50, 2, 1), (1, 33, 3, 1), (1, 20, 5, 1), (1, 15, 7, 1), (1, 9, 11, 1)]
    """
    builder = lookup(CRITICS, name, "critic")
    wave = keras.Input((n, 1), name="wave")
    return keras.Model(wave, builder(wave, width), name=name)
