"""Critics: the networks that judge waves, or their mel spectrograms, in adversarial training.

A critic is a `keras.Model` from what it judges to a list with one entry per member, such as a
period or a resolution. An entry lists the outputs of the layers, which feature matching compares;
the last one has the scores. Outside of a graph, Keras returns a single member without the list.
Critics are needed in training only. Those in this file judge waves, (batch, n, 1). A metric critic
judges pairs of a reference and an output.

Weights start as in PyTorch, where all of the published critics come from. Convolutions have weight
normalization (Salimans and Kingma 2016).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import keras
from keras import layers

from ..command.errors import lookup
from . import mel_critics, metric_critic
from .critic_layers import Periods, SpectralNormConv2D, Spectrum, WeightNormConv2D
from .layers import widen

SLOPE = 0.1  # of the leaky rectifiers
PERIODS = (2, 3, 5, 7, 11)
# Window and hop, in samples.
RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
# The edges of the bands, in fractions of half the sample rate.
BAND_EDGES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
# Filters, kernel, stride and groups of the layers of `multi_scale`.
SCALE_LAYERS = (
    (128, 15, 1, 1),
    (128, 41, 2, 4),
    (256, 41, 2, 16),
    (512, 41, 4, 16),
    (1024, 41, 4, 16),
    (1024, 41, 1, 16),
    (1024, 5, 1, 1),
)

Maps = list[keras.KerasTensor]


def multi_period(wave: keras.KerasTensor, width: float, compare_first: bool = False) -> list[Maps]:
    """Builds the multi-period critic of HiFi-GAN: each member sees every p-th sample in a row.

    Source: Kong et al. 2020, section 2.3; models.py in jik876/hifi-gan.

    Args:
        wave: (batch, n, 1), n known.
        width: multiplies the channels: 32, 128, 512, 1024 and 1024.
        compare_first: whether the first layer's output is compared, too: HiFi-GAN's code does so,
            that of Vocos and AP-BWE does not.
    """
    members = []
    for period in PERIODS:
        x, maps = Periods(period, name=f"period_{period}")(wave), []
        for k, filters in enumerate(widen((32, 128, 512, 1024, 1024), width)):
            strides = (1 if k == 4 else 3, 1)
            x = _conv(x, filters, (5, 1), strides, name=f"period_{period}_conv_{k}")
            x = layers.LeakyReLU(negative_slope=SLOPE)(x)
            maps.append(x)
        score = _conv(x, 1, (3, 1), name=f"period_{period}_score")
        members.append([*maps[not compare_first :], score])
    return members


def multi_scale(wave: keras.KerasTensor, width: float) -> list[Maps]:
    """Builds the multi-scale critic of MelGAN and HiFi-GAN: of the wave, and of two averages of it.

    The first member has spectral normalization, the others, which judge the wave at a half and at a
    quarter of its rate, have weight normalization.

    Source: Kong et al. 2020, section 2.3; models.py in jik876/hifi-gan.

    Args:
        wave: (batch, n, 1), n known.
        width: multiplies the channels, which are rounded to multiples of the groups.
    """
    # (batch, n, 1, 1)
    x = layers.Reshape((-1, 1, 1), name="column")(wave)
    members = []
    for scale in range(3):
        if scale:
            x = layers.ZeroPadding2D(((2, 2), (0, 0)))(x)
            x = layers.AveragePooling2D((4, 1), (2, 1), name=f"scale_{scale}_pool")(x)
        normalized = WeightNormConv2D if scale else SpectralNormConv2D
        y, maps = x, []
        for k, (filters, taps, stride, groups) in enumerate(SCALE_LAYERS):
            (count,) = widen((filters,), width, 16)
            options = {"strides": (stride, 1), "groups": groups, "name": f"scale_{scale}_conv_{k}"}
            y = _conv(y, count, (taps, 1), kind=normalized, **options)
            y = layers.LeakyReLU(negative_slope=SLOPE)(y)
            maps.append(y)
        score = _conv(y, 1, (3, 1), kind=normalized, name=f"scale_{scale}_score")
        members.append([*maps, score])
    return members


def _multi_resolution(wave: keras.KerasTensor, width: float, kind: str) -> list[Maps]:
    (filters,) = widen((64,), width)
    kernels = ((7, 5), (5, 3), (5, 3), (3, 3), (3, 3))
    strides = ((2, 2), (2, 1), (2, 2), (2, 1), (2, 2))
    members = []
    for window, hop in RESOLUTIONS:
        name = f"{kind}_{window}"
        x, maps = Spectrum(window, hop, None, kind, name=name)(wave), []
        for k in range(5):
            x = _conv(x, filters, kernels[k], strides[k], name=f"{name}_conv_{k}")
            x = layers.LeakyReLU(negative_slope=SLOPE)(x)
            maps.append(x)
        members.append([*maps, _conv(x, 1, (3, 3), name=f"{name}_score")])
    return members


def multi_resolution_amplitude(wave: keras.KerasTensor, width: float) -> list[Maps]:
    """Builds the multi-resolution amplitude critic of AP-BWE.

    Source: Lu et al. 2024, section III-C; models/model.py in yxlu-0102/AP-BWE.

    Args:
        wave: (batch, n, 1).
        width: multiplies the 64 channels.
    """
    return _multi_resolution(wave, width, "amplitude")


def multi_resolution_phase(wave: keras.KerasTensor, width: float) -> list[Maps]:
    """Builds the multi-resolution phase critic of AP-BWE.

    Source: Lu et al. 2024, section III-C; models/model.py in yxlu-0102/AP-BWE.

    Args:
        wave: (batch, n, 1).
        width: multiplies the 64 channels.
    """
    return _multi_resolution(wave, width, "phase")


def multi_band(wave: keras.KerasTensor, width: float, compare_first: bool = True) -> list[Maps]:
    """Builds the multi-band critic of the Descript codec: complex spectra, cut into five bands.

    Each band has its own layers; one score layer sees all bands. A hop is a quarter of a window.

    Source: Kumar et al. 2023, "High-Fidelity Audio Compression with Improved RVQGAN", section 3.3.

    Args:
        wave: (batch, n, 1).
        width: multiplies the 32 channels.
        compare_first: whether the outputs of the first layers are compared, too: the codec's code
            does so, that of Vocos does not.
    """
    (filters,) = widen((32,), width)
    strides = ((1, 1), (1, 2), (1, 2), (1, 2), (1, 1))
    members = []
    for window, _ in reversed(RESOLUTIONS):
        spectrum = Spectrum(window, window // 4, "hann", "complex", name=f"complex_{window}")(wave)
        # (batch, frames, bins, 2)
        image = layers.Permute((2, 1, 3))(spectrum)
        edges = [round(edge * (window // 2 + 1)) for edge in BAND_EDGES]
        bands, maps = [], []
        for band, (low, high) in enumerate(itertools.pairwise(edges)):
            x = image[:, :, low:high]
            for k in range(5):
                kernel = (3, 3) if k == 4 else (3, 9)
                name = f"complex_{window}_band_{band}_conv_{k}"
                x = _conv(x, filters, kernel, strides[k], name=name)
                x = layers.LeakyReLU(negative_slope=SLOPE)(x)
                if k or compare_first:
                    maps.append(x)
            bands.append(x)
        joined = layers.Concatenate(axis=2)(bands)
        score = _conv(joined, 1, (3, 3), name=f"complex_{window}_score")
        members.append([*maps, score])
    return members


def _conv(
    x: keras.KerasTensor,
    filters: int,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    *,
    name: str,
    groups: int = 1,
    kind: type[layers.Conv2D] = WeightNormConv2D,
) -> keras.KerasTensor:
    """Convolves with half a kernel of zeros at each end, as PyTorch pads.

    Keras's own padding for strided convolutions is longer at the end than at the start.
    """
    height, width = (size // 2 for size in kernel)
    x = layers.ZeroPadding2D(((height, height), (width, width)))(x)
    fan_in = math.prod(kernel) * x.shape[-1] // groups
    return kind(filters, kernel, fan_in, strides=strides, groups=groups, name=name)(x)


class Critic(NamedTuple):
    """A critic and what it judges.

    Attributes:
        builder: (what it judges, width) -> members.
        judges: the entry of `System.generate` and `System.target`, such as "wave".
        pairs: whether it is a metric critic. It judges this entry of the reference and of the
            output together, stacked along a new last axis, and predicts a score in [0, 1].
    """

    builder: Callable[[keras.KerasTensor, float], list[Maps]]
    judges: str = "wave"
    pairs: bool = False


CRITICS: dict[str, Critic] = {
    "multi_period": Critic(multi_period),
    "multi_period_all": Critic(partial(multi_period, compare_first=True)),
    "multi_scale": Critic(multi_scale),
    "multi_resolution_amplitude": Critic(multi_resolution_amplitude),
    "multi_resolution_phase": Critic(multi_resolution_phase),
    "multi_band": Critic(multi_band),
    "multi_band_inner": Critic(partial(multi_band, compare_first=False)),
    "srgan": Critic(mel_critics.srgan, "mel"),
    "patchgan": Critic(mel_critics.patchgan, "mel"),
    "metric": Critic(metric_critic.build, "magnitude", pairs=True),
}


def build(name: str, shape: Sequence[int], width: float = 1.0) -> keras.Model:
    """Builds a critic with random weights.

    Args:
        name: a key of `CRITICS`.
        shape: of what it judges, without the batch: (n, 1) for waves of n samples, (frames, bands)
            for mel spectrograms, (frames, bins, 2) for pairs of spectra.
        width: multiplies the published numbers of channels.

    Raises:
        UserError: there is no such critic, or the width leaves a layer without channels.

    Example:
        >>> critic = build("multi_period", (8000, 1), width=0.125)
        >>> [member[-1].shape for member in critic(keras.ops.zeros((1, 8000, 1)))]
        [(1, 50, 2, 1), (1, 33, 3, 1), (1, 20, 5, 1), (1, 15, 7, 1), (1, 9, 11, 1)]
    """
    critic = lookup(CRITICS, name, "critic")
    judged = keras.Input(shape, name=critic.judges)
    return keras.Model(judged, critic.builder(judged, width), name=name)
