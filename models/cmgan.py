"""CMGAN: conformers on power-compressed spectra, with a mask and a complex correction.

Cao, Abdulatif and Yang, "CMGAN: Conformer-based Metric GAN for Speech Enhancement", Interspeech
2022; Abdulatif, Cao and Yang, "CMGAN: Conformer-Based Metric-GAN for Monaural Speech Enhancement",
IEEE/ACM TASLP 2024, arXiv:2209.11112; code: github.com/ruizhecao96/CMGAN, whose src/models/
generator.py, src/utils.py and src/train.py this file follows.

The wave is scaled to an RMS of 1. Magnitudes of its spectrum are raised to the power of 0.3. A
dense encoder halves the bins, four pairs of conformers (`two_stage`) look along time and along
frequency, and two decoders double the bins again. One multiplies the spectrum by a real mask, the
other one adds a complex spectrum.

The code is for noise. The paper of 2024 also has super-resolution, for which it changes the mask
and the critic's score; that code is not published. Here, the network is that of the code. In an
empty band, its mask has nothing to multiply, and the complex decoder alone fills it. Interpolation
with a spline leaves images of the low band there, which the mask can use as well.

Deviations:
- The code normalizes over a whole recording. Here, this is so for the wave that the network gets;
  `upsample` restores a recording in windows as long as the training patches, which it cross-fades.
  The published inference takes up to 16 seconds at once.
- Below a magnitude of 2^-12 after the scaling, a tenth of the rounding of 16-bit audio, compression
  is linear. The power of 0.3 would make the rounding errors of a transform, a millionth of the
  signal, as high as a hundredth of it.
- A wave whose RMS is below 2^-17 is scaled by less, and silence stays silence; the code divides by
  the RMS.
- The code compares spectra at the level of the input, see `CMGAN.generate`.
"""

import keras
from keras import layers, ops

from ..command import UserError
from .layers import check_patch, pytorch_start, widen
from .limits import DEEPEST, check_range
from .stft import STFT, InverseSTFT
from .system import Network, Outputs
from .two_stage import HEADS, two_stage

CHANNELS = 64
POWER = 0.3  # of magnitudes
# Convolutions of a dense block, each with twice the dilation of the one before.
DEPTH = 4
SLOPE = 0.25  # of the rectifiers for negative values, at the start
# That of the mask's rectifiers: the mask is positive for values of either sign.
MASK_SLOPE = -0.25
# The least power of a bin that is compressed, and the least RMS that becomes 1; see above.
LEAST_POWER, LEAST_RMS = 2.0**-24, 2.0**-17
# The least power of a magnitude, below which the slope of the root is 0 rather than infinite.
POWER_FLOOR = 1e-12


@keras.saving.register_keras_serializable("wideband")
class CMGAN(Network):
    """The generator of CMGAN: an interpolated wave (batch, n, 1) to the restored one.

    n is a multiple of the hop, and longer than half a transform. The scores of the attention along
    time grow with the square of n: those of one conformer of the published network take 170 MB for
    2 seconds, and 0.7 GB for 4.

    Source: the code; 1,834,833 trained parameters.

    Args:
        width: multiplies the channels, rounded to multiples of the 4 heads.
        blocks: pairs of conformers.
        fft: samples of the Fourier transform and of a frame, a multiple of 4.
        hop: samples from one frame to the next.
        patch: samples of the training patches, the windows in which recordings are restored.
        dropout: dropout rate in the conformers; active in training only.
        name: the name of the Keras model.

    Raises:
        UserError: the width leaves a layer without channels, the number of blocks is out of range,
            or the lengths contradict each other.

    Example:
        >>> CMGAN()(keras.ops.zeros((1, 16000, 1))).shape
        TensorShape([1, 16000, 1])
    """

    wants = "interpolated"
    # Normalization and attention run over the whole window.
    context = None

    def __init__(
        self,
        width: float = 1.0,
        blocks: int = 4,
        fft: int = 400,
        hop: int = 100,
        patch: int = 32000,
        dropout: float = 0.2,
        name: str = "cmgan",
    ) -> None:
        (channels,) = widen((CHANNELS,), width, HEADS)
        check_range("blocks", blocks, 1, DEEPEST)
        if fft % 4:
            raise UserError(f"fft of {fft} samples must be a multiple of 4")
        lengths = {"fft": fft, "hop": hop, "frame": fft, "window": "hamming"}
        analysis = STFT(**lengths, name="analysis")
        check_patch(patch, hop)
        if patch <= fft // 2:
            raise UserError(f"patch {patch} must be longer than half of fft, {fft // 2}")

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        # (batch, n / hop + 1, fft / 2 + 1) both, (batch, 1, 1)
        real, imaginary, level = _spectrum(channels, blocks, dropout, analysis)(wave)
        # (batch, n, 1)
        restored = level * InverseSTFT(**lengths, name="synthesis")(_expand(real, imaginary))
        super().__init__(wave, restored, name=name)

        # === Config ===
        self.width, self.blocks = width, blocks
        self.fft, self.hop, self.patch, self.dropout = fft, hop, patch, dropout
        self.multiple = hop

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the restored wave, and its predicted spectrum at the level of the reference.

        The spectrum is compressed; "magnitude" is its absolute value. The code scales the input and
        the reference by the RMS of the input. If an input has little left of a reference, its
        patch would have many times the loss of others. Here, the RMS is that of the reference.
        """
        real, imaginary, level = self.get_layer("spectrum")(low)
        wave = level * self.get_layer("synthesis")(_expand(real, imaginary))
        gain = (level / ops.maximum(_rms(high), LEAST_RMS)) ** POWER
        return {"wave": wave, **_parts(gain * real, gain * imaginary)}

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the reference, and its compressed spectrum at an RMS of 1."""
        analysis = self.get_layer("spectrum").get_layer("analysis")
        return {"wave": high, **_parts(*_compress(*analysis(_normalize(high))))}


