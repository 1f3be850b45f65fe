"""Vocos: a vocoder that predicts short-time spectra, frame by frame, without upsampling.

Siuzdak, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for
high-quality audio synthesis", ICLR 2024, arXiv:2306.00814; code: github.com/gemelo-ai/vocos. Facts
that the paper leaves out are from its vocos/models.py, heads.py and spectral_ops.py. The network
for 22 kHz is from the branch matcha of langtech-bsc/vocos.

Deviation: the code computes an exponential and then its minimum with 100; here, the exponent is
bounded, so that the gradient stays finite.
"""

import math
from dataclasses import replace

import keras
from keras import layers, ops

from ..command import UserError
from .convnext import KERNEL, block, first, norm
from .layers import pytorch_start, widen
from .resynthesis import Resynthesis, check_mel
from .stft import InverseSTFT

CHANNELS, BLOCKS = 512, 8
# Channels inside a block, relative to those between blocks.
EXPANSION = 3
# The largest magnitude.
LARGEST = 100.0


@keras.saving.register_keras_serializable("wideband")
class Vocos(Resynthesis):
    """Vocos: a recording (batch, n, 1) to the same, made anew from its mel spectrogram.

    n is a multiple of 512; with frames that are centred on the multiples of the hop (`vocos24`),
    of 1024. The inverse transform has the padding of the mel spectrogram.

    Args:
        mel: what it takes, a key of `features.MELS`: "vocos24" for the network for 24 kHz.
        width: multiplies the channels.
        blocks: ConvNeXt blocks.
        name: the name of the Keras model.

    Raises:
        UserError: there is no such mel spectrogram, there is no block, or the width leaves a layer
            without channels.

    Example:
        >>> Vocos()(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    def __init__(
        self, mel: str = "seed", width: float = 1.0, blocks: int = BLOCKS, name: str = "vocos"
    ) -> None:
        own = check_mel(mel)
        (channels,) = widen((CHANNELS,), width, 8)
        if blocks < 1:
            raise UserError(f"blocks {blocks} must be at least 1")

        # === Functional Model ===
        features = keras.Input((None, own.bands), name="mel")  # (batch, frames, bands)
        x = first(features, channels, KERNEL, "mel")  # (batch, frames, channels)
        for k in range(blocks):
            x = block(x, EXPANSION * channels, 1 / blocks, f"block_{k}")
        x = norm("mel_last")(x)
        last = layers.Dense(
            own.fft + 2, dtype="float32", name="mel_last", **pytorch_start(channels)
        )
        # (batch, frames, bins) both
        log_magnitude, phase = ops.split(last(x), 2, axis=-1)
        magnitude = ops.exp(ops.minimum(log_magnitude, math.log(LARGEST)))
        synthesis = InverseSTFT(own.fft, own.hop, own.fft, own.padding, name="synthesis")
        wave = synthesis([magnitude * ops.cos(phase), magnitude * ops.sin(phase)])
        vocoder = keras.Model(features, wave, name="vocoder")
        # Half a frame of the synthesis, and the frames of the convolutions.
        reach = own.fft // 2 + (1 + blocks) * (KERNEL // 2) * own.hop
        super().__init__(vocoder, mel, replace(own, padding="center"), reach, name)

        # === Config ===
        self.width, self.blocks = width, blocks
