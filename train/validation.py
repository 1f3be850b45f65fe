"""Validation: how well a model restores whole recordings of the valid split."""

import math

import keras
import numpy as np

from ..data_gen.dataset import Dataset
from ..data_gen.shards import Example
from ..evaluate import metrics
from ..upsample import Upsampler
from .losses import Loss


class Validation:
    """Recordings of the valid split, and what is measured on them.

    Args:
        dataset: every k-th recording of its valid split is used.
        seconds: the length of all the recordings together, at most; k follows from it.
        loss: the training loss.
        patch: samples of the patches that the loss is computed on.
    """

    def __init__(self, dataset: Dataset, seconds: float, loss: Loss, patch: int) -> None:
        self.loss, self.patch = loss, patch
        every = max(1, math.ceil(sum(dataset.lengths("valid")) / (seconds * dataset.sample_rate)))
        self.examples: list[Example] = [
            example
            for number, example in enumerate(dataset.examples("valid"))
            if number % every == 0
        ]

    def measure(self, upsampler: Upsampler) -> dict[str, float]:
        """Measures a model.

        Args:
            upsampler: the model; its own version of the low band is measured, too.

        Returns:
            means over the recordings: val_loss, val_snr in dB and val_lsd (the modern convention).
            val_loss alone, NaN, if the model's output is not finite.
        """
        losses, snrs, lsds = [], [], []
        for example in self.examples:
            estimate, _ = upsampler.upsample(example.low, upsampler.low_rate, keep_low_band=False)
            if not np.isfinite(estimate).all():
                return {"val_loss": math.nan}
            pad = (0, -len(estimate) % self.patch)
            cut = [
                np.pad(wave, pad).reshape(-1, self.patch, 1) for wave in (example.high, estimate)
            ]
            losses.append(float(keras.ops.mean(self.loss(*cut))))
            snrs.append(metrics.snr(example.high, estimate))
            lsds.append(metrics.lsd(example.high, estimate))
        columns = {"val_loss": losses, "val_snr": snrs, "val_lsd": lsds}
        return {name: _mean(values) for name, values in columns.items()}


def _mean(values: list[float]) -> float:
    """Returns the mean of the finite values. The SNR of a silent recording is not finite."""
    finite = np.array(values)[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan
