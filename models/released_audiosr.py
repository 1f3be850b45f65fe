"""The weights of AudioSR's checkpoint, in the order and layout of our networks.

Its entry "state_dict" has, by the beginnings of the names:
- model.diffusion_model: the diffusion network, `audiosr_unet`; model_ema has its moving average,
  which the published sampling does not use.
- first_stage_model: the autoencoder, `audiosr_vae`, and in it the vocoder, `audiosr_vocoder`;
  cond_stage_models has the same weights once more.
- scale_factor: what the latents are multiplied by.
- clap and others: what restoring a recording does not need.

Source: haoheliu/versatile_audio_super_resolution, audiosr/latent_diffusion/models/ddpm.py.
"""

import math
import re
from typing import Any

from ..command import UserError
from .released import stages
from .released_state import Layers, State, filters

UNET = "model.diffusion_model."
VAE = "first_stage_model."
VOCODER = "first_stage_model.vocoder."
SCALE = "scale_factor"
# What begins the names of the weights that are converted.
NEEDED = (
    UNET,
    *(f"{VAE}{part}." for part in ("encoder", "decoder", "quant_conv", "post_quant_conv")),
    VOCODER,
    SCALE,
)
# Normalizations, whose sizes are the channels of the first convolutions.
UNET_LAST, VAE_LAST = f"{UNET}out.0.weight", f"{VAE}decoder.norm_out.weight"


def needed(content: Any) -> dict[str, Any]:
    """Returns the weights of a checkpoint that are converted.

    Raises:
        UserError: it is not a checkpoint of AudioSR.
    """
    weights = content.get("state_dict", content) if isinstance(content, dict) else {}
    if not isinstance(weights, dict):
        weights = {}
    found = {name: each for name, each in weights.items() if str(name).startswith(NEEDED)}
    for prefix in (UNET, VAE, VOCODER):
        if not any(name.startswith(prefix) for name in found):
            raise UserError(
                f"has no weights {prefix}*; name pytorch_model.bin of audiosr_basic or "
                "audiosr_speech"
            )
    return found


def unet(state: State) -> Layers:
    """Converts the diffusion network, for `audiosr_unet.build`."""
    from .audiosr_unet import EMBEDDING, MULTIPLIERS
    from .audiosr_vae import LATENT

    base = _base(state, UNET_LAST)
    blocks, transformers = _unet_blocks(state), _transformers(state)
    embedding, channels = EMBEDDING * base, base
    skips, levels = [base], len(MULTIPLIERS)

    def block(theirs: str, ours: str, inputs: int, level: int) -> Layers:
        outputs = MULTIPLIERS[level] * base
        yield from _residual(state, f"{UNET}{theirs}.0", ours, inputs, outputs, embedding)
        for k in range(transformers if level else 0):
            yield from _transformer(state, f"{UNET}{theirs}.{1 + k}", f"{ours}_{k}", outputs)

    for k, inputs in enumerate((base, embedding)):
        yield f"step_{k}", state.dense(f"{UNET}time_embed.{2 * k}", inputs, embedding)
    yield "first", state.square(f"{UNET}input_blocks.0.0", 2 * LATENT, base)
    for level in range(levels):
        for k in range(blocks):
            yield from block(f"input_blocks.{len(skips)}", f"down_{level}_{k}", channels, level)
            channels = MULTIPLIERS[level] * base
            skips.append(channels)
        if level < levels - 1:
            theirs = f"{UNET}input_blocks.{len(skips)}.0.op"
            yield f"down_{level}_half", state.square(theirs, channels, channels)
            skips.append(channels)
    for k, index in enumerate((0, 1 + transformers)):
        theirs = f"{UNET}middle_block.{index}"
        yield from _residual(state, theirs, f"middle_{k}", channels, channels, embedding)
    for k in range(transformers):
        yield from _transformer(state, f"{UNET}middle_block.{1 + k}", f"middle_{k}", channels)
    for level in reversed(range(levels)):
        first = (levels - 1 - level) * (blocks + 1)
        for k in range(blocks + 1):
            theirs = f"output_blocks.{first + k}"
            yield from block(theirs, f"up_{level}_{k}", channels + skips.pop(), level)
            channels = MULTIPLIERS[level] * base
        if level:
            name = f"{UNET}output_blocks.{first + blocks}.{1 + transformers}.conv"
            yield f"up_{level}_double", state.square(name, channels, channels)
    yield "last_norm", state.norm(f"{UNET}out.0", channels)
    yield "last", state.square(f"{UNET}out.2", channels, LATENT)


