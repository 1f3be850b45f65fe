"""Latent images of a dataset, encoded once and kept in memory."""

from collections.abc import Callable, Iterator

import numpy as np
from tqdm import tqdm

from ..models.audiosr import PEAK, AudioSR
from ..models.audiosr_autoencoder import MEL
from ..models.audiosr_vae import BANDS, FACTOR, LATENT
from ..models.features import log_mel

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
        self._system, self._patches = system, patches
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
        moments = next(self.batches(1))[0]
        mean, log_variance = np.split(moments[..., : 2 * LATENT], 2, axis=-1)
        return float(1 / np.sqrt(mean.var() + np.exp(log_variance).mean()))

    def encode(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Encodes both sides (batch, n, 1) at the level on which AudioSR is trained."""
        peaks = np.abs(high).max(axis=1, keepdims=True)
        gains = np.minimum(PEAK / np.maximum(peaks, 1e-8), LARGEST_GAIN)
        encoder = self._system.vae.get_layer("encoder")
        moments = []
        for side in (high, low):
            mels = log_mel((gains * side)[..., 0], MEL)
            # One at a time: the layers of a patch of 10 s take a gigabyte at the published width.
            moments += zip(
                *(encoder.predict_on_batch(mel[np.newaxis]) for mel in mels), strict=True
            )
        return np.concatenate([np.concatenate(each) for each in moments], axis=-1)

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
