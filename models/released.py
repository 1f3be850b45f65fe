"""The networks whose checkpoints were released, and their weights in the order of our networks."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..command import UserError
from . import released_nvsr
from .released_state import Layers, State, Weights, check_halved, filters

if TYPE_CHECKING:
    from .hifigan import Body


@dataclass(frozen=True)
class Source:
    """A network whose checkpoints were released.

    Args:
        paper: authors and year.
        protocol: how the authors make the low side, a key of `data_gen.degrade.PROTOCOLS`.
        entry: the entry of a checkpoint with the weights; None if it has nothing else.
        part: the layer of the network that has all layers with weights.
        convert: returns the arguments of the network that a checkpoint shows, and its weights by
            layer.
        rates: the keys of the authors' config.json with the high and the low rate in Hz; None if
            the network goes through a mel spectrogram, which has a rate.
        lengths: the arguments of the network that a checkpoint does not show -> their keys in
            config.json.
        needs: keys of config.json -> the only values that the network takes.
    """

    paper: str
    protocol: str
    entry: str | None
    part: str
    convert: Callable[[State], tuple[dict[str, Any], Weights]]
    rates: tuple[str, str] | None = None
    lengths: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, Any] = field(default_factory=dict)


def _apbwe(state: State) -> tuple[dict[str, Any], Weights]:
    """Converts the generator of AP-BWE (yxlu-0102/AP-BWE, models/model.py)."""
    first = state.shape("conv_pre_mag.weight")
    if len(first) != 3:
        raise UserError(f"the weight conv_pre_mag.weight has the shape {first}, not 3 axes")
    channels, bins, _ = first
    blocks = state.count(r"convnext_mag\.\d+\.gamma")
    weights: Weights = {}
    for ours, theirs in (("amplitude", "mag"), ("phase", "pha")):
        weights[f"{ours}_first"] = state.convolution(f"conv_pre_{theirs}", bins, channels, 7)
        weights[f"{ours}_first_norm"] = state.norm(f"norm_pre_{theirs}", channels)
        for k in range(blocks):
            weights |= _convnext(state, f"convnext_{theirs}.{k}", f"{ours}_{k}", channels)
        weights[f"{ours}_last_norm"] = state.norm(f"norm_post_{theirs}", channels)
    for ours, theirs in (("amplitude", "mag"), ("real", "pha_r"), ("imaginary", "pha_i")):
        weights[f"{ours}_last"] = state.dense(f"linear_post_{theirs}", channels, bins)
    return {"width": channels / 512, "blocks": blocks, "fft": 2 * (bins - 1)}, weights


def _convnext(state: State, theirs: str, ours: str, channels: int) -> Weights:
    """Converts a ConvNeXt block, the same in AP-BWE and in Vocos."""
    hidden = 3 * channels
    return {
        f"{ours}_depthwise": state.depthwise(f"{theirs}.dwconv", channels, 7),
        f"{ours}_norm": state.norm(f"{theirs}.norm", channels),
        f"{ours}_expand": state.dense(f"{theirs}.pwconv1", channels, hidden),
        f"{ours}_project": state.dense(f"{theirs}.pwconv2", hidden, channels),
        f"{ours}_scale": [state.take(f"{theirs}.gamma", channels)],
    }


def _hifigan(state: State) -> tuple[dict[str, Any], Weights]:
    """Converts the generator of HiFi-GAN (jik876/hifi-gan, models.py)."""
    from .hifigan import VARIANTS

    doubled = state.count(r"resblocks\.\d+\.convs1\.\d+\.bias") > 0
    channels = filters(state)
    variant = ("V2" if channels == VARIANTS["V2"].channels else "V1") if doubled else "V3"
    body = VARIANTS[variant]
    weights = dict(stages(state, body, channels, 1))
    return {"variant": variant, "mel": "hifigan", "width": channels / body.channels}, weights


def _istftnet(state: State) -> tuple[dict[str, Any], Weights]:
    """Converts the generator of iSTFTNet (rishikksh20/iSTFTNet-pytorch, models.py)."""
    from .istftnet import BODY, FFT

    channels = filters(state)
    weights = dict(stages(state, BODY, channels, FFT + 2))
    return {"mel": "hifigan", "width": channels / BODY.channels}, weights


def stages(
    state: State, body: "Body", channels: int, outputs: int, mel: str = "hifigan", prefix: str = ""
) -> Layers:
    """Converts the layers of HiFi-GAN, one by one.

    Args:
        state: the weights.
        body: the sizes of the layers.
        channels: of the first convolution.
        outputs: filters of the last convolution.
        mel: what the network takes, a key of `features.MELS`.
        prefix: begins the names in the checkpoint.
    """
    from .features import MELS
    from .hifigan import TAPS

    check_halved(f"{prefix}conv_pre", channels, len(body.rates))
    yield "first", state.convolution(f"{prefix}conv_pre", MELS[mel].bands, channels, TAPS)
    parts = {"dilated": "convs1", "plain": "convs2"} if body.doubled else {"dilated": "convs"}
    for stage, kernel in enumerate(body.kernels):
        half = channels // 2
        yield f"up_{stage}", state.transposed(f"{prefix}ups.{stage}", channels, half, kernel)
        channels = half
        for block, (taps, steps) in enumerate(zip(body.taps, body.dilations, strict=True)):
            theirs = f"{prefix}resblocks.{stage * len(body.taps) + block}"
            for step in range(len(steps)):
                for ours, part in parts.items():
                    name = f"stage_{stage}_block_{block}_{ours}_{step}"
                    yield (
                        name,
                        state.convolution(f"{theirs}.{part}.{step}", channels, channels, taps),
                    )
    yield "last", state.convolution(f"{prefix}conv_post", channels, outputs, TAPS)


def _vocos(state: State) -> tuple[dict[str, Any], Weights]:
    """Converts Vocos (gemelo-ai/vocos, vocos/models.py and heads.py)."""
    from .features import MELS, filterbank

    first = state.shape("backbone.embed.weight")
    by_bands = {MELS[mel].bands: mel for mel in ("seed", "vocos24")}
    if len(first) != 3 or first[1] not in by_bands:
        raise UserError(
            f"the weight backbone.embed.weight has the shape {first}; only networks for "
            f"{' or '.join(map(str, by_bands))} mel bands are converted"
        )
    channels, bands, taps = first
    mel, blocks = by_bands[bands], state.count(r"backbone\.convnext\.\d+\.gamma")
    weights = {
        "mel_first": state.convolution("backbone.embed", bands, channels, taps),
        "mel_first_norm": state.norm("backbone.norm", channels),
    }
    for k in range(blocks):
        weights |= _convnext(state, f"backbone.convnext.{k}", f"block_{k}", channels)
    weights["mel_last_norm"] = state.norm("backbone.final_layer_norm", channels)
    weights["mel_last"] = state.dense("head.out", channels, MELS[mel].fft + 2)
    if state.count(re.escape(VOCOS_FILTERS)):
        filters = state.take(VOCOS_FILTERS, MELS[mel].fft // 2 + 1, bands)
        if not np.allclose(filters, filterbank(mel), rtol=0, atol=1e-3 * filters.max()):
            raise UserError(f"its {bands} mel filters are not those of {mel}")
    # The window of the transform, twice.
    state.drop(r"feature_extractor\..*|head\.istft\.window")
    return {"mel": mel, "width": channels / 512, "blocks": blocks}, weights


# The filters of Vocos, which are saved with its weights.
VOCOS_FILTERS = "feature_extractor.mel_spec.mel_scale.fb"
# The settings of the published mel spectrogram in config.json.
HIFIGAN_MEL = {
    **{"sampling_rate": 22050, "n_fft": 1024, "win_size": 1024, "hop_size": 256},
    **{"num_mels": 80, "fmin": 0, "fmax": 8000},
}

SOURCES = {
    "apbwe": Source(
        paper="Lu et al. 2024",
        protocol="hann_sinc",
        entry="generator",
        part="spectrum",
        convert=_apbwe,
        rates=("hr_sampling_rate", "lr_sampling_rate"),
        lengths={"hop": "hop_size", "frame": "win_size"},
    ),
    "hifigan": Source(
        paper="Kong et al. 2020",
        protocol="hann_sinc",
        entry="generator",
        part="vocoder",
        convert=_hifigan,
        needs=HIFIGAN_MEL,
    ),
    "istftnet": Source(
        paper="Kaneko et al. 2022",
        protocol="hann_sinc",
        entry="generator",
        part="vocoder",
        convert=_istftnet,
        needs=HIFIGAN_MEL,
    ),
    "vocos": Source(
        paper="Siuzdak 2023",
        protocol="hann_sinc",
        entry=None,
        part="vocoder",
        convert=_vocos,
    ),
    "nvsr": Source(
        paper="Liu et al. 2022",
        protocol="sinc",
        entry=None,
        part="generator",
        convert=released_nvsr.nvsr,
    ),
    "tfgan": Source(
        paper="Liu et al. 2021",
        protocol="sinc",
        entry="generator",
        part="vocoder",
        convert=released_nvsr.tfgan,
    ),
}
