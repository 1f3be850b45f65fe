"""AP-BWE: amplitude and phase predicted side by side, frame by frame.

Lu, Ai, Du and Ling, "Towards High-Quality and Efficient Speech Bandwidth Extension with Parallel
Amplitude and Phase Prediction", IEEE/ACM TASLP 2024, arXiv:2401.06387; code:
github.com/yxlu-0102/AP-BWE. Facts that the paper leaves out are from its models/model.py and
datasets/dataset.py. Its configurations for 16 and 48 kHz have the same lengths and layers.

Two streams of ConvNeXt blocks take the log amplitudes and the phases of a short-time spectrum. The
network adds the output of one stream to the log amplitudes. The other stream has two outputs, the
real and the imaginary part of a complex number whose angle is the new phase. The low band is
predicted, too.

Deviation: the published code mirrors a recording at its ends. Here, this is so for the wave that
the network gets; `upsample` restores a recording in windows, with silence around it.
"""

import math

import keras
import numpy as np
from keras import layers, ops

from ..command import UserError
from .convnext import streams
from .layers import widen
from .stft import STFT, InverseSTFT, angle, log_amplitude, unit
from .system import Network, Outputs

CHANNELS = 512
# Channels inside a block, relative to those between blocks.
EXPANSION = 3
# Added to amplitudes before the logarithm.
FLOOR = 1e-4


@keras.saving.register_keras_serializable("wideband")
class APBWE(Network):
    """The generator of AP-BWE: an interpolated wave (batch, n, 1) to the restored one.

    n is a multiple of the hop, and longer than half a frame.

    Args:
        width: multiplies the channels.
        blocks: ConvNeXt blocks of each stream.
        fft: samples of the Fourier transform, a power of two.
        hop: samples from one frame to the next.
        frame: samples of a frame, a multiple of the hop.
        name: the name of the Keras model.

    Raises:
        UserError: the width leaves a layer without channels, there is no block, or the lengths of
            the transform contradict each other.

    Example:
        >>> APBWE()(keras.ops.zeros((1, 8000, 1))).shape
        TensorShape([1, 8000, 1])
    """

    wants = "interpolated"

    def __init__(
        self,
        width: float = 1.0,
        blocks: int = 8,
        fft: int = 1024,
        hop: int = 80,
        frame: int = 320,
        name: str = "apbwe",
    ) -> None:
        # Multiples of 8 suit the hardware.
        (channels,) = widen((CHANNELS,), width, 8)
        if blocks < 1:
            raise UserError(f"blocks {blocks} must be at least 1")
        lengths = fft, hop, frame

        # === Functional Model ===
        spectrum = _spectrum(channels, blocks, STFT(*lengths, name="analysis"))
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        # (batch, n / hop + 1, fft / 2 + 1) all
        restored = _from_polar(*spectrum(wave))
        # (batch, n, 1)
        synthesis = InverseSTFT(*lengths, name="synthesis")
        output = synthesis([restored["real"], restored["imaginary"]])
        super().__init__(wave, output, name=name)

        # === Config ===
        self.width, self.blocks = width, blocks
        self.fft, self.hop, self.frame = fft, hop, frame
        self.multiple = hop
        # Half a frame of the analysis and of the synthesis, and the frames of the convolutions.
        # A frame that is no multiple of the hop is in one hop more.
        self.context = (math.ceil(frame / hop) + 3 + 3 * blocks) * hop

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the restored wave, the predicted spectrum, and the spectrum of that wave."""
        spectrum = _from_polar(*self.get_layer("spectrum")(low))
        wave = self.get_layer("synthesis")([spectrum["real"], spectrum["imaginary"]])
        return {"wave": wave, "spectrum": spectrum | _parts_of_wave(self._analyze(wave))}

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the reference and its spectrum."""
        spectrum = self._analyze(high)
        return {"wave": high, "spectrum": spectrum | _parts_of_wave(spectrum)}

    def _analyze(self, wave: keras.KerasTensor) -> Outputs:
        """Returns the spectrum of a wave (batch, n, 1). All its amplitudes include the floor."""
        real, imaginary = self.get_layer("spectrum").get_layer("analysis")(wave)
        return _from_polar(log_amplitude(real, imaginary, FLOOR), *unit(real, imaginary))


def _from_polar(
    log_amplitude: keras.KerasTensor, cosine: keras.KerasTensor, sine: keras.KerasTensor
) -> Outputs:
    """Returns a spectrum (batch, frames, bins) in polar and in Cartesian coordinates."""
    amplitude = ops.exp(log_amplitude)
    return {
        "log_amplitude": log_amplitude,
        "phase": angle(cosine, sine),
        "real": amplitude * cosine,
        "imaginary": amplitude * sine,
    }


def _parts_of_wave(spectrum: Outputs) -> Outputs:
    return {f"wave_{part}": spectrum[part] for part in ("real", "imaginary")}


def _spectrum(channels: int, blocks: int, analysis: STFT) -> keras.Model:
    """Builds the network from a wave to a log amplitude, and the cosine and sine of a phase."""
    wave = keras.Input((None, 1), name="wave")
    # (batch, frames, bins) both
    real, imaginary = analysis(wave)
    log_amplitudes = log_amplitude(real, imaginary, FLOOR)
    # (batch, frames, channels) both
    amplitude, phase = streams(
        log_amplitudes,
        angle(real, imaginary),
        channels=channels,
        hidden=EXPANSION * channels,
        blocks=blocks,
    )
    # (batch, frames, bins) all
    change, real, imaginary = (
        _last(x, analysis.bins, name)
        for x, name in ((amplitude, "amplitude"), (phase, "real"), (phase, "imaginary"))
    )
    log_amplitudes = layers.Add(dtype="float32")([log_amplitudes, change])
    return keras.Model(wave, [log_amplitudes, *unit(real, imaginary)], name="spectrum")


def _last(x: keras.KerasTensor, bins: int, name: str) -> keras.KerasTensor:
    """Builds an output layer. It keeps the initialization of PyTorch, unlike all other layers."""
    bound = 1 / np.sqrt(x.shape[-1])
    uniform = keras.initializers.RandomUniform(-bound, bound)
    return layers.Dense(
        bins,
        kernel_initializer=uniform,
        bias_initializer=uniform,
        dtype="float32",
        name=f"{name}_last",
    )(x)
