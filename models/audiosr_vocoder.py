"""The vocoder of AudioSR: HiFi-GAN at 48 kHz, from 256 bands up to 24 kHz.

Liu, Chen, Tian, Wang and Plumbley, "AudioSR: Versatile Audio Super-Resolution at Scale", ICASSP
2024, arXiv:2309.07314; code: github.com/haoheliu/versatile_audio_super_resolution, whose
audiosr/hifigan/models.py and get_vocoder_config_48k in audiosr/utilities/model.py this file
follows. It is HiFi-GAN (`hifigan`) with other sizes, and a fourth residual block in each stage.

The code's second transposed convolution, of 10 taps and rate 5, adds a sample to its output. The
generator thus makes 480 T + 16 samples of T frames, 8 too early.

Deviation: as a network, the first and the last 8 samples are cut, so that the output has the length
and the time of the recording. `generator` has all samples.
"""

from dataclasses import replace

import keras
from keras import layers

from .hifigan import TAPS, Body, convolve, stages, whole_band
from .limits import check_range
from .resynthesis import Resynthesis, check_mel

BODY = Body(
    1536, (6, 5, 4, 2, 2), (12, 10, 8, 4, 4), taps=(3, 7, 11, 15), dilations=((1, 3, 5),) * 4
)
# Samples that the generator adds at either end.
MORE = 8


@keras.saving.register_keras_serializable("wideband")
class AudioSRVocoder(Resynthesis):
    """The vocoder of AudioSR: a recording (batch, n, 1) at 48 kHz to the same, made anew.

    Source: the code; 190,281,889 parameters without weight normalization.

    Args:
        mel: what it takes, a key of `features.MELS` with frames of 480 samples.
        width: multiplies the channels.
        kernels: residual blocks of each stage, the first of those with 3, 7, 11 and 15 taps.
        weight_norm: whether convolutions have weight normalization, as in the published training.
            Without, each has one weight less per channel (see `weight_norm.folded`).
        name: the name of the Keras model.

    Raises:
        UserError: it does not take such mel spectrograms, the width leaves a layer without
            channels, or the number of blocks is out of range.

    Example:
        >>> AudioSRVocoder(width=1 / 48)(keras.ops.zeros((1, 30720, 1))).shape
        TensorShape([1, 30720, 1])
    """

    def __init__(
        self,
        mel: str = "audiosr",
        width: float = 1.0,
        kernels: int = 4,
        weight_norm: bool = False,
        name: str = "audiosr_vocoder",
    ) -> None:
        own = check_mel(mel, hop=480, padding="same")
        check_range("kernels", kernels, 1, len(BODY.taps))
        sizes = body(kernels)

        # === Functional Model ===
        features = keras.Input((None, own.bands), name="mel")  # (batch, T, bands)
        x = stages(features, sizes, width, weight_norm)  # (batch, 480 T + 16, channels)
        x = convolve(x, 1, TAPS, weight_norm, "last")
        x = layers.Activation("tanh", dtype="float32", name="all")(x)
        wave = layers.Cropping1D(MORE, dtype="float32")(x)  # (batch, 480 T, 1)
        vocoder = keras.Model(features, wave, name="vocoder")
        super().__init__(vocoder, mel, whole_band(own), sizes.reach(own.hop) + MORE, name)

        # === Config ===
        self.width, self.kernels, self.weight_norm = width, kernels, weight_norm


def body(kernels: int) -> Body:
    """Returns the sizes of the layers with this number of residual blocks in each stage."""
    return replace(BODY, taps=BODY.taps[:kernels], dilations=BODY.dilations[:kernels])


def generator(vocoder: keras.Model) -> keras.Model:
    """Returns the vocoder without the cut, (batch, T, bands) to (batch, 480 T + 16, 1).

    Args:
        vocoder: the layer "vocoder" of an `AudioSRVocoder`, with which it shares its weights.
    """
    return keras.Model(vocoder.input, vocoder.get_layer("all").output, name="generator")
