"""The residual UNet of VoiceFixer and NVSR, which fills the upper bands of a log mel.

Liu et al., "Neural Vocoder is All You Need for Speech Super-resolution", Interspeech 2022,
arXiv:2203.14941; the sizes are those of examples/NVSR/components/unet.py in
github.com/haoheliu/ssr_eval.

The mel is an image of frames and bands, without its highest band, so that each level has half as
many bands and one is left in the middle. The last layer predicts what is added to the log mel.

Initial weights are those of the code: Glorot's for convolutions, PyTorch's for transposed ones.
Deviation: PyTorch's running variances divide by n - 1, those of Keras by n.
"""

import math

import keras
from keras import layers, ops

from ..command import UserError
from .layers import pytorch_start, widen
from .limits import check_range
from .srresnet import BATCH_NORM

CHANNELS = (32, 64, 128, 256, 384, 384)
LEVELS, BLOCKS = len(CHANNELS), 4
SLOPE = 0.01  # of the rectifiers for negative values
# The largest output, as a logarithm to the base 10.
LARGEST = 5.0


def build(
    bands: int, width: float = 1.0, levels: int = LEVELS, blocks: int = BLOCKS
) -> keras.Model:
    """Builds the generator: a log mel (batch, frames, bands) to one of the same shape, in float32.

    Args:
        bands: of the mel spectrogram, at least twice `grid(levels)` and a multiple of it.
        width: multiplies the channels.
        levels: how often frames and bands are halved. The number of frames must be one more than a
            multiple of `grid(levels)`.
        blocks: residual blocks of each level on the way down, and again on the way up.

    Raises:
        UserError: a number is out of range, the levels do not fit the bands, or the width leaves
            the layers without channels.

    Example:
        >>> build(128).count_params()
        65199397
    """
    check_range("levels", levels, 1, LEVELS)
    check_range("blocks", blocks, 1, 2 * BLOCKS)
    if bands % grid(levels) or bands == grid(levels):
        raise UserError(
            f"levels {levels}: {bands} bands are not a multiple of {grid(levels)} of at least "
            f"{2 * grid(levels)}; choose fewer levels"
        )
    widths = widen(CHANNELS[:levels], width)

    mel = keras.Input((None, bands), name="mel")
    decades = layers.Rescaling(1 / math.log(10), dtype="float32", name="decades")(mel)
    image = layers.Reshape((-1, bands, 1), dtype="float32")(decades)
    # As in the code, silence follows that has a magnitude of 1. The highest band is cut.
    image = layers.ZeroPadding2D(((0, grid(levels) - 1), (0, 0)), dtype="float32")(image)
    # (batch, frames, bands, channels) from here on; each level halves frames and bands
    x = layers.Cropping2D(((0, 0), (0, 1)), dtype="float32", name="image")(image)
    skips = []
    for level, channels in enumerate(widths):
        for k in range(blocks):
            x = _block(x, channels, f"down_{level}_{k}")
        skips.append(x)
        x = layers.AveragePooling2D(2, name=f"down_{level}_half")(x)
    x = _block(x, widths[-1], "middle")
    for level, channels in reversed([*enumerate(widths)]):
        x = layers.Concatenate()([_double(x, channels, f"up_{level}_double"), skips[level]])
        for k in range(blocks):
            x = _block(x, channels, f"up_{level}_{k}")
    x = _block(x, widths[0], "last_block")
    change = layers.Conv2D(1, 1, dtype="float32", name="last")(x)
    change = layers.ZeroPadding2D(((0, 0), (0, 1)), dtype="float32")(change)
    change = layers.Cropping2D(((0, grid(levels) - 1), (0, 0)), dtype="float32")(change)
    # (batch, frames, bands)
    change = layers.Reshape((-1, bands), dtype="float32", name="change")(change)
    filled = ops.minimum(decades + change, LARGEST)
    # Not a product with a number, which Keras would take for sparse.
    filled = layers.Rescaling(math.log(10), dtype="float32", name="filled")(filled)
    return keras.Model(mel, filled, name="generator")


def grid(levels: int) -> int:
    """Returns the frames of which one is left in the middle of the network."""
    return 2**levels


def context(levels: int, blocks: int) -> int:
    """Returns how many frames at either side an output frame may depend on."""
    # Two convolutions in each block, on the way down and up, whose reach doubles with each level.
    convolutions = 4 * blocks * (grid(levels) - 1) + 2 * grid(levels) + 2
    # Averages and transposed convolutions, and the place of a frame in the grid.
    return convolutions + 3 * grid(levels)


def _block(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """Adds two convolutions, each after a normalization and a rectifier, to their input."""
    y = x
    for k in range(2):
        y = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_norm_{k}")(y)
        y = layers.LeakyReLU(negative_slope=SLOPE)(y)
        y = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_conv_{k}")(y)
    if x.shape[-1] != channels:
        x = layers.Conv2D(channels, 1, name=f"{name}_skip")(x)
    return layers.Add(name=f"{name}_sum")([x, y])


def _double(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    """Doubles frames t to 2 t, and bands f to 2 f + 1."""
    # PyTorch counts the outputs of a transposed convolution as its inputs.
    start = pytorch_start(9 * channels)["kernel_initializer"]
    x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_norm")(x)
    x = layers.ReLU()(x)
    x = layers.Conv2DTranspose(
        channels, 3, 2, padding="valid", use_bias=False, kernel_initializer=start, name=name
    )(x)
    return layers.Cropping2D(((0, 1), (0, 0)))(x)
