"""The critic of CMGAN: it predicts the score of a pair of spectra, in [0, 1].

`critics` describes what a critic is. This one does not tell references from outputs: it learns to
predict a score that has no useful slope, or none at all. The system then improves the prediction.

Source: Fu et al. 2019 (MetricGAN, arXiv:1905.04874); Cao et al. 2022; src/models/discriminator.py
in ruizhecao96/CMGAN.
"""

import keras
from keras import layers

from ..command import UserError
from .convnext import ChannelScale
from .critic_layers import SpectralNormConv2D
from .layers import widen

CHANNELS = (16, 32, 64, 128)
HIDDEN = 64
DROPOUT = 0.3
# The least number of frames and of bins: four strides of 2 leave one.
SMALLEST = 16
SLOPE = 0.25  # of the rectifiers for negative values, at the start


def build(pair: keras.KerasTensor, width: float) -> list[list[keras.KerasTensor]]:
    """Builds the critic, with a single member.

    Args:
        pair: (batch, frames, bins, 2): magnitudes of the reference, and of what is judged. At least
            `SMALLEST` frames and bins.
        width: multiplies the channels, from 16 to 128, and the 64 hidden units.

    Raises:
        UserError: there are fewer frames or bins.
    """
    frames, bins = pair.shape[1:3]
    if min(frames, bins) < SMALLEST:
        raise UserError(
            f"the metric critic needs {SMALLEST} frames and bins, and a patch has {frames} frames "
            f"of {bins} bins; set a longer patch or a longer transform"
        )
    *channels, hidden = widen((*CHANNELS, HIDDEN), width)
    x, maps = pair, []
    for k, filters in enumerate(channels):
        name = f"metric_conv_{k}"
        x = layers.ZeroPadding2D(1)(x)
        fan_in = 16 * x.shape[-1]
        x = SpectralNormConv2D(filters, (4, 4), fan_in, strides=(2, 2), use_bias=False, name=name)(
            x
        )
        # Each channel over the whole image.
        x = layers.GroupNormalization(-1, epsilon=1e-5, name=f"{name}_norm")(x)
        x = _rectify(x, f"{name}_slope")
        maps.append(x)
    # (batch, 1, 1, channels)
    x = layers.GlobalMaxPooling2D(keepdims=True)(x)
    x = SpectralNormConv2D(hidden, (1, 1), x.shape[-1], name="metric_hidden")(x)
    x = _rectify(layers.Dropout(DROPOUT)(x), "metric_hidden_slope")
    x = SpectralNormConv2D(1, (1, 1), hidden, name="metric_score")(x)
    # A sigmoid with a trained slope.
    x = ChannelScale(1.0, name="metric_scale", dtype="float32")(x)
    return [[*maps, layers.Activation("sigmoid", dtype="float32")(x)]]


def _rectify(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Rectifies each channel with a trained slope of its own."""
    return layers.PReLU(keras.initializers.Constant(SLOPE), shared_axes=[1, 2], name=name)(x)
