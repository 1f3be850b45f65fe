"""Diffusion: a network learns the velocity of noisy latent images.

Each example gets its own step, noise and samples of the posteriors. Some examples lose their
condition, so that the sampler can move away from what the network predicts without one.

Sources: Liu et al. 2023 (see `models.audiosr`); Ho and Salimans 2022 (arXiv:2207.12598) for the
lost conditions. AudioSR's code takes or leaves the condition of a whole batch.
"""

from collections.abc import Mapping

import keras
from keras import ops

from ...command import UserError
from ...models import diffusion
from ...models.audiosr import EMPTY, AudioSR
from ...models.audiosr_autoencoder import Posterior
from ...models.audiosr_vae import BANDS, FACTOR, LATENT
from ..objective import Objective
from . import regression

# The share of the examples that lose their condition (Liu et al., section 4.1).
LOST = 0.1


class Noisy(keras.layers.Layer):
    """Clean latent images to [noisy ones, their steps, their velocities], each at a random step."""

    def __init__(self, **kwargs) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.seeds = keras.random.SeedGenerator()

    def call(self, clean):
        """Draws steps and noise for (batch, t, bins, channels)."""
        batch = ops.shape(clean)[:1]
        steps = keras.random.randint(batch, 0, diffusion.STEPS, "int32", self.seeds)
        noise = keras.random.normal(ops.shape(clean), seed=self.seeds)
        noisy, velocity = diffusion.noisy_and_velocity(clean, noise, steps)
        return noisy, steps, velocity

    def compute_output_spec(self, clean):
        """Returns what `call` returns, without numbers."""
        # Keras cannot derive it: it takes a tensor times a number for sparse. One tensor for both
        # images would make a graph take the velocity for the noisy image.
        noisy, velocity = (keras.KerasTensor(clean.shape, "float32") for _ in range(2))
        return noisy, keras.KerasTensor(clean.shape[:1], "int32"), velocity


class Lose(keras.layers.Layer):
    """Replaces the conditions (batch, t, bins, channels) of some examples with a constant.

    Args:
        share: of the examples that lose theirs.
        value: the constant.
        **kwargs: arguments of a Keras layer, such as `name`.
    """

    def __init__(self, share: float, value: float, **kwargs) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.share, self.value = share, value
        self.seeds = keras.random.SeedGenerator()

    def call(self, condition):
        """Draws which examples lose theirs."""
        shape = (ops.shape(condition)[0], 1, 1, 1)
        kept = keras.random.uniform(shape, seed=self.seeds) >= self.share
        return ops.where(kept, condition, self.value)

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return input_shape


def objectives(system: AudioSR, weights: Mapping[str, float], patch: int) -> list[Objective]:
    """Returns the single objective, which trains the UNet on moments of latent images.

    Its input has the means and the logarithms of the variances of the recording's latents, then
    those of its low side, (batch, t, 32, 64), unscaled (`latents.Latents`).

    Args:
        system: the autoencoder's latents are multiplied by its `scale`.
        weights: of the losses; only "velocity" can be compared.
        patch: samples of an example.

    Raises:
        UserError: a loss compares what is not predicted.
    """
    frames = patch // system.mel.hop // FACTOR
    moments = keras.Input((frames, BANDS // FACTOR, 4 * LATENT), name="moments")
    parts = ops.split(moments, 4, axis=-1)
    clean = system.scale * Posterior(name="clean")(parts[:2])
    condition = system.scale * Posterior(name="condition")(parts[2:])
    noisy, steps, target = Noisy(name="noisy")(clean)
    condition = Lose(LOST, system.scale * EMPTY, name="lose")(condition)
    estimate = system.unet([noisy, condition, steps])
    losses = regression.losses(weights, {"velocity": target}, {"velocity": estimate})
    return [Objective([moments], losses, weights, [system.unet], "diffusion")]


def check(critics: Mapping[str, float]) -> None:
    """Raises a UserError if a recipe of diffusion has critics."""
    if critics:
        name = next(iter(critics))
        raise UserError(
            f"critics.{name}: diffusion has no critics; remove it with critics.{name}=0"
        )