def encoder(state: State) -> Layers:
    """Converts the layer "encoder" of `audiosr_vae.autoencoder`."""
    from .audiosr_vae import LATENT, MULTIPLIERS

    base, blocks = _base(state, VAE_LAST), _vae_blocks(state)
    theirs, channels = f"{VAE}encoder", base
    yield "first", state.square(f"{theirs}.conv_in", 1, base)
    for level, multiplier in enumerate(MULTIPLIERS):
        for k in range(blocks):
            name, outputs = f"{theirs}.down.{level}.block.{k}", multiplier * base
            yield from _residual(state, name, f"level_{level}_{k}", channels, outputs)
            channels = outputs
        if level < len(MULTIPLIERS) - 1:
            name = f"{theirs}.down.{level}.downsample.conv"
            yield f"level_{level}_half", state.square(name, channels, channels)
    yield from _middle(state, theirs, channels)
    yield "last_norm", state.norm(f"{theirs}.norm_out", channels)
    yield "last", state.square(f"{theirs}.conv_out", channels, 2 * LATENT)
    yield "moments", state.pointwise(f"{VAE}quant_conv", 2 * LATENT, 2 * LATENT)


def decoder(state: State) -> Layers:
    """Converts the layer "decoder" of `audiosr_vae.autoencoder`."""
    from .audiosr_vae import LATENT, MULTIPLIERS

    base, blocks = _base(state, VAE_LAST), _vae_blocks(state)
    theirs, channels = f"{VAE}decoder", MULTIPLIERS[-1] * base
    yield "latents", state.pointwise(f"{VAE}post_quant_conv", LATENT, LATENT)
    yield "first", state.square(f"{theirs}.conv_in", LATENT, channels)
    yield from _middle(state, theirs, channels)
    for level, multiplier in reversed([*enumerate(MULTIPLIERS)]):
        for k in range(blocks + 1):
            name, outputs = f"{theirs}.up.{level}.block.{k}", multiplier * base
            yield from _residual(state, name, f"level_{level}_{k}", channels, outputs)
            channels = outputs
        if level:
            name = f"{theirs}.up.{level}.upsample.conv"
            yield f"level_{level}_double", state.square(name, channels, channels)
    yield "last_norm", state.norm(f"{theirs}.norm_out", channels)
    yield "last", state.square(f"{theirs}.conv_out", channels, 1)


def vocoder(state: State) -> Layers:
    """Converts the layer "vocoder" of an `audiosr_vocoder.AudioSRVocoder`."""
    from .audiosr_vocoder import body

    channels = filters(state, f"{VOCODER}conv_pre")
    return stages(state, body(_kernels(state)), channels, 1, "audiosr", VOCODER)


def arguments(state: State) -> dict[str, dict[str, Any]]:
    """Returns the arguments of each network that a checkpoint shows, by the network's name.

    Raises:
        UserError: a weight is missing, or the channels are not those of any width.
    """
    from .audiosr_blocks import CHANNELS
    from .audiosr_vocoder import BODY

    return {
        "audiosr": {
            "width": _base(state, UNET_LAST) / CHANNELS,
            "blocks": _unet_blocks(state),
            "transformers": _transformers(state),
        },
        "audiosr_vae": {
            "width": _base(state, VAE_LAST) / CHANNELS,
            "blocks": _vae_blocks(state),
        },
        "audiosr_vocoder": {
            "width": filters(state, f"{VOCODER}conv_pre") / BODY.channels,
            "kernels": _kernels(state),
        },
    }


def _unet_blocks(state: State) -> int:
    """Returns the residual blocks of each level of the diffusion network on the way down."""
    from .audiosr_unet import MULTIPLIERS

    ups = state.count(rf"{re.escape(UNET)}output_blocks\.\d+\.0\.in_layers\.0\.bias")
    return math.ceil(ups / len(MULTIPLIERS)) - 1


