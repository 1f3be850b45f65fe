"""The training of AudioSR's UNet: on latent images, validated by the error of its velocities."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.record import Record
from .experiment import Experiment

if TYPE_CHECKING:
    from ..models.audiosr import AudioSR
    from .latents import Latents
    from .training import Training

# The steps at which velocities are compared.
STEPS = (125, 375, 625, 875)


class LatentExperiment(Experiment):
    """An experiment whose network takes latent images of an autoencoder that was trained before.

    Restoring recordings for validation would take longer than the training.
    """

    validation = ("val_loss",)

    def build(self) -> "Training":
        """Builds the system and its objective, and encodes the data.

        Raises:
            UserError: the network does not accept its arguments, the patch or the initial weights.
        """
        import keras

        from ..models.audiosr import SCALE, AudioSR
        from .latents import Latents
        from .training import Training

        recipe = self.recipe
        keras.utils.set_random_seed(recipe.seed)
        arguments = recipe.network_arguments()
        system = self._network(arguments)
        assert isinstance(system, AudioSR)
        count, processes = self._patches_per_epoch(), self.distribution.processes
        latents = Latents(
            system,
            self._pass,
            -(-count // processes),
            recipe.patch,
            recipe.batch // processes,
            recipe.seed,
        )
        if self.initial_weights:
            # The latents that its UNet was trained with had this scale.
            found = Record.read(self.initial_weights.parent).arguments.get("scale", SCALE)
            system.scale = arguments["scale"] = recipe.arguments.get("scale", found)
        elif "scale" not in arguments:
            scale = self.distribution.agree(latents.scale())
            system.scale = arguments["scale"] = scale
        steps = recipe.steps_per_epoch or -(-count // recipe.batch)
        examples = list(self._examples(latents))
        return Training(
            recipe=replace(recipe, arguments=arguments).to_json(),
            networks=system.networks(),
            objectives=self._objectives(system, steps),
            steps=steps,
            batches=latents.batches,
            validate=lambda: {"val_loss": _velocity_error(system, examples)},
        )

    def _pass(self, number: int) -> Iterator[Any]:
        """Yields the batches (low, high) of one pass over the dataset."""
        return self._arrays(self._patches(number, "interpolated", self._share))

    def _examples(self, latents: "Latents") -> Iterator[np.ndarray]:
        """Yields the moments of the first patch of recordings of the valid split."""
        dataset, patch = self.dataset, self.recipe.patch
        most = max(1, round(self.recipe.validation_seconds * dataset.sample_rate / patch))
        every = -(-len(dataset.lengths("valid")) // most)
        for number, example in enumerate(dataset.examples("valid")):
            if number % every:
                continue
            rng = np.random.default_rng(number)
            low = self.recipe.augmentation.limit(example.high, dataset.sample_rate, rng)
            both = (
                np.pad(side[:patch], (0, max(0, patch - len(side))))[np.newaxis, :, np.newaxis]
                for side in (low, example.high)
            )
            yield latents.encode(*both)


def _velocity_error(system: "AudioSR", examples: list[np.ndarray]) -> float:
    """Returns the mean square error of velocities, with the same noise in each epoch.

    Args:
        system: its UNet predicts them.
        examples: moments (1, t, 32, 64) of latent images.
    """
    from keras import ops

    from ..models.diffusion import noisy_and_velocity

    steps, errors = np.array(STEPS, np.int32), []
    for number, moments in enumerate(examples):
        rng = np.random.default_rng(number)
        mean, log_variance, low_mean, low_log = np.split(moments, 4, axis=-1)
        clean, condition = (
            system.scale * (each + np.exp(0.5 * log) * rng.normal(0, 1, each.shape))
            for each, log in ((mean, log_variance), (low_mean, low_log))
        )
        shape = (len(steps), *clean.shape[1:])
        clean, condition = (
            np.broadcast_to(each, shape).astype(np.float32) for each in (clean, condition)
        )
        noise = rng.normal(0, 1, shape).astype(np.float32)
        noisy, velocity = map(ops.convert_to_numpy, noisy_and_velocity(clean, noise, steps))
        found = system.unet.predict_on_batch([noisy, condition, steps])
        errors.append(np.mean((found - velocity) ** 2))
    return float(np.mean(errors))
