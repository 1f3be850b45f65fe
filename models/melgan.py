"""Mel-domain GAN: a generator fills the upper bands of a log mel, and a vocoder makes the wave.

serious-engineer/Audio-Super-Resolution on GitHub, at commit b4e78b1: narrowband speech at 8 kHz is
resampled to 22.05 kHz, SRResNet (`srresnet`) changes its mel spectrogram, and Vocos, HiFi-GAN or
Griffin-Lim makes the wave.

The README and the code of the project differ. Here is what the code does, and the options that
follow the README:

- Magnitudes are logarithmic; the README calls them linear.
- `mel`: the released checkpoint of the vocoder has Slaney's scale up to 8 kHz ("seed"), so that the
  generator fills 4 to 8 kHz, and the vocoder alone invents what is above. The README says HTK. With
  "nyquist", the generator fills everything up to 11 kHz.
- The critic is that of SRGAN, with one score for each patch of two seconds. The README calls it
  PatchGAN, which is the critic `patchgan` here.

Deviations: the published Griffin-Lim makes waves that are 1.875 times too long, since its hop is
not that of the mel spectrogram; here it has the right one. The published system takes all of the
output from the vocoder; `upsample` keeps the low band of the recording, unless --keep_low_band is
false.
"""

import keras

from . import srresnet
from .features import get
from .mel_restoration import MelRestoration
from .vocoder import GRIFFIN_LIM


@keras.saving.register_keras_serializable("wideband")
class MelGAN(MelRestoration):
    """The mel-domain GAN: an interpolated wave (batch, n, 1) to the restored one.

    n is a multiple of 512; with frames that are centred on the multiples of the hop (`vocos24`), of
    1024.

    Args:
        mel: the mel spectrogram, a key of `features.MELS`.
        width: multiplies the generator's channels.
        blocks: residual blocks of the generator.
        residual: whether the generator adds its input to its output; the published one does not.
        batch_norm: whether the generator normalizes its convolutions.
        vocoder: what makes the wave: "griffin_lim", the name of a shipped vocoder, or a run folder.
        iterations: of Griffin-Lim.
        name: the name of the Keras model.

    Raises:
        UserError: there is no such mel spectrogram or vocoder, the vocoder takes another mel
            spectrogram, the width leaves a layer without channels, or a number is out of range.

    Example:
        >>> MelGAN(width=0.5, blocks=4)(keras.ops.zeros((1, 8192, 1))).shape
        TensorShape([1, 8192, 1])
    """

    def __init__(
        self,
        mel: str = "seed",
        width: float = 1.0,
        blocks: int = 16,
        residual: bool = False,
        batch_norm: bool = True,
        vocoder: str = GRIFFIN_LIM,
        iterations: int = 32,
        name: str = "melgan",
    ) -> None:
        generator = srresnet.build(get(mel).bands, width, blocks, residual, batch_norm)
        super().__init__(generator, srresnet.context(blocks), mel, vocoder, iterations, name)
        self.width, self.blocks = width, blocks
        self.residual, self.batch_norm = residual, batch_norm