def _vae_blocks(state: State) -> int:
    """Returns the residual blocks of each level of the encoder; the decoder has one more."""
    return state.count(rf"{re.escape(VAE)}decoder\.up\.0\.block\.\d+\.norm1\.bias") - 1


def _transformers(state: State) -> int:
    """Returns the transformers after each residual block."""
    return state.count(rf"{re.escape(UNET)}middle_block\.\d+\.norm\.bias")


def _kernels(state: State) -> int:
    """Returns the residual blocks of each stage of the vocoder."""
    from .audiosr_vocoder import BODY

    blocks = state.count(rf"{re.escape(VOCODER)}resblocks\.\d+\.convs1\.0\.bias")
    return min(math.ceil(blocks / len(BODY.rates)), len(BODY.taps))


def _base(state: State, name: str) -> int:
    """Returns the channels of the first convolution, those of a normalization at the end."""
    from .audiosr_blocks import CHANNELS, GROUPS

    shape = state.shape(name)
    each = CHANNELS // GROUPS
    if len(shape) != 1 or shape[0] % each:
        raise UserError(
            f"the weight {name} has the shape {shape}, not one axis with a multiple of {each}"
        )
    return shape[0]


def _residual(
    state: State, theirs: str, ours: str, inputs: int, outputs: int, embedding: int | None = None
) -> Layers:
    """Converts a residual block. Those with an embedding have other names."""
    if embedding is None:
        names = "norm1", "conv1", "norm2", "conv2", "nin_shortcut"
    else:
        names = "in_layers.0", "in_layers.2", "out_layers.0", "out_layers.3", "skip_connection"
        yield f"{ours}_embedding", state.dense(f"{theirs}.emb_layers.1", embedding, outputs)
    norm_0, conv_0, norm_1, conv_1, skip = (f"{theirs}.{name}" for name in names)
    yield f"{ours}_norm_0", state.norm(norm_0, inputs)
    yield f"{ours}_conv_0", state.square(conv_0, inputs, outputs)
    yield f"{ours}_norm_1", state.norm(norm_1, outputs)
    yield f"{ours}_conv_1", state.square(conv_1, outputs, outputs)
    if inputs != outputs:
        yield f"{ours}_skip", state.pointwise(skip, inputs, outputs)


def _middle(state: State, theirs: str, channels: int) -> Layers:
    """Converts the middle of the encoder or of the decoder."""
    for k in range(2):
        yield from _residual(state, f"{theirs}.mid.block_{k + 1}", f"middle_{k}", *[channels] * 2)
    yield "attention_norm", state.norm(f"{theirs}.mid.attn_1.norm", channels)
    for ours, name in (("query", "q"), ("key", "k"), ("value", "v"), ("project", "proj_out")):
        layer = state.pointwise(f"{theirs}.mid.attn_1.{name}", channels, channels)
        yield f"attention_{ours}", layer


def _transformer(state: State, theirs: str, ours: str, channels: int) -> Layers:
    """Converts a transformer of the diffusion network."""
    from .audiosr_unet import FEED_FORWARD

    yield f"{ours}_norm", state.norm(f"{theirs}.norm", channels)
    yield f"{ours}_first", state.pointwise(f"{theirs}.proj_in", channels, channels)
    block = f"{theirs}.transformer_blocks.0"
    for k in range(2):
        name, attention = f"{ours}_attention_{k}", f"{block}.attn{k + 1}"
        yield f"{name}_norm", state.norm(f"{block}.norm{k + 1}", channels)
        for part, letter in (("query", "q"), ("key", "k"), ("value", "v")):
            layer = state.dense(f"{attention}.to_{letter}", channels, channels, bias=False)
            yield f"{name}_{part}", layer
        yield f"{name}_project", state.dense(f"{attention}.to_out.0", channels, channels)
    hidden = FEED_FORWARD * channels
    yield f"{ours}_feed_norm", state.norm(f"{block}.norm3", channels)
    yield f"{ours}_feed_expand", state.dense(f"{block}.ff.net.0.proj", channels, 2 * hidden)
    yield f"{ours}_feed_project", state.dense(f"{block}.ff.net.2", hidden, channels)
    yield f"{ours}_last", state.pointwise(f"{theirs}.proj_out", channels, channels)
