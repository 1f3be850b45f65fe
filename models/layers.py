"""What several papers share: the base of all networks, some steps and layers, two U-Nets."""

from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
from keras import layers, ops

from ..command import UserError

LAST_KERNEL = 9
BLOCKS = ("paper", "published")
STEPS = 32


def add_wave(x: keras.KerasTensor, wave: keras.KerasTensor) -> keras.KerasTensor:
    """Adds the wave (batch, n, 1) to what a network made of it, (batch, n, c), channel by channel.

    In float32 even under mixed precision: half floats would round the wave itself.
    """
    return layers.Add(dtype="float32")([x, wave])


def check_choice(what: str, value: str | int, choices: Iterable[str | int]) -> None:
    """Raises a UserError for an argument that is none of the choices."""
    if value not in choices:
        raise UserError(f"{what} {value!r} is none of {', '.join(map(str, choices))}")


def check_patch(patch: int, multiple: int) -> None:
    """Raises a UserError for a patch that is no multiple of so many samples."""
    if patch < 1 or patch % multiple:
        raise UserError(f"a patch of {patch} samples is no multiple of {multiple}")


def widen(counts: Sequence[int], width: float, divisor: int = 1) -> list[int]:
    """Multiplies numbers of filters or units by a width.

    Args:
        counts: as published.
        width: the multiplier.
        divisor: the results are rounded to multiples of it.

    Raises:
        UserError: the width leaves a layer without filters.
    """
    widened = [round(width * count / divisor) * divisor for count in counts]
    if min(widened) < 1:
        raise UserError(f"width {width} leaves a layer without filters")
    return widened


def sinc_kernel(ratio: int, half: int, ahead: int | None = None) -> np.ndarray:
    """Gives the kernel of a convolution that interpolates as a windowed sinc does (Hann window).

    Args:
        ratio: samples out, as channels, for one sample in.
        half: samples in on either side that the sinc reaches.
        ahead: taps behind the middle one, if not `half`: the kernel of a causal convolution looks
            so far ahead.

    Returns:
        (half + 1 + ahead, 1, ratio).
    """
    # Distance of each tap from each of the samples that are made, in samples in.
    taps = np.arange(-half, (half if ahead is None else ahead) + 1)
    at = taps[:, np.newaxis] - np.arange(ratio) / ratio
    window = np.where(np.abs(at) < half, np.cos(np.pi * at / (2 * half)) ** 2, 0.0)
    return (np.sinc(at) * window)[:, np.newaxis, :].astype(np.float32)


