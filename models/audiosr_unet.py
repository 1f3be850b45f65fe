"""The diffusion network of AudioSR: the velocity of a noisy latent image.

Liu, Chen, Tian, Wang and Plumbley, "AudioSR: Versatile Audio Super-Resolution at Scale", ICASSP
2024, arXiv:2309.07314; code: github.com/haoheliu/versatile_audio_super_resolution, whose
audiosr/latent_diffusion/modules/diffusionmodules/openaimodel.py and modules/attention.py this file
follows, with the configuration in audiosr/utils.py.

A U-Net of residual blocks takes the noisy latents, and beside them those of the recording. From the
second level on, two transformers follow each block. Each has two self-attentions, since the code's
cross-attention has nothing else to attend to, and a gated feed-forward part.

Deviations: a narrower network has fewer groups in its normalizations, each with as many channels as
the published ones. Layers below 32 channels have one head, where the code would have none; where 32
is no divisor, heads are larger.
"""

import math

import keras
from keras import layers, ops

from ..command import UserError
from .audiosr_blocks import ImageAttention, conv, dense, double, halve, norm, residual, start, swish
from .audiosr_vae import BANDS, FACTOR, LATENT
from .limits import DEEPEST, check_range

# Channels of each level, relative to those of the first convolution.
MULTIPLIERS = (1, 2, 3, 5)
# Channels of a head; hidden channels of a feed-forward part relative to those of the image;
# channels of the embedding of the time step relative to those of the first convolution.
HEAD, FEED_FORWARD, EMBEDDING = 32, 4, 4
# Of the normalizations in residual blocks, and of those of transformers.
EPSILON, TRANSFORMER_EPSILON = 1e-5, 1e-6
# The longest period of the sinusoids of the time step.
PERIOD = 10000


def build(
    width: float = 1.0,
    blocks: int = 2,
    multipliers: tuple[int, ...] = MULTIPLIERS,
    transformers: int = 2,
) -> keras.Model:
    """Builds the network: [noisy, condition, step] to the velocity.

    noisy and condition are latents (batch, t, 32, 16), the velocity as well; t is a multiple of 8.
    step (batch,) is an integer from 0 to 999.

    Source: the code; 258,195,088 parameters.

    Args:
        width: multiplies the channels.
        blocks: residual blocks of each level on the way down; there is one more on the way up.
        multipliers: channels of each level, relative to those of the first convolution. With n
            levels, t is a multiple of 2^(n-1).
        transformers: after each block from the second level on.

    Raises:
        UserError: the width leaves a layer without channels, or a number is out of range.

    Example:
        >>> latents = keras.ops.zeros((1, 8, 32, 16))
        >>> build(width=1 / 16)([latents, latents, keras.ops.ones((1,), "int32")]).shape
        TensorShape([1, 8, 32, 16])
    """
    groups, channels = start(width)
    check_range("blocks", blocks, 1, DEEPEST)
    check_range("transformers", transformers, 1, DEEPEST)
    if not 1 <= len(multipliers) <= 6 or min(multipliers) < 1:
        raise UserError(f"multipliers {multipliers} must be from 1 to 6 numbers above 0")
    bins = BANDS // FACTOR

    noisy = keras.Input((None, bins, LATENT), name="noisy")
    condition = keras.Input((None, bins, LATENT), name="condition")
    step = keras.Input((), dtype="int32", name="step")
    embedding = _embed(step, channels)

    def block(x: keras.KerasTensor, level: int, name: str) -> keras.KerasTensor:
        """Builds a residual block, and the transformers of its level."""
        x = residual(x, multipliers[level] * channels, groups, EPSILON, name, embedding)
        for number in range(transformers if level else 0):
            x = _transformer(x, groups, f"{name}_{number}")
        return x

    x = conv(layers.Concatenate()([noisy, condition]), channels, "first")
    skips = [x]  # (batch, t, 32, channels)
    for level in range(len(multipliers)):
        for k in range(blocks):
            x = block(x, level, f"down_{level}_{k}")
            skips.append(x)
        if level < len(multipliers) - 1:
            x = halve(x, 1, f"down_{level}_half")
            skips.append(x)
    x = residual(x, x.shape[-1], groups, EPSILON, "middle_0", embedding)
    for number in range(transformers):
        x = _transformer(x, groups, f"middle_{number}")
    x = residual(x, x.shape[-1], groups, EPSILON, "middle_1", embedding)
    for level in reversed(range(len(multipliers))):
        for k in range(blocks + 1):
            x = block(layers.Concatenate()([x, skips.pop()]), level, f"up_{level}_{k}")
        if level:
            x = double(x, f"up_{level}_double")
    x = swish(norm(x, groups, EPSILON, "last_norm"))
    velocity = conv(x, LATENT, "last", zero=True, dtype="float32")  # (batch, t, 32, 16)
    return keras.Model([noisy, condition, step], velocity, name="unet")


def _embed(step: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Embeds time steps (batch,), to (batch, 4 channels) after a rectifier."""
    half = channels // 2
    rates = [math.exp(-math.log(PERIOD) * k / half) for k in range(half)]
    angle = ops.expand_dims(ops.cast(step, "float32"), 1) * ops.convert_to_tensor(rates, "float32")
    x = ops.concatenate([ops.cos(angle), ops.sin(angle)], axis=-1)  # (batch, channels)
    x = swish(dense(x, EMBEDDING * channels, "step_0"))
    return swish(dense(x, EMBEDDING * channels, "step_1"))


def _transformer(x: keras.KerasTensor, groups: int, name: str) -> keras.KerasTensor:
    """Builds a transformer over all points of an image, which starts as the identity."""
    channels = x.shape[-1]
    y = dense(norm(x, groups, TRANSFORMER_EPSILON, f"{name}_norm"), channels, f"{name}_first")
    for number in range(2):
        y = layers.Add()([y, _attend(y, f"{name}_attention_{number}")])
    y = layers.Add()([y, _feed_forward(y, f"{name}_feed")])
    return layers.Add()([x, dense(y, channels, f"{name}_last", zero=True)])


def _attend(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Builds self-attention with heads of 32 channels, or more where 32 is no divisor."""
    channels = x.shape[-1]
    heads = max(each for each in range(1, max(2, channels // HEAD + 1)) if not channels % each)
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
    parts = [
        dense(y, channels, f"{name}_{part}", use_bias=False) for part in ("query", "key", "value")
    ]
    y = ImageAttention(heads, name=name)(parts)
    return dense(y, channels, f"{name}_project")


def _feed_forward(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Builds the feed-forward part: half of the hidden channels gate the other half."""
    channels = x.shape[-1]
    y = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
    y = dense(y, 2 * FEED_FORWARD * channels, f"{name}_expand")
    value, gate = ops.split(y, 2, axis=-1)
    y = layers.Multiply()([value, ops.gelu(gate, approximate=False)])
    return dense(y, channels, f"{name}_project")
