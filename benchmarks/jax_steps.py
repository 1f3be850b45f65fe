"""Training steps on JAX, many in one call, on data that is on the accelerator."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax import numpy as jnp
from keras.src.backend.jax import nn
from wideband.train import optimizers
from wideband.train.distribution import mesh

if TYPE_CHECKING:
    from wideband.train.objective import Objective
    from wideband.train.recipe import Recipe

# The most versions of the corpus on the accelerator. A gather takes 32-bit positions, which all
# versions together do not exceed.
VERSIONS = 3


class Trainer:
    """Takes training steps on random patches of versions of a corpus.

    Args:
        recipe: its batch, patch, gain, optimizer and seed.
        objectives: not compiled yet; each takes a step on every batch, in this order.
        count: steps of a call.
        every: of the samples of a low side, the network gets one in so many.
        prepare: from a batch of low and high sides to the inputs of the objectives.
    """

    def __init__(
        self,
        recipe: "Recipe",
        objectives: "Sequence[Objective]",
        count: int,
        every: int = 1,
        prepare: Callable[[list[jax.Array]], list[jax.Array]] = list,
    ) -> None:
        self.taken, self._count, self._recipe, self._every = 0, count, recipe, every
        self.objectives, self._prepare = objectives, prepare
        settings = replace(recipe.optimizer, schedule="constant")
        for objective in objectives:
            objective.compile(optimizers.build(settings, 1, 1, objective.groups))
            objective.optimizer.build(objective.trainable_variables)
        # The state of a step, and which of it belongs to each objective.
        parts = [mesh.state_parts(objective) for objective in objectives]
        self._variables = list(
            {id(each): each for part in parts for kind in part for each in kind}.values()
        )
        places = {id(each): k for k, each in enumerate(self._variables)}
        self._places = [[[places[id(each)] for each in kind] for kind in part] for part in parts]
        self._rates = [
            (places[id(each.optimizer._learning_rate)], each.rate) for each in objectives
        ]
        self._state = [each.value for each in self._variables]
        self._key = jax.random.key(recipe.seed)
        self._sides, self._starts, self._next = None, None, 0
        self._run = jax.jit(self._steps, donate_argnums=0)
        self._replace = jax.jit(_replace, donate_argnums=0)

    def add(self, sides: np.ndarray, starts: np.ndarray) -> None:
        """Puts a version of the corpus on the accelerator, in place of the oldest one.

        Args:
            sides: low and high, float32 of shape (2, samples).
            starts: where patches may start.
        """
        if self._sides is None:
            self._length, count = len(starts), min(VERSIONS, (2**31 - 1) // sides.size)
            self._sides = jnp.broadcast_to(sides, (count, *sides.shape))
            self._starts = jnp.broadcast_to(np.asarray(starts, np.int32), (count, len(starts)))
        starts = np.resize(starts, self._length).astype(np.int32)
        self._sides = self._replace(self._sides, jnp.asarray(sides), self._next)
        self._starts = self._replace(self._starts, jnp.asarray(starts), self._next)
        self._next = (self._next + 1) % len(self._sides)

    def run(self, learning_rate: float) -> None:
        """Takes the steps of one call."""
        self._key, key = jax.random.split(self._key)
        rate = jnp.float32(learning_rate)
        self._state = self._run(self._state, key, rate, self._sides, self._starts)
        self._state[0].block_until_ready()
        self.taken += self._count

    def losses(self) -> dict[str, float]:
        """Returns the means of the losses since the last call, and writes all variables."""
        for variable, value in zip(self._variables, self._state, strict=True):
            variable.assign(value)
        losses = {}
        for objective in self.objectives:
            for metric in objective.metrics:
                losses[f"{objective.name}_{metric.name}"] = float(metric.result())
            objective.start_epoch()
        self._state = [each.value for each in self._variables]
        return losses

    def _steps(self, state, key, rate, sides, starts):
        state = list(state)
        for place, factor in self._rates:
            state[place] = factor * rate

        def step(state, key):
            batch = self._prepare(self._draw(key, sides, starts))
            for objective, places in zip(self.objectives, self._places, strict=True):
                own = tuple([state[place] for place in kind] for kind in places)
                _, changed = objective.train_step(own, (batch,))
                for kind, values in zip(places, changed, strict=True):
                    for place, value in zip(kind, values, strict=True):
                        state[place] = value
            return state, None

        return jax.lax.scan(step, state, jax.random.split(key, self._count))[0]

    def _draw(self, key, sides, starts):
        """Returns a batch, low sides (batch, patch / every, 1) and high sides (batch, patch, 1)."""
        batch, patch = self._recipe.batch, self._recipe.patch
        gain_db, peak_db = self._recipe.augmentation.gain_db, self._recipe.augmentation.peak_db
        keys = jax.random.split(key, 3)
        versions = jax.random.randint(keys[0], (batch,), 0, len(sides))
        numbers = jax.random.randint(keys[1], (batch,), 0, starts.shape[1])

        def cut(version, number):
            place = version, 0, starts[version, number]
            return jax.lax.dynamic_slice(sides, place, (1, 2, patch))[0]

        gains = jax.random.uniform(keys[2], (batch, 1, 1), minval=-gain_db, maxval=gain_db)
        patches = jax.vmap(cut)(versions, numbers)
        if peak_db is not None:
            peaks = jnp.abs(patches).max(axis=-1, keepdims=True)
            patches *= jnp.where(peaks > 0, 10 ** (peak_db / 20) / peaks, 1.0)
        patches *= 10.0 ** (gains / 20)
        return [patches[:, 0, :: self._every, None], patches[:, 1, :, None]]


def _replace(array, value, place):
    return array.at[place].set(value)


def prepare() -> None:
    """Sets how JAX computes: products of float32 in full precision, depthwise convolutions by hand.

    With fewer bits, the products of the inverse Fourier transforms would add noise to the wave.
    """
    jax.config.update("jax_default_matmul_precision", "highest")
    _convolve = nn.depthwise_conv

    def depthwise_conv(
        inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1
    ):
        """Adds up shifted inputs, which is faster than the library for convolutions."""
        dilation, stride = (
            each if isinstance(each, int) else each[0] for each in (dilation_rate, strides)
        )
        if kernel.ndim != 3 or kernel.shape[-1] != 1 or stride != 1:
            return _convolve(inputs, kernel, strides, padding, data_format, dilation_rate)
        reach = dilation * (kernel.shape[0] - 1)
        if padding == "same":
            inputs = jnp.pad(inputs, ((0, 0), (reach // 2, reach - reach // 2), (0, 0)))
        n = inputs.shape[1] - reach
        return sum(
            inputs[:, k * dilation : k * dilation + n] * kernel[k, :, 0]
            for k in range(kernel.shape[0])
        )

    nn.depthwise_conv = depthwise_conv
