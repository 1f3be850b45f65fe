"""Validation: how well a model restores whole recordings of the valid split."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ..audio import interpolate
from ..data_gen.dataset import Dataset
from ..data_gen.shards import Example
from ..evaluate import metrics
from ..models.system import Outputs, System
from ..upsample import Upsampler
from ..upsample.windows import NotFiniteError


class Validation:
    """Measures models on recordings of the valid split.

    Args:
        dataset: every k-th recording of its valid split is used.
        seconds: limits the total length of the recordings; k is chosen accordingly.
        system: the system in training. A vocoder takes the high sides.
        loss: the training loss of a system's outputs, (target, estimate) -> (batch,).
        patch: samples of a patch; the loss is computed patch by patch.
        select: a metric to measure besides SNR and LSD, or "loss".
        limit: makes random recordings of limited band, at the high rate, in place of the low sides
            of the dataset (`Augmentation.limit`); always the same ones. None for those of the
            dataset.
    """

    def __init__(
        self,
        dataset: Dataset,
        seconds: float,
        system: System,
        loss: Callable[[Outputs, Outputs], Any],
        patch: int,
        select: str = "loss",
        limit: Callable[[np.ndarray, int, np.random.Generator], np.ndarray] | None = None,
    ) -> None:
        self.system, self.loss, self.patch = system, loss, patch
        self.rates = dataset.sample_rate, dataset.low_rate / 2
        self.metrics = ["snr", "lsd", *({select} - {"loss", "snr", "lsd"})]
        metrics.require(self.metrics)
        every = max(1, math.ceil(sum(dataset.lengths("valid")) / (seconds * dataset.sample_rate)))
        self.examples: list[Example] = [
            example
            for number, example in enumerate(dataset.examples("valid"))
            if number % every == 0
        ]
        self.lows = [example.low for example in self.examples]
        self.low_rate = dataset.low_rate
        if limit or system.wants == "high":
            self.low_rate = dataset.sample_rate
            self.lows = [example.high for example in self.examples]
        if limit:
            self.lows = [
                limit(high, dataset.sample_rate, np.random.default_rng(number))
                for number, high in enumerate(self.lows)
            ]

    def measure(
        self,
        upsampler: Upsampler,
        predicted: Callable[[np.ndarray, np.ndarray], Outputs] | None = None,
    ) -> dict[str, float]:
        """Measures a model.

        Args:
            upsampler: the model. The low band that it returns is measured, too.
            predicted: `System.predicted` of the system that it applies; by default, the loss
                compares what the system's `target` makes of the restored waves.

        Returns:
            means over the recordings: val_loss, val_snr in dB, val_lsd (the modern convention) and
            the metric that selects. If the model's output is not finite: val_loss alone, which is
            NaN.
        """
        losses, values = [], []
        for example, low in zip(self.examples, self.lows, strict=True):
            try:
                estimate, _ = upsampler.upsample(low, self.low_rate, keep_low_band=False)
            except NotFiniteError:
                return {"val_loss": math.nan}
            estimate = self.system.completed(estimate, example.high)
            high, restored = self._cut(example.high), self._cut(estimate)
            if predicted:
                outputs = predicted(self._input(low, upsampler), restored)
            else:
                outputs = self.system.target(restored)
            losses.append(float(keras.ops.mean(self.loss(self.system.target(high), outputs))))
            values.append(metrics.evaluate(example.high, estimate, *self.rates, self.metrics))
        means = {f"val_{name}": _mean([each[name] for each in values]) for name in self.metrics}
        return {"val_loss": _mean(losses), **means}

    def _input(self, low: np.ndarray, upsampler: Upsampler) -> np.ndarray:
        """Returns what a model's network takes of a low side, in patches."""
        network = upsampler.network
        if network.wants == "interpolated" and upsampler.ratio != 1:
            low = interpolate.get(upsampler.interpolation)(low, upsampler.ratio)
        return self._cut(low, self.patch // network.factor)

    def _cut(self, wave: np.ndarray, patch: int | None = None) -> np.ndarray:
        """Cuts a wave into patches (count, patch, 1), the last one with zeros at its end."""
        patch = patch or self.patch
        return np.pad(wave, (0, -len(wave) % patch)).reshape(-1, patch, 1)


def _mean(values: list[float]) -> float:
    """Returns the mean of the finite values; the SNR of a silent recording is not finite."""
    finite = np.array(values)[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan
