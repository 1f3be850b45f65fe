"""Code that all metrics share: their table row, checks of waves, channels and patches."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

import numpy as np

from ...command import UserError

PATCH = 8192  # samples; the patch of Kuleshov's, TFNet's and Bini's evaluation

P = ParamSpec("P")


class NotApplicableError(UserError):
    """The metric is not defined for these waves, such as PESQ at 22.05 kHz."""


@dataclass(frozen=True)
class Metric:
    """A row of the table of metrics, for commands, tables and reports."""

    function: Callable[..., float]
    label: str  # with the name of the convention, short enough for a column heading
    unit: str
    higher_is_better: bool | None  # None if 0 is best
    digits: int  # decimals worth printing
    definition: str  # one plain sentence
    needs: tuple[str, ...] = ()  # keyword arguments besides the waves
    packages: tuple[str, ...] = ()  # import names of the optional packages that compute it
    needs_reference: bool = True  # False if the metric judges the estimate alone

    @property
    def direction(self) -> str:
        """Which values are better, for headings."""
        if self.higher_is_better is None:
            return "0 is best"
        return f"{'higher' if self.higher_is_better else 'lower'} is better"

    def best(self, values: Iterable[float]) -> float | None:
        """Returns the best of several values; None if there are none."""
        if self.higher_is_better is None:
            return min(values, key=abs, default=None)
        return (max if self.higher_is_better else min)(values, default=None)


def validate_wave(role: str, wave: np.ndarray) -> None:
    """Checks that a wave can be measured.

    Args:
        role: what the message calls the wave.
        wave: shape (n,) or (n, channels).

    Raises:
        UserError: it has another shape, is empty, or has a value that is not finite.
    """
    shape = np.shape(wave)
    if len(shape) not in (1, 2):
        raise UserError(f"the {role} has shape {shape}; (n,) or (n, channels) is needed")
    if 0 in shape:
        raise UserError(f"the {role} is empty: its shape is {shape}")
    if not np.isfinite(wave).all():
        raise UserError(f"the {role} holds values that are not finite (inf or nan)")


def validate(reference: np.ndarray, estimate: np.ndarray) -> None:
    """Checks that two waves can be compared.

    Raises:
        UserError: a wave does not have the shape (n,) or (n, channels), is empty or has a value
            that is not finite, or the shapes differ.
    """
    validate_wave("reference", reference)
    validate_wave("estimate", estimate)
    if np.shape(reference) != np.shape(estimate):
        raise UserError(
            f"the reference has shape {np.shape(reference)}, the estimate {np.shape(estimate)}; "
            "they must be equal"
        )


def mean_over_channels(
    metric: Callable[Concatenate[np.ndarray, np.ndarray, P], float],
) -> Callable[Concatenate[np.ndarray, np.ndarray, P], float]:
    """Validates the waves and averages a metric of (n,) waves over the channels, in float64."""

    @functools.wraps(metric)
    def over_channels(
        reference: np.ndarray, estimate: np.ndarray, *args: P.args, **kwargs: P.kwargs
    ) -> float:
        validate(reference, estimate)
        channels = [
            np.ascontiguousarray(np.asarray(wave, np.float64).reshape(len(wave), -1).T)
            for wave in (reference, estimate)
        ]
        values = [metric(y, p, *args, **kwargs) for y, p in zip(*channels, strict=True)]
        return float(sum(values) / len(values))

    return over_channels


def patches(wave: np.ndarray, patch: int) -> np.ndarray:
    """Cuts (n,) into whole patches (n // patch, patch); a shorter wave is one patch."""
    count = len(wave) // patch
    return wave[: count * patch].reshape(count, patch) if count else wave[np.newaxis]
