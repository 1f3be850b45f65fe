"""Validation: how well a model restores whole recordings of the valid split."""

import math

import keras
import numpy as np

from ..data_gen.dataset import Dataset
from ..data_gen.shards import Example
from ..evaluate import metrics
from ..upsample import Upsampler
from ..upsample.windows import NotFiniteError
from .losses import Loss


class Validation:
    """Measures models on recordings of the valid split.

    Args:
        dataset: every k-th recording of its valid split is used.
        seconds: limits the total length of the recordings; k is chosen accordingly.
        loss: the training loss.
        patch: samples of a patch; the loss is computed patch by patch.
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
            upsampler: the model. The low band that it returns is measured, too.

        Returns:
            means over the recordings: val_loss, val_snr in dB and val_lsd (the modern convention).
            If the model's output is not finite: val_loss alone, which is NaN.
        """
        losses, snrs, lsds = [], [], []
        for example in self.examples:
            try:
                estimate, _ = upsampler.upsample(
                    example.low, upsampler.low_rate, keep_low_band=False
                )
            except NotFiniteError:
                return {"val_loss": math.nan}
            pad = (0, -len(estimate) % self.patch)
            patches = [
                np.pad(wave, pad).reshape(-1, self.patch, 1) for wave in (example.high, estimate)
            ]
            losses.append(float(keras.ops.mean(self.loss(*patches))))
            snrs.append(metrics.snr(example.high, estimate))
            lsds.append(metrics.lsd(example.high, estimate))
        columns = {"val_loss": losses, "val_snr": snrs, "val_lsd": lsds}
        return {name: _mean(values) for name, values in columns.items()}


def _mean(values: list[float]) -> float:
    """Returns the mean of the finite values; the SNR of a silent recording is not finite."""
    finite = np.array(values)[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan
