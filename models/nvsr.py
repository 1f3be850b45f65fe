"""NVSR: speech of any band to 44.1 kHz, by a residual UNet on log mels and a neural vocoder.

Liu, Choi, Liu, Kong, Tian and Wang, "Neural Vocoder is All You Need for Speech Super-resolution",
Interspeech 2022, arXiv:2203.14941; code: examples/NVSR in github.com/haoheliu/ssr_eval. It is the
baseline with which AudioSR is compared.

The published system is a generator (`resunet`), the vocoder of VoiceFixer (`tfgan`), and a last
step that overwrites the low band of the output with that of the recording
(`upsample.low_bins`).

Deviations: `upsample` keeps the low band of the recording by a crossover, which has no hard edge;
`python -m wideband.upsample.faithful` does as the code does. The code appends silence to the mel up
to a multiple of 64 frames; here, recordings are extended to a multiple of 64 hops.
"""

import keras

from . import band_hz, resunet
from .features import get
from .mel_restoration import MelRestoration
from .vocoder import GRIFFIN_LIM


@keras.saving.register_keras_serializable("wideband")
class NVSR(MelRestoration):
    """NVSR: an interpolated wave (batch, n, 1) to the restored one.

    n is a multiple of 28224, the 64 frames that the generator makes one of.

    Source: the code; its generator has 65,152,867 trained parameters.

    Args:
        mel: the mel spectrogram, a key of `features.MELS`.
        width: multiplies the generator's channels.
        levels: how often the generator halves frames and bands.
        blocks: residual blocks of each level of the generator on the way down, and again on the
            way up.
        vocoder: what makes the wave: "griffin_lim", the name of a shipped vocoder, or a run folder.
        iterations: of Griffin-Lim.
        name: the name of the Keras model.

    Raises:
        UserError: there is no such mel spectrogram or vocoder, the vocoder takes another mel
            spectrogram, the width leaves a layer without channels, or a number is out of range.

    Example:
        >>> NVSR(width=0.125, levels=2)(keras.ops.zeros((1, 3528, 1))).shape
        TensorShape([1, 3528, 1])
    """

    band_hz = band_hz("nvsr")

    def __init__(
        self,
        mel: str = "voicefixer",
        width: float = 1.0,
        levels: int = resunet.LEVELS,
        blocks: int = resunet.BLOCKS,
        vocoder: str = GRIFFIN_LIM,
        iterations: int = 32,
        name: str = "nvsr",
    ) -> None:
        generator = resunet.build(get(mel).bands, width, levels, blocks)
        reach, grid = resunet.context(levels, blocks), resunet.grid(levels)
        super().__init__(generator, reach, mel, vocoder, iterations, name, grid)
        self.width, self.levels, self.blocks = width, levels, blocks
