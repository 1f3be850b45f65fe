"""The autoencoder of AudioSR: a log mel spectrogram to a latent image and back.

Liu, Chen, Tian, Wang and Plumbley, "AudioSR: Versatile Audio Super-Resolution at Scale", ICASSP
2024, arXiv:2309.07314; code: github.com/haoheliu/versatile_audio_super_resolution. The paper has
one paragraph about it; the rest is from audiosr/latent_encoder/autoencoder.py, from
latent_diffusion/modules/diffusionmodules/model.py and from the configuration in audiosr/utils.py.

The encoder gives the mean and the logarithm of the variance of a latent image with an eighth of the
frames and of the bands, and 16 channels. The decoder takes a sample.

Deviation: a narrower network has fewer groups in its normalizations, each with as many channels as
the published ones.
"""

import keras
from keras import layers, ops

from .audiosr_blocks import ImageAttention, conv, dense, double, halve, norm, residual, start, swish
from .limits import DEEPEST, check_range

BANDS, LATENT = 256, 16
# Channels of each level, relative to those of the first convolution.
MULTIPLIERS = (1, 2, 4, 8)
# Frames and bands per latent frame and bin.
FACTOR = 2 ** (len(MULTIPLIERS) - 1)
EPSILON = 1e-6
LOWEST, HIGHEST = -30.0, 20.0  # of the log variance


def autoencoder(width: float = 1.0, blocks: int = 2, dropout: float = 0.1) -> keras.Model:
    """Builds the autoencoder: a log mel (batch, T, 256) to the one decoded from the mean.

    T is a multiple of 8. Its layers are "encoder" and "decoder".

    Source: the code; 223,535,569 parameters.

    Args:
        width: multiplies the channels.
        blocks: residual blocks of each level of the encoder; the decoder has one more.
        dropout: in the residual blocks; active in training only.

    Raises:
        UserError: the width leaves a layer without channels, or the number of blocks is out of
            range.
    """
    mel = keras.Input((None, BANDS), name="mel")
    mean, _ = encoder(width, blocks, dropout)(mel)
    return keras.Model(mel, decoder(width, blocks, dropout)(mean), name="vae")


def encoder(width: float = 1.0, blocks: int = 2, dropout: float = 0.1) -> keras.Model:
    """Builds the encoder: a log mel (batch, T, 256) to [mean, log variance].

    Both are (batch, T / 8, 32, 16). T is a multiple of 8. Arguments and errors are those of
    `autoencoder`.
    """
    groups, channels = start(width)
    check_range("blocks", blocks, 1, DEEPEST)

    mel = keras.Input((None, BANDS), name="mel")
    x = conv(layers.Reshape((-1, BANDS, 1))(mel), channels, "first")  # (batch, T, 256, channels)
    for level, multiplier in enumerate(MULTIPLIERS):
        for k in range(blocks):
            name = f"level_{level}_{k}"
            x = residual(x, multiplier * channels, groups, EPSILON, name, dropout=dropout)
        if level < len(MULTIPLIERS) - 1:
            x = halve(x, 0, f"level_{level}_half")
    x = _middle(x, groups, dropout)  # (batch, T / 8, 32, 8 channels)
    x = swish(norm(x, groups, EPSILON, "last_norm"))
    x = conv(x, 2 * LATENT, "last")
    x = dense(x, 2 * LATENT, "moments", dtype="float32")
    mean, log_variance = ops.split(x, 2, axis=-1)
    return keras.Model(mel, [mean, ops.clip(log_variance, LOWEST, HIGHEST)], name="encoder")


def decoder(width: float = 1.0, blocks: int = 2, dropout: float = 0.1) -> keras.Model:
    """Builds the decoder: latents (batch, T / 8, 32, 16) to a log mel (batch, T, 256).

    Arguments and errors are those of `autoencoder`.
    """
    groups, channels = start(width)
    check_range("blocks", blocks, 1, DEEPEST)

    latent = keras.Input((None, BANDS // FACTOR, LATENT), name="latent")
    x = dense(latent, LATENT, "latents")
    x = conv(x, MULTIPLIERS[-1] * channels, "first")  # (batch, T / 8, 32, 8 channels)
    x = _middle(x, groups, dropout)
    for level, multiplier in reversed([*enumerate(MULTIPLIERS)]):
        for k in range(blocks + 1):
            name = f"level_{level}_{k}"
            x = residual(x, multiplier * channels, groups, EPSILON, name, dropout=dropout)
        if level:
            x = double(x, f"level_{level}_double")
    x = swish(norm(x, groups, EPSILON, "last_norm"))
    x = conv(x, 1, "last", dtype="float32")  # (batch, T, 256, 1)
    return keras.Model(latent, layers.Reshape((-1, BANDS), dtype="float32")(x), name="decoder")


def _middle(x: keras.KerasTensor, groups: int, dropout: float) -> keras.KerasTensor:
    """Builds two residual blocks with attention of one head between them."""
    channels = x.shape[-1]
    x = residual(x, channels, groups, EPSILON, "middle_0", dropout=dropout)
    y = norm(x, groups, EPSILON, "attention_norm")
    parts = [dense(y, channels, f"attention_{part}") for part in ("query", "key", "value")]
    y = dense(ImageAttention(1, name="attention")(parts), channels, "attention_project")
    x = layers.Add()([x, y])
    return residual(x, channels, groups, EPSILON, "middle_1", dropout=dropout)
