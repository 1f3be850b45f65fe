"""Critics of mel spectrograms: (batch, frames, bands) as images of one channel.

`critics` describes what a critic is. Both have a single member.
"""

import keras
import numpy as np
from keras import layers, ops

from .layers import pytorch_start, widen
from .srresnet import BATCH_NORM

SLOPE = 0.2  # of the leaky rectifiers
# Filters and strides of the convolutions of `srgan`; the first one is not normalized.
SRGAN_STAGES = (
    (64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2),
)  # fmt: skip
POOLED, HIDDEN = 6, 1024
# Those of `patchgan`.
PATCHGAN_STAGES = ((64, 2), (128, 2), (256, 2), (512, 1))


@keras.saving.register_keras_serializable("wideband")
class AdaptivePool(layers.Layer):
    """Averages an image (batch, height, width, c) into cells (batch, size, size, c).

    Cell i covers floor(i n / size) to ceil((i + 1) n / size) of n rows. Cells overlap if `size`
    does not divide n; fewer rows than cells are repeated. As in torch.nn.AdaptiveAvgPool2d; the
    layer that comes with Keras does not take all sizes on all backends.

    Args:
        size: rows and columns of cells.
        **kwargs: arguments of a Keras layer, such as `name`.
    """

    def __init__(self, size: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, image):
        """Pools an image (batch, height, width, c) of known height and width."""
        rows, columns = (
            ops.convert_to_tensor(_shares(n, self.size), self.compute_dtype)
            for n in image.shape[1:3]
        )
        return ops.einsum("ih,bhwc,jw->bijc", rows, image, columns)

    def get_config(self) -> dict:
        """Returns the constructor arguments."""
        return {**super().get_config(), "size": self.size}


def _shares(n: int, size: int) -> np.ndarray:
    """Returns the shares (size, n) of n rows in each of `size` cells."""
    shares = np.zeros((size, n), np.float32)
    for cell in range(size):
        start, end = cell * n // size, -(-(cell + 1) * n // size)
        shares[cell, start:end] = 1 / (end - start)
    return shares


def srgan(mel: keras.KerasTensor, width: float) -> list[list[keras.KerasTensor]]:
    """Builds the critic of SRGAN: eight convolutions and two dense layers, to one score.

    Source: Ledig et al. 2017, figure 4; src/models/audio_srgan.py in
    serious-engineer/Audio-Super-Resolution, where it pools the last stage to 6 x 6 and has no
    sigmoid. Its README calls it PatchGAN, which it is not.

    Args:
        mel: (batch, frames, bands), both known.
        width: multiplies the channels, from 64 to 512, and the 1024 hidden units.
    """
    x, maps = _image(mel), []
    channels = widen([filters for filters, _ in SRGAN_STAGES], width)
    for k, (filters, (_, stride)) in enumerate(zip(channels, SRGAN_STAGES, strict=True)):
        name = f"srgan_conv_{k}"
        # Keras's own padding of even lengths would be at the end only.
        x = layers.ZeroPadding2D(1)(x)
        start = pytorch_start(9 * x.shape[-1])
        x = layers.Conv2D(filters, 3, stride, **start, name=name)(x)
        if k:
            x = layers.BatchNormalization(**BATCH_NORM, name=f"{name}_norm")(x)
        x = layers.LeakyReLU(negative_slope=SLOPE)(x)
        maps.append(x)
    x = layers.Flatten()(AdaptivePool(POOLED, name="srgan_pool")(x))
    (hidden,) = widen((HIDDEN,), width)
    x = layers.Dense(hidden, **pytorch_start(x.shape[-1]), name="srgan_hidden")(x)
    x = layers.LeakyReLU(negative_slope=SLOPE)(x)
    score = layers.Dense(1, **pytorch_start(hidden), name="srgan_score")(x)
    return [[*maps, score]]


def patchgan(mel: keras.KerasTensor, width: float) -> list[list[keras.KerasTensor]]:
    """Builds the critic of pix2pix: one score for each patch of 70 x 70 pixels.

    Source: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks",
    section 6.1.2, without the condition as a second channel.

    Args:
        mel: (batch, frames, bands), both known.
        width: multiplies the channels, from 64 to 512.
    """
    x, maps = _image(mel), []
    channels = widen([filters for filters, _ in PATCHGAN_STAGES], width)
    for k, (filters, (_, stride)) in enumerate(zip(channels, PATCHGAN_STAGES, strict=True)):
        x = _patchgan_conv(x, filters, stride, bool(k), f"patchgan_conv_{k}")
        x = layers.LeakyReLU(negative_slope=SLOPE)(x)
        maps.append(x)
    x = layers.ZeroPadding2D(1)(x)
    score = layers.Conv2D(1, 4, kernel_initializer=_normal(0.0), name="patchgan_score")(x)
    return [[*maps, score]]


def _patchgan_conv(
    x: keras.KerasTensor, filters: int, stride: int, normalized: bool, name: str
) -> keras.KerasTensor:
    """Convolves; before a normalization, a bias would have no effect."""
    x = layers.ZeroPadding2D(1)(x)
    options = {"use_bias": not normalized, "kernel_initializer": _normal(0.0), "name": name}
    x = layers.Conv2D(filters, 4, stride, **options)(x)
    if not normalized:
        return x
    scale = _normal(1.0)
    return layers.BatchNormalization(**BATCH_NORM, gamma_initializer=scale, name=f"{name}_norm")(x)


def _normal(mean: float) -> keras.initializers.Initializer:
    """Returns the initializer of pix2pix."""
    return keras.initializers.RandomNormal(mean, 0.02)


def _image(mel: keras.KerasTensor) -> keras.KerasTensor:
    """Turns a mel spectrogram (batch, frames, bands) into an image (batch, bands, frames, 1)."""
    return layers.Reshape((*mel.shape[:0:-1], 1))(layers.Permute((2, 1))(mel))
