"""iSTFTNet: HiFi-GAN whose last stages are an inverse Fourier transform.

Kaneko, Tanaka, Kameoka and Seki, "iSTFTNet: Fast and Lightweight Mel-Spectrogram Vocoder
Incorporating Inverse Short-Time Fourier Transform", ICASSP 2022, arXiv:2203.02395. The authors have
released no code; this is C8C8I, the network V1 of HiFi-GAN with two stages of 8 samples each, as in
rishikksh20/iSTFTNet-pytorch, models.py. There, the phase is the sine of the last convolution's
output, and thus between -1 and 1 radian.
"""

import keras
from keras import ops

from .hifigan import TAPS, Body, convolve, stages, whole_band
from .resynthesis import Resynthesis, check_mel
from .stft import InverseSTFT

BODY = Body(512, (8, 8), (16, 16))
FFT, HOP = 16, 4


@keras.saving.register_keras_serializable("wideband")
class ISTFTNet(Resynthesis):
    """iSTFTNet as a vocoder: a recording (batch, n, 1) to the same, made anew.

    n is a multiple of 512.

    Args:
        mel: what it takes, a key of `features.MELS` with 22050 Hz.
        width: multiplies the channels.
        weight_norm: whether convolutions have weight normalization, as in the published training.
            Without, each has one weight less per channel (see `weight_norm.folded`).
        name: the name of the Keras model.

    Raises:
        UserError: it does not take such mel spectrograms, or the width leaves a layer without
            channels.

    Example:
        >>> ISTFTNet()(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    def __init__(
        self,
        mel: str = "hifigan",
        width: float = 1.0,
        weight_norm: bool = False,
        name: str = "istftnet",
    ) -> None:
        own = check_mel(mel, hop=256, padding="same")

        # === Functional Model ===
        features = keras.Input((None, own.bands), name="mel")  # (batch, frames, bands)
        x = stages(features, BODY, width, weight_norm)  # (batch, 64 frames, channels)
        # The first sample is mirrored, since n samples are between n + 1 centred frames.
        x = ops.concatenate([x[:, 1:2], x], axis=1)
        x = ops.cast(convolve(x, FFT + 2, TAPS, weight_norm, "last"), "float32")
        # (batch, 64 frames + 1, 9) both
        log_magnitude, angle = ops.split(x, 2, axis=-1)
        magnitude, phase = ops.exp(log_magnitude), ops.sin(angle)
        synthesis = InverseSTFT(FFT, HOP, FFT, name="synthesis")
        wave = synthesis([magnitude * ops.cos(phase), magnitude * ops.sin(phase)])
        vocoder = keras.Model(features, wave, name="vocoder")
        # Half a frame of the synthesis, and the mirrored sample.
        reach = BODY.reach(own.hop) + FFT // 2 + HOP
        super().__init__(vocoder, mel, whole_band(own), reach, name)

        # === Config ===
        self.width, self.weight_norm = width, weight_norm
