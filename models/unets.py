"""The two U-Nets that several papers share, and the context of a U-Net."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from keras import layers

from ..command import UserError
from .layers import INITIALIZERS, Subpixel, TFiLM, check_choice
from .long_conv import Conv1D

LAST_KERNEL = 9
BLOCKS = ("paper", "published")
# The number of blocks of each modulation in a training patch.
BLOCKS_PER_PATCH = 32


def unet(
    x: keras.KerasTensor,
    filters: Sequence[int],
    kernels: Sequence[int],
    bottleneck_filters: int,
    bottleneck_kernel: int = 9,
    *,
    use_bias: bool = True,
    dropout: float = 0.5,
    initializer: str = "keras2",
    last_initializer: str | keras.initializers.Initializer = "orthogonal",
) -> keras.KerasTensor:
    """Builds the U-Net of AudioUNet, without the skip connection from input to output.

    Source: Kuleshov et al. 2017.

    Args:
        x: (batch, n, 1); n is a multiple of 2 ** (len(filters) + 1).
        filters: channels after each level, on the way down and up.
        kernels: kernel size of each level, on the way down and up.
        bottleneck_filters: filters of the bottleneck.
        bottleneck_kernel: kernel size of the bottleneck.
        use_bias: whether the convolutions on the way down and up have a bias; the bottleneck and
            the last convolution always have one.
        dropout: dropout rate in the bottleneck and on the way up.
        initializer: "keras2" or "keras1", the orthogonal initializer of the other convolutions.
        last_initializer: initializer of the last convolution.

    Returns:
        (batch, n, 1).
    """
    conv = partial(_conv, initializer=initializer)
    skips = []
    for count, kernel in zip(filters, kernels, strict=True):
        # (batch, m, c) to (batch, m / 2, count)
        x = conv(count, kernel, strides=2, use_bias=use_bias)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        skips.append(x)

    # (batch, m, c) to (batch, m / 2, bottleneck_filters)
    x = conv(bottleneck_filters, bottleneck_kernel, strides=2)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)

    for count, kernel, skip in reversed(list(zip(filters, kernels, skips, strict=True))):
        # (batch, m, c) to (batch, 2 m, count), then the channels of the skip
        x = conv(2 * count, kernel, use_bias=use_bias)(x)
        x = layers.Dropout(dropout)(x)
        x = layers.ReLU()(x)
        x = Subpixel()(x)
        x = layers.Concatenate()([x, skip])

    # (batch, n / 2, 2 * filters[0]) to (batch, n / 2, 2) to (batch, n, 1)
    x = conv(2, LAST_KERNEL, kernel_initializer=last_initializer)(x)
    return Subpixel()(x)


def unet_context(kernels: Sequence[int], levels: int, ratio: int = 1) -> int:
    """Returns the context of a U-Net, as in `restorer.Restorer`.

    Args:
        kernels: kernel sizes of all convolutions in order: one for each halving, then one for each
            doubling.
        levels: number of levels of the U-Net, which halves levels + 1 times.
        ratio: output samples per input sample, a power of two.

    Returns:
        input samples, a multiple of the coarsest step, that of the bottleneck.
    """
    octaves = (*range(levels + 1), *range(levels + 1, -round(math.log2(ratio)), -1))
    reach = sum(kernel // 2 * 2.0**octave for kernel, octave in zip(kernels, octaves, strict=True))
    coarsest = 2 ** (levels + 1)
    # An output sample may be anywhere within the coarsest step.
    return math.ceil(reach / coarsest) * coarsest + coarsest


def first_block(patch: int, levels: int, parts: int = 1) -> int:
    """Returns the `first_block` of a `film_unet` with which each modulation runs over 32 blocks.

    Source: Birnbaum et al. 2019: 32 blocks in patches of 8192 samples.

    Args:
        patch: samples of the training patches.
        levels: number of levels of the U-Net.
        parts: the length of a patch divided by that of the U-Net's input.

    Returns:
        samples. If the patch is too short for 32 blocks of one sample in the bottleneck, there are
        fewer blocks.

    Raises:
        UserError: the patch does not have a whole number of blocks at every level.
    """
    shortest = 2**levels
    block = max(patch // parts // (2 * BLOCKS_PER_PATCH), shortest)
    if block % shortest or patch % (2 * block * parts):
        enough = 2 * BLOCKS_PER_PATCH * shortest * parts
        raise UserError(
            f"patch {patch} must be a multiple of {enough}, or of {2 * shortest * parts} below "
            f"{enough}"
        )
    return block


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
    initializer: str = "keras2",
    last_stddev: float = 1e-3,
) -> keras.KerasTensor:
    """Builds a U-Net of dilated convolutions with a modulation after each, but no skip from x.

    Source: Birnbaum et al. 2019; the order of the layers is that of audiotfilm.py in
    kuleshov/audio-super-res.

    Args:
        x: (batch, n, 1); n is a multiple of 2 * first_block and of 2 ** (len(filters) + 1).
        filters: channels after each level, on the way down and up.
        kernels: kernel size of each level, on the way down and up.
        bottleneck_filters: filters of the bottleneck.
        bottleneck_kernel: kernel size of the bottleneck.
        film: makes the modulation for a block length.
        first_block: samples per block at the first level. The block length halves with every level,
            so each modulation on the way down runs over n / (2 * first_block) blocks.
        blocks: "paper" mirrors the block lengths on the way up, which keeps the number of blocks;
            "published" keeps the bottleneck's length, as audiotfilm.py does by an oversight.
        dropout: dropout rate in the bottleneck and on the way up.
        initializer: "keras2" or "keras1", the orthogonal initializer of the dilated convolutions.
        last_stddev: standard deviation of the last convolution's initial weights.

    Returns:
        (batch, n, 1).

    Raises:
        UserError: `blocks` or `initializer` is unknown, or the first block is too short for so many
            levels.
    """
    conv = partial(_conv, dilation_rate=2, initializer=initializer)
    down, bottleneck, up = _block_lengths(first_block, len(filters), blocks)
    skips = []
    for count, kernel, block in zip(filters, kernels, down, strict=True):
        # (batch, m, c) to (batch, m / 2, count)
        x = conv(count, kernel)(x)
        x = layers.MaxPooling1D(2)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        x = film(block)(x)
        skips.append(x)

    # (batch, m, c) to (batch, m / 2, bottleneck_filters)
    x = conv(bottleneck_filters, bottleneck_kernel)(x)
    x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(dropout)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = film(bottleneck)(x)

    for count, kernel, block in zip(filters[::-1], kernels[::-1], up, strict=True):
        # (batch, m, c) to (batch, 2 m, count), then the channels of the skip
        x = conv(2 * count, kernel)(x)
        x = layers.Dropout(dropout)(x)
        x = layers.ReLU()(x)
        x = Subpixel()(x)
        x = film(block)(x)
        x = layers.Concatenate()([x, skips.pop()])

    # (batch, n / 2, 2 * filters[0]) to (batch, n / 2, 2) to (batch, n, 1)
    normal = keras.initializers.RandomNormal(stddev=last_stddev)
    x = layers.Conv1D(2, LAST_KERNEL, padding="same", kernel_initializer=normal)(x)
    return Subpixel()(x)


def _block_lengths(first: int, levels: int, blocks: str) -> tuple[list[int], int, list[int]]:
    """Returns the block lengths on the way down, in the bottleneck and on the way up."""
    check_choice("blocks", blocks, BLOCKS)
    if first % 2**levels:
        raise UserError(
            f"first block of {first} samples must be a multiple of {2**levels}, for {levels} levels"
        )
    down = [first >> level for level in range(levels)]
    bottleneck = first >> levels
    return down, bottleneck, down[::-1] if blocks == "paper" else [bottleneck] * levels


def _conv(filters: int, kernel: int, *, initializer: str, **options: Any) -> Conv1D:
    check_choice("initializer", initializer, INITIALIZERS)
    # Creating an initializer draws a seed. If it were not created where another one replaces it,
    # later layers would get other initial weights.
    options = {"kernel_initializer": INITIALIZERS[initializer](), **options}
    return Conv1D(filters, kernel, padding="same", **options)