def _rms(wave: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the RMS of a wave (batch, n, 1), as (batch, 1, 1)."""
    return ops.sqrt(ops.mean(ops.square(wave), axis=1, keepdims=True))


def _normalize(wave: keras.KerasTensor) -> keras.KerasTensor:
    """Scales a wave (batch, n, 1) to an RMS of 1, unless it is silent."""
    return wave / ops.maximum(_rms(wave), LEAST_RMS)


def _compress(real, imaginary):
    """Raises the magnitudes of complex numbers to the power of 0.3."""
    power = ops.maximum(ops.square(real) + ops.square(imaginary), LEAST_POWER)
    scale = power ** (0.5 * (POWER - 1))
    return scale * real, scale * imaginary


def _expand(real, imaginary) -> list:
    """Inverts the compression."""
    scale = (ops.square(real) + ops.square(imaginary)) ** (0.5 * (1 / POWER - 1))
    return [scale * real, scale * imaginary]


def _magnitude(real, imaginary):
    """Returns the absolute value of complex numbers."""
    return ops.sqrt(ops.maximum(ops.square(real) + ops.square(imaginary), POWER_FLOOR))


def _parts(real, imaginary) -> Outputs:
    """Returns what losses and the critic compare of a spectrum (batch, frames, bins)."""
    spectrum = {"real": real, "imaginary": imaginary}
    return {"spectrum": spectrum, "magnitude": _magnitude(real, imaginary)}


def _spectrum(channels: int, blocks: int, dropout: float, analysis: STFT) -> keras.Model:
    """Builds the network from a wave to a compressed spectrum at an RMS of 1, and to its RMS."""
    wave = keras.Input((None, 1), name="wave")
    # (batch, frames, bins) both
    real, imaginary = _compress(*analysis(_normalize(wave)))
    image = ops.stack([_magnitude(real, imaginary), real, imaginary], axis=-1)
    # (batch, frames, ceil(bins / 2), channels)
    x = _encoder(image, channels)
    for k in range(blocks):
        x = two_stage(x, dropout, f"block_{k}")
    # (batch, frames, bins) all
    mask = _mask(x, analysis.bins)
    more_real, more_imaginary = (
        ops.squeeze(part, -1) for part in ops.split(_complex(x), 2, axis=-1)
    )
    outputs = [mask * real + more_real, mask * imaginary + more_imaginary, _rms(wave)]
    return keras.Model(wave, outputs, name="spectrum")


def _encoder(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Builds the encoder, (batch, frames, bins, 3) to (batch, frames, ceil(bins / 2), channels)."""
    x = _normalized(_conv(x, channels, (1, 1), "encoder_first"), "encoder_first")
    x = _dense_block(x, "encoder")
    x = layers.ZeroPadding2D(((0, 0), (1, 1)))(x)
    return _normalized(_conv(x, channels, (1, 3), "encoder_last", strides=(1, 2)), "encoder_last")


def _mask(x: keras.KerasTensor, bins: int) -> keras.KerasTensor:
    """Builds the decoder of the mask, (batch, frames, bins)."""
    x = _upper(x, "mask")
    x = _normalized(_conv(x, 1, (1, 2), "mask_join"), "mask_join")
    x = _conv(x, 1, (1, 1), "mask_last", dtype="float32")
    x = layers.Reshape((-1, bins), dtype="float32")(x)
    # Each bin has its own slope.
    slope = keras.initializers.Constant(MASK_SLOPE)
    return layers.PReLU(slope, shared_axes=[1], dtype="float32", name="mask_slope")(x)


def _complex(x: keras.KerasTensor) -> keras.KerasTensor:
    """Builds the decoder of real and imaginary parts, (batch, frames, bins, 2)."""
    x = _normalized(_upper(x, "complex"), "complex_upper")
    return _conv(x, 2, (1, 2), "complex_last", dtype="float32")


def _upper(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Builds what both decoders share, which doubles the bins: channels become bins."""
    _, _, bins, channels = x.shape
    x = layers.ZeroPadding2D(((0, 0), (1, 1)))(_dense_block(x, name))
    x = _conv(x, 2 * channels, (1, 3), f"{name}_upper")
    return layers.Reshape((-1, 2 * bins, channels))(x)


def _dense_block(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Builds four convolutions that look back; each sees the outputs of all before it."""
    channels = x.shape[-1]
    seen = [x]
    for k in range(DEPTH):
        step = 2**k
        # The latest output comes first.
        y = layers.Concatenate()(seen) if k else x
        y = layers.ZeroPadding2D(((step, 0), (1, 1)))(y)
        y = _conv(y, channels, (2, 3), f"{name}_{k}", dilation_rate=(step, 1))
        seen.insert(0, _normalized(y, f"{name}_{k}"))
    return seen[0]


def _conv(
    x: keras.KerasTensor, filters: int, kernel: tuple[int, int], name: str, **options
) -> keras.KerasTensor:
    start = pytorch_start(kernel[0] * kernel[1] * x.shape[-1])
    return layers.Conv2D(filters, kernel, **start, **options, name=name)(x)


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Normalizes each channel over the whole image, then rectifies it with a slope of its own."""
    x = layers.GroupNormalization(-1, epsilon=1e-5, name=f"{name}_norm")(x)
    start = keras.initializers.Constant(SLOPE)
    return layers.PReLU(start, shared_axes=[1, 2], name=f"{name}_slope")(x)
