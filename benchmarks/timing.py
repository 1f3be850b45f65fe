"""Seconds of actions, durations in flags, and how medians and spreads are printed."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from wideband.command import UserError

T = TypeVar("T")

REPEATS = 5


def parse_durations(
    flag: str, texts: Sequence[str], shortest: float, longest: float
) -> list[float]:
    """Parses the durations of a flag, above 0 and from `shortest` to `longest`.

    Raises:
        UserError: there are none, or one of them is no such number.
    """
    try:
        durations = [float(text) for text in texts]
    except ValueError:
        durations = []
    if not durations or not all(each > 0 and shortest <= each <= longest for each in durations):
        raise UserError(
            f"--{flag}={','.join(texts)}: must be numbers from {shortest:g} to {longest:g}, with "
            "commas"
        )
    return durations


def seconds(action: Callable[[], object]) -> float:
    """Measures the wall time of an action."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def median_seconds(action: Callable[[], object]) -> float:
    """Runs an action several times, after a warm-up; returns the median of its seconds."""
    action()
    return statistics.median(seconds(action) for _ in range(REPEATS))


def take_turns(
    measurements: Mapping[str, Callable[[], T]],
    repeats: int,
    progress: Callable[[], Any] = lambda: None,
) -> dict[str, list[T]]:
    """Repeats several measurements in turn, so that another load on the machine meets all of them.

    Args:
        measurements: name -> what measures once.
        repeats: how often each is repeated.
        progress: called after every measurement.

    Returns:
        name -> what was measured, in order.
    """
    measured: dict[str, list[T]] = {name: [] for name in measurements}
    for _ in range(repeats):
        for name, measure in measurements.items():
            measured[name].append(measure())
            progress()
    return measured


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Divides what was measured in the same turns."""
    return [one / other for one, other in zip(numerators, denominators, strict=True)]


def number(value: float) -> str:
    """Formats a number with three digits, or all digits before the point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """Formats repeated measurements: their median, and the lowest and the highest in brackets."""
    middle, lowest, highest = map(number, (statistics.median(values), min(values), max(values)))
    return f"{middle} [{lowest}, {highest}]"