@keras.saving.register_keras_serializable("wideband")
class Subpixel(layers.Layer):
    """Trades channels for samples: (batch, n, 2 c) to (batch, 2 n, c), by a plain reshape.

    Source: Kuleshov et al. 2017 (the subpixel layer of Shi et al. 2016 in one
    dimension), and SubPixel1D of their code.
    """

    def call(self, x):
        """Reshapes (batch, n, 2 c) to (batch, 2 n, c)."""
        batch, n, channels = ops.shape(x)
        return ops.reshape(x, (batch, 2 * n, channels // 2))

    def compute_output_shape(self, input_shape):
        """Gives (batch, 2 n, c), n being None where it is open."""
        batch, n, channels = input_shape
        return batch, None if n is None else 2 * n, channels // 2


@keras.saving.register_keras_serializable("wideband")
class TFiLM(layers.Layer):
    """Scales each block of a sequence by what an LSTM makes of all blocks up to it.

    (batch, n, c) is cut into n / block blocks. A block's maximum, (batch, n / block, c), goes
    through an LSTM of c units, whose output multiplies all samples of the block, channel by
    channel. It stands in any Keras model, behind any layer with an output (batch, n, c).

    Source: Birnbaum et al. 2019. The paper writes a scale and a shift for each block;
    the published code has the scale alone, and so has this layer.

    Args:
        block: samples of a block, at least 1. The length n must be a multiple of it.
        **kwargs: of a Keras layer, such as `name` and `dtype`.

    Raises:
        UserError: the block is not at least 1, or the length is no multiple of it.

    Example:
        >>> TFiLM(block=128)(keras.ops.ones((2, 4096, 16))).shape
        TensorShape([2, 4096, 16])
    """

    def __init__(self, block: int, **kwargs) -> None:
        if block < 1:
            raise UserError(f"a block has at least 1 sample, not {block}")
        super().__init__(**kwargs)
        self.block = block

    def build(self, input_shape) -> None:
        """Makes the pooling and what reads its blocks."""
        batch, n, channels = input_shape
        self.pool = layers.MaxPooling1D(self.block, dtype=self.dtype_policy)
        self.sequence = self.make_sequence(channels)
        self.sequence.build((batch, None if n is None else n // self.block, channels))

    def make_sequence(self, channels: int) -> layers.Layer:
        """Makes the layer (batch, blocks, c) to (batch, blocks, c) that gives the scales."""
        return layers.LSTM(channels, return_sequences=True, dtype=self.dtype_policy)

    def call(self, x, training=None):
        """Scales x (batch, n, c) block by block."""
        batch, n, channels = ops.shape(x)
        if isinstance(n, int) and n % self.block:
            raise UserError(f"{n} samples are no multiple of the block of {self.block}")
        # (batch, n / block, c)
        scale = self.sequence(self.pool(x), training=training)
        # (batch, n / block, block, c) times (batch, n / block, 1, c)
        blocks = ops.reshape(x, (batch, n // self.block, self.block, channels))
        return ops.reshape(blocks * ops.expand_dims(scale, 2), (batch, n, channels))

    def compute_output_shape(self, input_shape):
        """Gives the shape of the input."""
        return input_shape

    def get_config(self) -> dict:
        """Gives the constructor's arguments."""
        return {**super().get_config(), "block": self.block}


def unet(
    x: keras.KerasTensor,
    filters: Sequence[int],
    kernels: Sequence[int],
    bottleneck_filters: int,
    bottleneck_kernel: int = 9,
    *,
    use_bias: bool = True,
    dropout: float = 0.5,
    last_initializer: str | keras.initializers.Initializer = "orthogonal",
) -> keras.KerasTensor:
    """Builds the U-Net of AudioUNet, without its skip from input to output.

    Source: Kuleshov et al. 2017.

    Args:
        x: (batch, n, 1); n is a multiple of 2 ** (len(filters) + 1).
        filters: channels behind each level, both ways.
        kernels: of each level, both ways.
        bottleneck_filters: of the bottleneck.
        bottleneck_kernel: of the bottleneck.
        use_bias: in the convolutions down and up; the bottleneck and the last one always have it.
        dropout: rate in the bottleneck and on the way up.
        last_initializer: of the last convolution.

    Returns:
        (batch, n, 1).
    """
    skips = []
    for count, kernel in zip(filters, kernels, strict=True):
        # (batch, m, c) to (batch, m / 2, count)
        x = _conv(count, kernel, strides=2, use_bias=use_bias)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        skips.append(x)

    # (batch, m, c) to (batch, m / 2, bottleneck_filters)
    x = _conv(bottleneck_filters, bottleneck_kernel, strides=2)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)

    for count, kernel, skip in reversed(list(zip(filters, kernels, skips, strict=True))):
        # (batch, m, c) to (batch, 2 m, count), then the skip's channels behind
        x = _conv(2 * count, kernel, use_bias=use_bias)(x)
        x = layers.Dropout(dropout)(x)
        x = layers.ReLU()(x)
        x = Subpixel()(x)
        x = layers.Concatenate()([x, skip])

    # (batch, n / 2, 2 * filters[0]) to (batch, n / 2, 2) to (batch, n, 1)
    x = _conv(2, LAST_KERNEL, kernel_initializer=last_initializer)(x)
    return Subpixel()(x)


def first_block(length: int, levels: int) -> int:
    """Gives the block behind a `film_unet`'s first level for which its modulations run 32 steps.

    Source: Birnbaum et al. 2019: 32 steps in patches of 8192 samples.

    Args:
        length: of the U-Net's input.
        levels: of the U-Net.

    Returns:
        samples, such that the bottleneck's blocks have one sample or more: a length too short for
        that gets fewer than 32 steps.
    """
    return max(length // (2 * STEPS), 2**levels)


def film_unet(
    x: keras.KerasTensor,
    filters: Sequence[int],
    kernels: Sequence[int],
    bottleneck_filters: int,
    bottleneck_kernel: int = 9,
    *,
    film: Callable[[int], layers.Layer] = TFiLM,
    first_block: int = 128,
    blocks: str = "paper",
    dropout: float = 0.5,
    last_stddev: float = 1e-3,
) -> keras.KerasTensor:
    """Builds a U-Net of dilated convolutions with a modulation behind each.

    Source: Birnbaum et al. 2019; the order of the steps is that of
    audiotfilm.py in kuleshov/audio-super-res.

    Args:
        x: (batch, n, 1); n is a multiple of 2 * first_block, and of 2 ** (len(filters) + 1).
        filters: channels behind each level, both ways.
        kernels: of each level, both ways.
        bottleneck_filters: of the bottleneck.
        bottleneck_kernel: of the bottleneck.
        film: gives the modulation for blocks of so many samples.
        first_block: samples of a block at the first level. It halves with every level, so that
            each modulation on the way down runs n / (2 * first_block) steps.
        blocks: "paper" mirrors the blocks on the way up, and so keeps the number of steps;
            "published" keeps the bottleneck's block, as audiotfilm.py does by an oversight.
        dropout: rate in the bottleneck and on the way up.
        last_stddev: of the last convolution's initial weights.

    Returns:
        (batch, n, 1), without a skip from x.

    Raises:
        UserError: `blocks` is unknown, or the first block is too short for so many levels.
    """
    check_choice("blocks", blocks, BLOCKS)
    if first_block % 2 ** len(filters):
        raise UserError(f"a first block of {first_block} samples cannot halve {len(filters)} times")
    skips = []
    block = first_block
    for count, kernel in zip(filters, kernels, strict=True):
        # (batch, m, c) to (batch, m / 2, count)
        x = _dilated(count, kernel)(x)
        x = layers.MaxPooling1D(2)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        x = film(block)(x)
        skips.append(x)
        block //= 2

    # (batch, m, c) to (batch, m / 2, bottleneck_filters)
    x = _dilated(bottleneck_filters, bottleneck_kernel)(x)
    x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = film(block)(x)

    for count, kernel, skip in reversed(list(zip(filters, kernels, skips, strict=True))):
        # (batch, m, c) to (batch, 2 m, count), then the skip's channels behind
        x = _dilated(2 * count, kernel)(x)
        x = layers.Dropout(dropout)(x)
        x = layers.ReLU()(x)
        x = Subpixel()(x)
        if blocks == "paper":
            block *= 2
        x = film(block)(x)
        x = layers.Concatenate()([x, skip])

    # (batch, n / 2, 2 * filters[0]) to (batch, n / 2, 2) to (batch, n, 1)
    x = layers.Conv1D(
        2,
        LAST_KERNEL,
        padding="same",
        kernel_initializer=keras.initializers.RandomNormal(stddev=last_stddev),
    )(x)
    return Subpixel()(x)


def _dilated(filters: int, kernel: int) -> layers.Conv1D:
    return _conv(filters, kernel, dilation_rate=2)


def _conv(filters: int, kernel: int, **options) -> layers.Conv1D:
    options = {"kernel_initializer": keras.initializers.Orthogonal(), **options}
    return layers.Conv1D(filters, kernel, padding="same", **options)
