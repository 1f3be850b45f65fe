"""Four U-Nets for speech recognition, from the low-rate wave to the wave, with channel attention.

Padala: Bandwidth Extension from 2kHz to 16kHz for ASR using Efficient Channel Attention Enhanced
U-Net, the project hemanthpadala03/ASR-Super-Resolution-and-Audio-Processing-Repository of 2025. No
paper describes the networks. The README compares networks without attention, with squeeze and
excitation (Hu et al. 2018), with CBAM (Woo et al. 2018), and with ECA (Wang et al. 2020).

What is known, from the README's drawing and the other notebooks:
- Convolutions with 64 and 128 filters and batch normalization, an attention after each; a
  bottleneck of 256; transposed convolutions with 128 and 64 filters; the wave. The input has 25,790
  samples at 2 kHz, the output eight times as many.
- The notebooks of the same project train with the mean square error and Adam.

What is our choice, since the notebook with the networks cannot be read (its file is no longer
stored):
- Strides: none on the way down, since 25,790 samples cannot be halved twice; 2 in each of the two
  transposed convolutions and in a third one, to one channel. At smaller ratios, the first ones have
  no stride.
- No connections between levels, since the drawing has none. The text of a sister project names
  some, which would need levels of equal length.
- Kernels of 9 samples; ReLU after all convolutions but the last; batch normalization after those
  on the way down and in the bottleneck; the reductions and kernels of the attention, which are
  those of its papers.

Deviation: the published networks take whole recordings, padded to the longest one; here the
attention sees the patch, as in training.
"""

import math
from collections.abc import Callable

import keras
from keras import layers, ops

from .layers import check_choice, check_patch, widen
from .long_conv import Conv1D
from .system import Network

FILTERS, BOTTLENECK_FILTERS = (64, 128), 256
KERNEL = 9
# Channels over hidden units of the attention, in both papers.
REDUCTION = 16
# The kernel of CBAM's attention over time.
SPATIAL_KERNEL = 7


