"""SRResNet on mel spectrograms: the generator that fills the upper bands of a log mel.

Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", CVPR 2017, figure 4, without its upsampling layers: input and output are images of the
same size. The numbers are those of src/models/audio_srgan.py in
github.com/serious-engineer/Audio-Super-Resolution, at commit b4e78b1.

The published generator has no path around its layers from the input to the output, unlike most
networks for bandwidth extension: it learns to copy the bands that are there. `residual` adds the
input to the output. In short trainings of the published size, that loss falls several times faster;
at the size of the laptop recipe, it falls alike.

Batch normalization keeps running means for use after the training. They follow the batches by a
tenth per step, so in the first hundred steps, and with few patches per batch, the trained network
can be worse than the network in training. `batch_norm=False` leaves the normalization out.

Deviation: PyTorch's running variances divide by n - 1, those of Keras by n. Every mean here is over
at least ten thousand values.
"""

import keras
from keras import layers

from .layers import pytorch_start, widen
from .limits import DEEPEST, check_range

CHANNELS = 64
# As in PyTorch, whose momentum of 0.1 is that of Keras from the other side.
BATCH_NORM = {"epsilon": 1e-5, "momentum": 0.9}
SLOPE = 0.25  # of the rectifiers for negative values, at the start


def build(
    bands: int,
    width: float = 1.0,
    blocks: int = 16,
    residual: bool = False,
    batch_norm: bool = True,
) -> keras.Model:
    """Builds the generator: a log mel (batch, frames, bands) to one of the same shape, in float32.

    Args:
        bands: of the mel spectrogram.
        width: multiplies the 64 channels.
        blocks: residual blocks.
        residual: adds the input to the output.
        batch_norm: whether convolutions between the first and the last one are normalized.

    Raises:
        UserError: the width leaves the layers without channels, or the number of blocks is out of
            range.

    Example:
        >>> build(80).count_params()
        1237522
    """
    check_range("blocks", blocks, 1, DEEPEST)
    (channels,) = widen((CHANNELS,), width)

    def convolve(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        x = _conv(x, channels, 3, name)
        return layers.BatchNormalization(**BATCH_NORM, name=f"{name}_norm")(x) if batch_norm else x

    mel = keras.Input((None, bands), name="mel")
    # (batch, frames, bands, 1)
    image = layers.Reshape((-1, bands, 1), name="image")(mel)
    # (batch, frames, bands, channels)
    stem = x = _prelu(_conv(image, channels, 9, "stem"), "stem_prelu")
    for number in range(blocks):
        name = f"block_{number}"
        y = _prelu(convolve(x, f"{name}_first"), f"{name}_prelu")
        x = layers.Add(name=f"{name}_sum")([x, convolve(y, f"{name}_second")])
    x = layers.Add(name="trunk_sum")([stem, convolve(x, "trunk")])
    # (batch, frames, bands)
    last = _conv(x, 1, 9, "last", dtype="float32")
    filled = layers.Reshape((-1, bands), dtype="float32", name="filled")(last)
    if residual:
        filled = layers.Add(dtype="float32", name="residual")([mel, filled])
    return keras.Model(mel, filled, name="generator")


def context(blocks: int) -> int:
    """Returns how many frames at either side an output frame depends on."""
    # Two convolutions of 9, two of 3 in each block, and one of 3 after them.
    return 2 * 4 + 2 * blocks + 1


def _conv(
    x: keras.KerasTensor, filters: int, size: int, name: str, dtype: str | None = None
) -> keras.KerasTensor:
    start = pytorch_start(size * size * x.shape[-1])
    return layers.Conv2D(filters, size, padding="same", **start, dtype=dtype, name=name)(x)


def _prelu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Rectifies with one trained slope for all channels."""
    start = keras.initializers.Constant(SLOPE)
    return layers.PReLU(start, shared_axes=[1, 2, 3], name=name)(x)
