"""Latent images of a dataset, encoded once and kept in memory."""

from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras import ops
from tqdm import tqdm

from ..models.audiosr import PEAK, AudioSR
from ..models.audiosr_autoencoder import MEL
from ..models.audiosr_vae import BANDS, FACTOR, LATENT
from ..models.features import LogMel
from ..models.system import NEEDS_XLA

# Passes over the dataset that are kept: each has other random filters.
PASSES = 4
# The most bytes that are kept: PASSES passes over three hours.
MOST_BYTES = 2**31
# Peaks are raised to 0.5 only up to this gain; what is quieter is noise.
LARGEST_GAIN = 100.0

Patches = Callable[[int], Iterator[tuple[np.ndarray, np.ndarray]]]


class Latents:
    """The moments of the latent images of patches, batch by batch, each (batch, t, 32, 64).

    The first passes over the dataset are kept and shuffled again in each epoch, if they fit.
    Otherwise, each epoch is encoded anew.

    Args:
        system: with the autoencoder.
        patches: from the number of a pass, from 1 on, to its batches of low and high sides.
        count: patches of a pass.
        patch: samples of a patch.
        batch: patches of a batch.
        seed: of the shuffling.
    """

    def __init__(
        self, system: AudioSR, patches: Patches, count: int, patch: int, batch: int, seed: int
    ) -> None:
        self._encoder, self._patches = encoder(system, patch), patches
        self._count, self._batch, self._seed = count, batch, seed
        frames = patch // system.mel.hop // FACTOR
        self._shape = frames, BANDS // FACTOR, 4 * LATENT
        # 16 bits.
        self.fits = 2 * PASSES * count * int(np.prod(self._shape)) <= MOST_BYTES
        self._kept: list[np.ndarray] = []

    def batches(self, epoch: int) -> Iterator[list[np.ndarray]]:
        """Yields the batches of an epoch, and goes on with the next pass at its end."""
        if not self.fits:
            number = epoch
            while True:
                for low, high in self._patches(number):
                    yield [self.encode(low, high)]
                number += 2**20  # other draws than those of any epoch
        kept = self._keep()
        rng = np.random.default_rng([self._seed, epoch])
        size = min(self._batch, len(kept))
        while True:
            order = rng.permutation(len(kept))
            for start in range(0, len(kept) - size + 1, size):
                chosen = order[start : start + size]
                yield [np.stack([kept[k] for k in chosen]).astype(np.float32)]

    def scale(self) -> float:
        """Measures 1 / the standard deviation of the latents of recordings, on the first ones."""
        return scale(next(self.batches(1))[0])

    def encode(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Encodes both sides, (batch, patch, 1) each."""
        # One at a time: the layers of a patch of 10 s take a gigabyte at the published width.
        pairs = ((each[np.newaxis] for each in pair) for pair in zip(low, high, strict=True))
        return np.concatenate([self._encoder.predict_on_batch([*pair]) for pair in pairs])

    def _keep(self) -> list[np.ndarray]:
        """Encodes the first passes, once; returns the moments of each patch."""
        if self._kept:
            return self._kept
        with tqdm(total=PASSES * self._count, unit="patch", desc="latents") as bar:
            for number in range(1, PASSES + 1):
                for low, high in self._patches(number):
                    self._kept.extend(self.encode(low, high).astype(np.float16))
                    bar.update(len(low))
        return self._kept


def encoder(system: AudioSR, patch: int) -> keras.Model:
    """Returns what encodes low and high sides at the level on which AudioSR is trained.

    It takes both, (batch, patch, 1) each, and returns the mean and the logarithm of the variance of
    the high side, then those of the low side, (batch, t, 32, 64).
    """
    low, high = (keras.Input((patch, 1), name=name) for name in ("low", "high"))
    peaks = ops.max(ops.abs(high), axis=1, keepdims=True)
    gains = ops.minimum(PEAK / ops.maximum(peaks, 1e-8), LARGEST_GAIN)
    analysis, moments = LogMel(MEL, name="analysis"), system.vae.get_layer("encoder")
    parts = [each for side in (high, low) for each in moments(analysis(gains * side))]
    network = keras.Model([low, high], ops.concatenate(parts, axis=-1), name="both_sides")
    network.jit_compile = NEEDS_XLA
    return network


def scale(moments: np.ndarray) -> float:
    """Returns 1 / the standard deviation of the high sides' latents, of moments (..., 64)."""
    mean, log_variance = np.split(moments[..., : 2 * LATENT], 2, axis=-1)
    return float(1 / np.sqrt(mean.var() + np.exp(log_variance).mean()))
