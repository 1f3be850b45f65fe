"""Mel-domain GAN: a generator fills the upper bands of a log mel, and a vocoder makes the wave.

serious-engineer/Audio-Super-Resolution on GitHub, at commit b4e78b1: narrowband speech at 8 kHz is
resampled to 22.05 kHz, SRResNet (`srresnet`) changes its mel spectrogram, and Vocos, HiFi-GAN or
Griffin-Lim makes the wave. The generator is trained on log mels, by regression or against a critic
(`mel_critics`). No vocoder is needed for that: any vocoder of the same mel spectrogram fits.

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
import numpy as np

from . import srresnet
from .features import LogMel, get
from .resynthesis import lengths
from .system import Network, Outputs
from .vocoder import GRIFFIN_LIM, find


@keras.saving.register_keras_serializable("wideband")
class MelGAN(Network):
    """An interpolated wave (batch, n, 1) to the restored one, through a log mel.

    n is a multiple of 512; with frames that are centred on the multiples of the hop (`vocos24`), of
    1024.

    A run has the weights of the generator only. Those of the vocoder are where it was trained.

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

    wants = "interpolated"

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
        own = get(mel)
        # Before the vocoder, so that the seed determines its weights whatever the vocoder.
        generator = srresnet.build(own.bands, width, blocks, residual, batch_norm)
        found = find(vocoder, mel, iterations)
        # XLA is slow on CPUs, and Keras would choose it.
        generator.jit_compile = False

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        # (batch, frames, bands) both
        low = LogMel(mel, name="analysis")(wave)
        filled = generator(low)
        super().__init__(wave, found.build()(filled), name=name)

        # === Config ===
        self.mel, self.width, self.blocks = mel, width, blocks
        self.residual, self.batch_norm = residual, batch_norm
        self.vocoder, self.iterations = vocoder, iterations
        self.sample_rate = own.sample_rate
        reach = srresnet.context(blocks) * own.hop + found.context
        self.multiple, self.context = lengths(own, reach)
        self.parts = {} if found.sha256 is None else {"vocoder": found.sha256}
        self.iterated = vocoder == GRIFFIN_LIM

    def networks(self) -> dict[str, keras.Model]:
        """Returns the generator; the vocoder is not trained with it."""
        return {"network": self.get_layer("srresnet")}

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the log mel (batch, frames, bands) that the vocoder would take."""
        return {"mel": self.get_layer("srresnet")(self.get_layer("analysis")(low))}

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the log mel (batch, frames, bands) of the reference."""
        return {"mel": self.get_layer("analysis")(high)}

    def predicted(self, low: np.ndarray, restored: np.ndarray) -> Outputs:
        """Returns the generator's log mel, on which the vocoder has no influence."""
        mel = keras.ops.convert_to_numpy(self.get_layer("analysis")(low))
        # Several patches at a time, since all layers of a minute would take gigabytes.
        return {"mel": self.get_layer("srresnet").predict(mel, batch_size=4, verbose=0)}
