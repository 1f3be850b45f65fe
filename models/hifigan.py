"""HiFi-GAN: transposed convolutions, each followed by residual blocks of several lengths.

Kong, Kim and Bae, "HiFi-GAN: Generative Adversarial Networks for Efficient and High Fidelity Speech
Synthesis", NeurIPS 2020, arXiv:2010.05646; code: github.com/jik876/hifi-gan. Facts that the paper
leaves out are from its models.py, meldataset.py and config_v1.json to config_v3.json.

The last leaky rectifier has PyTorch's default slope. Weights start as PyTorch's: the code draws
kernels of a standard deviation of 0.01, but its weight normalization replaces them. Each stage of
the code divides the channels by 2.
"""

from dataclasses import dataclass, replace

import keras
from keras import layers

from .features import Mel
from .layers import check_choice, pytorch_start, widen
from .long_conv import Conv1D
from .resynthesis import Resynthesis, check_mel
from .weight_norm import WeightNormConv1D, WeightNormConv1DTranspose

SLOPE, LAST_SLOPE = 0.1, 0.01
# Taps of the first and the last convolution.
TAPS = 7


@dataclass(frozen=True)
class Body:
    """The layers between the first and the last convolution.

    Args:
        channels: of the first convolution.
        rates: samples per input sample of each transposed convolution.
        kernels: taps of each transposed convolution. As in the code, where a kernel and its rate
            differ by an odd number, the output has one sample more than `rate` times the input.
        taps: of the convolutions of each residual block of a stage.
        dilations: of the steps of each block.
        doubled: whether a second convolution, without dilation, follows in each step.
    """

    channels: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    taps: tuple[int, ...] = (3, 7, 11)
    dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    doubled: bool = True

    def reach(self, hop: int) -> int:
        """Returns the samples on either side of a frame on which the output depends.

        Args:
            hop: output samples per frame.
        """
        blocks = max(
            (taps - 1) // 2 * sum(each + self.doubled for each in dilations)
            for taps, dilations in zip(self.taps, self.dilations, strict=True)
        )
        total = TAPS // 2 * hop
        for rate, kernel in zip(self.rates, self.kernels, strict=True):
            hop //= rate
            total += (kernel // 2 + blocks) * hop
        return total + TAPS // 2 * hop


VARIANTS = {
    "V1": Body(512, (8, 8, 2, 2), (16, 16, 4, 4)),
    "V2": Body(128, (8, 8, 2, 2), (16, 16, 4, 4)),
    "V3": Body(256, (8, 8, 4), (16, 16, 8), (3, 5, 7), ((1, 2), (2, 6), (3, 12)), doubled=False),
}


@keras.saving.register_keras_serializable("wideband")
class HiFiGAN(Resynthesis):
    """The generator of HiFi-GAN as a vocoder: a recording (batch, n, 1) to the same, made anew.

    n is a multiple of 512.

    Args:
        variant: "V1", "V2" (fewer channels) or "V3" (fewer layers).
        mel: what it takes, a key of `features.MELS` with 22050 Hz.
        width: multiplies the channels.
        weight_norm: whether convolutions have weight normalization, as in the published training.
            Without, each has one weight less per channel (see `weight_norm.folded`).
        name: the name of the Keras model.

    Raises:
        UserError: there is no such variant, it does not take such mel spectrograms, or the width
            leaves a layer without channels.

    Example:
        >>> HiFiGAN()(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    def __init__(
        self,
        variant: str = "V1",
        mel: str = "hifigan",
        width: float = 1.0,
        weight_norm: bool = False,
        name: str = "hifigan",
    ) -> None:
        check_choice("variant", variant, VARIANTS)
        own, body = check_mel(mel, hop=256, padding="same"), VARIANTS[variant]

        # === Functional Model ===
        features = keras.Input((None, own.bands), name="mel")  # (batch, frames, bands)
        x = stages(features, body, width, weight_norm)  # (batch, 256 frames, channels)
        x = convolve(x, 1, TAPS, weight_norm, "last")
        wave = layers.Activation("tanh", dtype="float32")(x)  # (batch, 256 frames, 1)
        vocoder = keras.Model(features, wave, name="vocoder")
        super().__init__(vocoder, mel, whole_band(own), body.reach(own.hop), name)

        # === Config ===
        self.variant, self.width, self.weight_norm = variant, width, weight_norm


def whole_band(mel: Mel) -> Mel:
    """Returns the mel spectrogram up to half the rate, which the losses of HiFi-GAN compare."""
    return replace(mel, highest_hz=mel.sample_rate / 2)


def stages(
    features: keras.KerasTensor, body: Body, width: float, weight_norm: bool
) -> keras.KerasTensor:
    """Builds all layers before the last convolution.

    Args:
        features: (batch, frames, bands).
        body: the sizes of the layers.
        width: multiplies the channels.
        weight_norm: whether convolutions have weight normalization.

    Returns:
        (batch, n, channels), after a leaky rectifier.
    """
    (channels,) = widen((body.channels,), width, 2 ** len(body.rates))
    x = convolve(features, channels, TAPS, weight_norm, "first")
    for stage, (rate, kernel) in enumerate(zip(body.rates, body.kernels, strict=True)):
        channels //= 2
        x = layers.LeakyReLU(negative_slope=SLOPE)(x)
        more = kernel - rate
        cut = (more // 2, more // 2) if more % 2 else None
        x = upsample(x, channels, kernel, rate, weight_norm, f"up_{stage}", cut)
        blocks = [
            _block(x, taps, dilations, body.doubled, weight_norm, f"stage_{stage}_block_{number}")
            for number, (taps, dilations) in enumerate(zip(body.taps, body.dilations, strict=True))
        ]
        x = layers.Average()(blocks)
    return layers.LeakyReLU(negative_slope=LAST_SLOPE)(x)


def convolve(
    x: keras.KerasTensor,
    filters: int,
    taps: int,
    weight_norm: bool,
    name: str,
    dilation: int = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    """Convolves x (batch, n, c), to (batch, n, filters), or fewer samples if padding is "valid"."""
    kind = WeightNormConv1D if weight_norm else Conv1D
    start = pytorch_start(taps * x.shape[-1])
    return kind(filters, taps, padding=padding, dilation_rate=dilation, name=name, **start)(x)


def upsample(
    x: keras.KerasTensor,
    filters: int,
    taps: int,
    rate: int,
    weight_norm: bool,
    name: str,
    cut: tuple[int, int] | None = None,
) -> keras.KerasTensor:
    """Convolves x (batch, n, c) by a transposed convolution.

    Args:
        x: (batch, n, c).
        filters: of the convolution.
        taps: its taps, at least `rate`.
        rate: output samples per input sample.
        weight_norm: whether it has weight normalization.
        name: of its layer.
        cut: how many of the rate n + taps - rate output samples are cut at the start and at the
            end; by default as many from both.

    Returns:
        (batch, m, filters), m by default rate n.
    """
    kind = WeightNormConv1DTranspose if weight_norm else layers.Conv1DTranspose
    # PyTorch counts the outputs of a transposed convolution as its inputs.
    start = pytorch_start(taps * filters)
    padding = "valid" if cut else "same"
    x = kind(filters, taps, rate, padding=padding, name=name, **start)(x)
    return layers.Cropping1D(cut)(x) if cut else x


def _block(
    x: keras.KerasTensor,
    taps: int,
    dilations: tuple[int, ...],
    doubled: bool,
    weight_norm: bool,
    name: str,
) -> keras.KerasTensor:
    """Builds a residual block: each step adds the output of its convolutions to its input."""
    channels = x.shape[-1]
    for step, dilation in enumerate(dilations):
        y = layers.LeakyReLU(negative_slope=SLOPE)(x)
        y = convolve(y, channels, taps, weight_norm, f"{name}_dilated_{step}", dilation)
        if doubled:
            y = layers.LeakyReLU(negative_slope=SLOPE)(y)
            y = convolve(y, channels, taps, weight_norm, f"{name}_plain_{step}")
        x = layers.Add()([x, y])
    return x
