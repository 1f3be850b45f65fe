"""Networks that restore waves through log mels: a generator fills the mel, a vocoder does the rest.

Only the generator is trained, on log mels, by regression or against a critic (`mel_critics`). No
vocoder is needed for that: any vocoder of the same mel spectrogram fits.
"""

import keras
import numpy as np

from .features import LogMel, get
from .griffin_lim import PERIOD
from .resynthesis import lengths
from .system import NEEDS_XLA, Network, Outputs
from .vocoder import GRIFFIN_LIM, find


class MelRestoration(Network):
    """An interpolated wave (batch, n, 1) to the restored one, through a log mel.

    n is a multiple of `multiple`: 512 for most mel spectrograms.

    A run has the weights of the generator only. Those of the vocoder are where it was trained.

    Args:
        generator: a model from a log mel (batch, frames, bands) to one of the same shape. It is
            built before its vocoder, so that the seed determines its weights.
        reach: frames on either side that an output frame of the generator depends on.
        mel: the mel spectrogram, a key of `features.MELS`.
        vocoder: what makes the wave: "griffin_lim", the name of a shipped vocoder, or a run folder.
        iterations: of Griffin-Lim.
        name: the name of the Keras model.
        grid: the hops of a wave must be a multiple of this number.

    Raises:
        UserError: there is no such mel spectrogram or vocoder, the vocoder takes another mel
            spectrogram, or the number of iterations is out of range.
    """

    wants = "interpolated"

    def __init__(
        self,
        generator: keras.Model,
        reach: int,
        mel: str,
        vocoder: str,
        iterations: int,
        name: str,
        grid: int = PERIOD,
    ) -> None:
        own, found = get(mel), find(vocoder, mel, iterations)
        generator.jit_compile = NEEDS_XLA

        # === Functional Model ===
        wave = keras.Input((None, 1), name="interpolated")  # (batch, n, 1)
        # (batch, frames, bands) both
        low = LogMel(mel, name="analysis")(wave)
        filled = generator(low)
        super().__init__(wave, found.build()(filled), name=name)

        # === Config ===
        self.mel, self.vocoder, self.iterations = mel, vocoder, iterations
        self.sample_rate = own.sample_rate
        self.multiple, self.context = lengths(own, reach * own.hop + found.context, grid)
        self.parts = {} if found.sha256 is None else {"vocoder": found.sha256}
        self.iterated = vocoder == GRIFFIN_LIM

    def networks(self) -> dict[str, keras.Model]:
        """Returns the generator; the vocoder is not trained with it."""
        return {"network": self.get_layer("generator")}

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the log mel (batch, frames, bands) that the vocoder would take."""
        return {"mel": self.get_layer("generator")(self.get_layer("analysis")(low))}

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the log mel (batch, frames, bands) of the reference."""
        return {"mel": self.get_layer("analysis")(high)}

    def predicted(self, low: np.ndarray, restored: np.ndarray) -> Outputs:
        """Returns the generator's log mel, on which the vocoder has no influence."""
        mel = keras.ops.convert_to_numpy(self.get_layer("analysis")(low))
        # Several patches at a time, since all layers of a minute would take gigabytes.
        return {"mel": self.get_layer("generator").predict(mel, batch_size=4, verbose=0)}