@keras.saving.register_keras_serializable("wideband")
class ASRUNet(Network):
    """The U-Net with attention: (batch, n, 1) at the low rate to (batch, ratio n, 1) restored.

    n is any number of samples. `context` and the attribute `patch` count samples at the low rate.

    Args:
        attention: a key of `ATTENTIONS`: "none", "se", "cbam" or "eca".
        ratio: the high rate over the low rate: 2, 4 or 8; 8 as published.
        patch: samples of the training patches at the high rate, a multiple of the ratio. The whole
            patch decides on the attention.
        width: multiplies every number of filters, for networks that train on a laptop.
        kernel: samples of each kernel, an odd number from 3 to 65.
        name: the name of the Keras model.

    Raises:
        UserError: the attention, the ratio or the kernel is not supported, the patch is not a
            multiple of the ratio, or the width leaves a layer without filters.

    Example:
        >>> ASRUNet("eca", ratio=8)(keras.ops.zeros((1, 1024, 1))).shape
        TensorShape([1, 8192, 1])
    """

    wants = "low"
    multiple = 1
    patch: int

    def __init__(
        self,
        attention: str = "eca",
        ratio: int = 8,
        patch: int = 32768,
        width: float = 1.0,
        kernel: int = KERNEL,
        name: str = "asr_unet",
    ) -> None:
        check_choice("attention", attention, ATTENTIONS)
        check_choice("ratio", ratio, (2, 4, 8))
        check_choice("kernel", kernel, range(3, 66, 2))
        check_patch(patch, ratio)
        first, second, bottleneck = widen((*FILTERS, BOTTLENECK_FILTERS), width)
        doublings = round(math.log2(ratio))
        strides = [1] * (3 - doublings) + [2] * doublings

        # === Functional Model ===
        low = keras.Input((None, 1), name="low")  # (batch, n, 1)
        x = low
        for k, filters in enumerate((first, second)):
            x = _encode(x, filters, kernel, f"encoder_{k}")  # (batch, n, filters)
            x = ATTENTIONS[attention](x, f"attention_{k}")
        x = _encode(x, bottleneck, kernel, "bottleneck")
        for k, filters in enumerate((second, first)):
            x = layers.Conv1DTranspose(
                filters, kernel, strides[k], "same", activation="relu", name=f"decoder_{k}"
            )(x)
        # (batch, ratio n, 1), in float32 even under mixed precision
        x = layers.Conv1DTranspose(1, kernel, strides[2], "same", dtype="float32", name="last")(x)
        super().__init__(low, x, name=name)

        # === Config ===
        self.attention, self.ratio, self.width, self.kernel = attention, ratio, width, kernel
        self.patch = patch // ratio
        # Half kernels, those of transposed convolutions at the rate of their output.
        reach = 3.0 * (kernel // 2)
        for k, stride in enumerate(strides):
            reach += (kernel // 2 + stride - 1) / math.prod(strides[: k + 1])
        self.context = math.ceil(reach) if attention == "none" else None

    def get_config(self) -> dict:
        """Returns the constructor arguments, with the patch in samples at the high rate."""
        return super().get_config() | {"patch": self.patch * self.ratio}


def _encode(x: keras.KerasTensor, filters: int, kernel: int, name: str) -> keras.KerasTensor:
    """Builds a convolution, (batch, n, c) to (batch, n, filters); its layers begin with NAME."""
    x = Conv1D(filters, kernel, padding="same", name=name)(x)
    return layers.ReLU()(layers.BatchNormalization(name=f"{name}_norm")(x))


def squeeze_excitation(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Scales each channel by what the means of all channels decide, (batch, n, c) to the same.

    Source: Hu et al. 2018, "Squeeze-and-Excitation Networks" (arXiv:1709.01507), equations 2 to 4.
    """
    # (batch, 1, c)
    mean = layers.GlobalAveragePooling1D(keepdims=True, dtype="float32")(x)
    scales = _perceptron(x.shape[-1], name)(mean)
    return layers.Multiply()([x, layers.Activation("sigmoid")(scales)])


def cbam(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Scales each channel, then each sample, (batch, n, c) to the same.

    Source: Woo et al. 2018, "CBAM: Convolutional Block Attention Module" (arXiv:1807.06521),
    equations 2 and 3, in one dimension.
    """
    perceptron = _perceptron(x.shape[-1], name)
    mean = layers.GlobalAveragePooling1D(keepdims=True, dtype="float32")(x)
    largest = layers.GlobalMaxPooling1D(keepdims=True)(x)
    scales = layers.Add()([perceptron(mean), perceptron(largest)])
    x = layers.Multiply()([x, layers.Activation("sigmoid")(scales)])
    # (batch, n, 2) to (batch, n, 1)
    both = layers.Concatenate()([ops.mean(x, -1, keepdims=True), ops.max(x, -1, keepdims=True)])
    return layers.Multiply()([x, _scales(SPATIAL_KERNEL, f"{name}_samples")(both)])


def eca(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Scales each channel by what the means of the channels around it decide.

    (batch, n, c) to the same.

    Source: Wang et al. 2020, "ECA-Net" (arXiv:1910.03151), section 3.2 and equation 12.
    """
    mean = layers.GlobalAveragePooling1D(keepdims=True, dtype="float32")(x)
    # (batch, 1, c) to (batch, c, 1) and back
    scales = _scales(eca_kernel(x.shape[-1]), name)(layers.Permute((2, 1))(mean))
    return layers.Multiply()([x, layers.Permute((2, 1))(scales)])


def eca_kernel(channels: int) -> int:
    """Returns how many channels decide on the scale of one: about half of log2(channels).

    An even number becomes the next odd one, as in the published code of ECA.
    """
    size = int((math.log2(channels) + 1) / 2)
    return size if size % 2 else size + 1


def _perceptron(channels: int, name: str) -> keras.Model:
    """Builds a network with one hidden layer and no biases, (batch, 1, c) to the same."""
    x = keras.Input((1, channels))
    hidden = layers.Dense(max(1, channels // REDUCTION), activation="relu", use_bias=False)(x)
    return keras.Model(x, layers.Dense(channels, use_bias=False)(hidden), name=name)


def _scales(kernel: int, name: str) -> layers.Conv1D:
    """Returns a convolution without a bias to values between 0 and 1, (batch, n, c) to one each."""
    return layers.Conv1D(1, kernel, padding="same", use_bias=False, activation="sigmoid", name=name)


# How a tensor (batch, n, c) is scaled, by layers whose names begin with the second argument.
ATTENTIONS: dict[str, Callable[[keras.KerasTensor, str], keras.KerasTensor]] = {
    "none": lambda x, name: x,
    "se": squeeze_excitation,
    "cbam": cbam,
    "eca": eca,
}
