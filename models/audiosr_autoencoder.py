"""The training of AudioSR's autoencoder: a recording made anew from its latent image.

`audiosr_vae` describes the network, and its source. Here it is between the mel spectrogram of
AudioSR and a vocoder, by default Griffin-Lim.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from . import audiosr_vae, build, parts, pretrained, weights
from .audiosr_vae import FACTOR
from .features import LogMel, get
from .resynthesis import lengths
from .system import NEEDS_XLA, Network, Outputs
from .vocoder import GRIFFIN_LIM, find

MEL = "audiosr"


class Posterior(keras.layers.Layer):
    """[mean, log variance] to a sample, all (batch, t, bins, channels)."""

    def __init__(self, **kwargs) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.seeds = keras.random.SeedGenerator()

    def call(self, moments):
        """Draws a sample."""
        mean, log_variance = moments
        noise = keras.random.normal(ops.shape(mean), seed=self.seeds)
        return mean + ops.exp(0.5 * log_variance) * noise

    def compute_output_shape(self, input_shape):
        """Returns the shape of the mean."""
        return input_shape[0]


class Standard(keras.layers.Layer):
    """A log mel (batch, T, 256) to the moments of the standard normal distribution: zeros.

    The shape is that of the encoder's mean and log variance in one tensor, (batch, T / 8, 32, 32).
    """

    def call(self, mel):
        """Returns the zeros."""
        return ops.zeros(self._shape(ops.shape(mel)), "float32")

    def compute_output_shape(self, input_shape):
        """Returns (batch, T / 8, 32, 32)."""
        return self._shape(input_shape)

    def _shape(self, shape):
        batch, frames, bands = shape
        frames = None if frames is None else frames // FACTOR
        return batch, frames, bands // FACTOR, 2 * audiosr_vae.LATENT


@keras.saving.register_keras_serializable("wideband")
class AudioSRVAE(Network):
    """A recording (batch, n, 1) to one from the mean of its latent image; n a multiple of 3840.

    A run has the weights of the autoencoder only.

    Args:
        width: multiplies the autoencoder's channels.
        blocks: residual blocks of each level of the encoder.
        dropout: in the residual blocks.
        patch: samples of a training example.
        vocoder: what makes the wave: "griffin_lim", the name of a shipped vocoder, or a run folder.
        iterations: of Griffin-Lim.
        name: the name of the Keras model.

    Raises:
        UserError: there is no such vocoder, the width leaves a layer without channels, or a number
            is out of range.
    """

    wants = "high"
    context = None

    def __init__(
        self,
        width: float = 1.0,
        blocks: int = 2,
        dropout: float = 0.1,
        patch: int = 491520,
        vocoder: str = GRIFFIN_LIM,
        iterations: int = 32,
        name: str = "audiosr_vae",
    ) -> None:
        own, found = get(MEL), find(vocoder, MEL, iterations)
        vae = audiosr_vae.autoencoder(width, blocks, dropout)
        vae.jit_compile = NEEDS_XLA

        # === Functional Model ===
        wave = keras.Input((None, 1), name="high")  # (batch, n, 1)
        mel = LogMel(MEL, name="analysis")(wave)  # (batch, n / 480, 256)
        super().__init__(wave, found.build()(vae(mel)), name=name)

        # === Config ===
        self.width, self.blocks, self.dropout, self.patch = width, blocks, dropout, patch
        self.vocoder, self.iterations = vocoder, iterations
        self.sample_rate = own.sample_rate
        self.multiple = np.lcm(lengths(own, 0)[0], FACTOR * own.hop).item()
        self.parts = {} if found.sha256 is None else {"vocoder": found.sha256}

    def networks(self) -> dict[str, keras.Model]:
        """Returns the autoencoder; the vocoder is not trained with it."""
        return {"network": self.get_layer("vae")}

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the log mel from a sample, and the moments from which it was drawn."""
        vae = self.get_layer("vae")
        moments = vae.get_layer("encoder")(self.get_layer("analysis")(high))
        latent = Posterior(name="posterior")(moments)
        mel = vae.get_layer("decoder")(latent)
        return {"mel": mel, "moments": ops.concatenate(moments, axis=-1)}

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the log mel of the recording, and the moments of the standard distribution."""
        mel = self.get_layer("analysis")(high)
        return {"mel": mel, "moments": Standard(name="standard")(mel)}

    def predicted(self, low: np.ndarray, restored: np.ndarray) -> Outputs:
        """Returns what is made of the means, without the vocoder."""
        vae = self.get_layer("vae")
        mels = ops.convert_to_numpy(self.get_layer("analysis")(low))
        moments, outputs = [], []
        # One patch at a time, since all layers of a minute would take gigabytes.
        for mel in mels:
            mean, log_variance = vae.get_layer("encoder").predict_on_batch(mel[np.newaxis])
            moments.append(np.concatenate([mean, log_variance], axis=-1))
            outputs.append(vae.get_layer("decoder").predict_on_batch(mean))
        return {"mel": np.concatenate(outputs), "moments": np.concatenate(moments)}


class Autoencoder(NamedTuple):
    """An autoencoder that was found: the checksum of its weights, and a function that loads it."""

    sha256: str
    load: Callable[[], keras.Model]


def load_autoencoder(run: str) -> Autoencoder:
    """Finds the autoencoder of a run of `audiosr_vae`.

    Raises:
        UserError: there is no such run, or it has no weights.
    """
    record, file = parts.find_autoencoder(run)

    def load() -> keras.Model:
        network = build(record.model, **record.arguments, vocoder=GRIFFIN_LIM)
        vae = network.networks()["network"]
        weights.load(vae, file, "train the run again")
        vae.trainable = False
        return vae

    return Autoencoder(pretrained.checksum(file), load)
