"""What every metric shares: its place in a table, the check of its waves, channels and patches."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

import numpy as np

PATCH = 8192  # samples, the patch of Kuleshov's, TFNet's and Bini's evaluation

P = ParamSpec("P")


class NotApplicableError(ValueError):
    """A metric is not defined for these waves, such as PESQ at 22.05 kHz; the message says why."""


@dataclass(frozen=True)
class Metric:
    """A metric as a table needs it."""

    function: Callable[..., float]
    label: str  # with the convention's name, short enough to head a column
    unit: str
    higher_is_better: bool
    digits: int  # worth printing after the point
    definition: str  # one plain sentence
    needs: tuple[str, ...] = ()  # keyword arguments beside the waves
    package: str = ""  # optional package that it is computed by, by its import name


def validate_wave(role: str, wave: np.ndarray) -> None:
    """Checks that a wave can be measured.

    Args:
        role: what the wave is, for the message.
        wave: of shape (n,) or (n, channels).

    Raises:
        ValueError: its shape is another, it is empty, or a value is not finite.
    """
    shape = np.shape(wave)
    if len(shape) not in (1, 2):
        raise ValueError(f"the {role} has shape {shape}; (n,) or (n, channels) is needed")
    if 0 in shape:
        raise ValueError(f"the {role} is empty: its shape is {shape}")
    if not np.isfinite(wave).all():
        raise ValueError(f"the {role} holds values that are not finite (inf or nan)")


def validate(reference: np.ndarray, estimate: np.ndarray) -> None:
    """Checks that two waves can be compared.

    Raises:
        ValueError: a wave is not of shape (n,) or (n, channels), is empty or holds a value that is
            not finite, or the shapes differ.
    """
    validate_wave("reference", reference)
    validate_wave("estimate", estimate)
    if np.shape(reference) != np.shape(estimate):
        raise ValueError(
            f"the reference has shape {np.shape(reference)}, the estimate {np.shape(estimate)}; "
            "they must be equal"
        )


def mean_over_channels(
    metric: Callable[Concatenate[np.ndarray, np.ndarray, P], float],
) -> Callable[Concatenate[np.ndarray, np.ndarray, P], float]:
    """Validates the waves and applies a metric of (n,) waves channel by channel, in float64."""

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
