"""Measures a folder of estimates against a folder of references, file by file."""

import math
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from .. import audio
from ..audio import alignment
from ..command import UserError
from . import metrics
from .metrics.base import validate_wave

_WORKERS = 4  # each holds one pair of recordings in memory


class Pair(NamedTuple):
    """A reference and the estimate of the same name."""

    name: str  # path within the folder, without suffix
    reference: Path
    estimate: Path


def pair(references: Path, estimates: Path) -> list[Pair]:
    """Matches the recordings of two folders by their path within the folder, without suffix.

    Raises:
        UserError: a folder is missing or has no recordings, two recordings have one name, or a
            recording has no counterpart.
    """
    left, right = find_recordings(references), find_recordings(estimates)
    for names, folder in ((left.keys() - right, estimates), (right.keys() - left, references)):
        if names:
            raise UserError(
                f"{folder}: {len(names)} recordings have no counterpart here: {shortlist(names)}; "
                "add them, or remove their counterparts"
            )
    return [Pair(name, left[name], right[name]) for name in sorted(left)]


def shortlist(names: Collection[str]) -> str:
    """Returns the first five names, for a message."""
    return ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")


def find_recordings(folder: Path) -> dict[str, Path]:
    """Finds the recordings of a folder by their path within it, without suffix.

    Raises:
        UserError: the folder is missing or has no recordings, or two recordings have one name.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    found: dict[str, Path] = {}
    for path in audio.search(folder).recordings:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise UserError(f"{path}: {found[name].name} has the same name; remove one of them")
        found[name] = path
    if not found:
        raise UserError(f"{folder}: no recordings here; readable are {', '.join(audio.SUFFIXES)}")
    return found


class Measured(NamedTuple):
    """The metrics of one pair."""

    name: str
    sample_rate: int  # in Hz
    seconds: float
    values: dict[str, float]  # metric -> value, nan if it is not defined for this pair
    not_applicable: dict[str, str]  # metric -> why it is not defined for this pair
    delay_samples: int | None  # the delay that was undone; None without alignment

    def row(self) -> dict[str, Any]:
        """Returns a row for a CSV file."""
        row = {"name": self.name, "sample_rate": self.sample_rate, "seconds": self.seconds}
        delay = {} if self.delay_samples is None else {"delay_samples": self.delay_samples}
        return {**row, **delay, **self.values}


def measure(
    pair: Pair, names: Sequence[str], cutoff_hz: float | None = None, align: bool = False
) -> Measured:
    """Measures one pair.

    Args:
        pair: the recordings.
        names: keys of `metrics.METRICS`.
        cutoff_hz: highest frequency of the input, for the metrics that need it.
        align: undoes a delay of the estimate and cuts both waves to their common length, instead
            of refusing the pair.

    Raises:
        UserError: a recording cannot be read; rates or channels differ; or, without alignment,
            lengths differ or the estimate is delayed.
    """
    reference, sample_rate = audio.read(pair.reference)
    estimate, estimate_rate = audio.read(pair.estimate)
    if sample_rate != estimate_rate:
        raise UserError(
            f"{pair.name}: the estimate has {estimate_rate} Hz, the reference {sample_rate} Hz; "
            "resample one of them"
        )
    try:
        delay = _check_delay(reference, estimate, sample_rate, align)
        if align:
            reference, estimate = alignment.align(reference, estimate, delay)
        values, not_applicable = {}, {}
        for name in names:
            try:
                values[name] = metrics.measure(name, reference, estimate, sample_rate, cutoff_hz)
            except metrics.NotApplicableError as error:
                values[name], not_applicable[name] = math.nan, str(error)
    except UserError as error:
        raise UserError(f"{pair.name}: {error}") from error
    seconds = round(len(reference) / sample_rate, 3)
    undone = delay if align else None
    return Measured(pair.name, sample_rate, seconds, values, not_applicable, undone)


def _check_delay(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, align: bool) -> int:
    """Checks two waves (n, channels) and returns the estimate's delay, 0 without alignment."""
    difference = len(estimate) - len(reference)
    if difference and not align:
        raise UserError(
            f"the estimate is {abs(difference)} samples "
            f"{'longer' if difference > 0 else 'shorter'} than the reference "
            f"({len(estimate)} against {len(reference)}); fix it, or measure the common part with "
            "--align"
        )
    validate_wave("reference", reference)
    validate_wave("estimate", estimate)
    if reference.shape[1] != estimate.shape[1]:
        # Raises the same error as the metrics.
        metrics.validate(reference, estimate)
    delay = alignment.delay(reference, estimate, sample_rate)
    if delay and not align:
        raise UserError(
            f"the estimate comes {abs(delay)} samples {'late' if delay > 0 else 'early'}; fix it, "
            "or measure with --align, which undoes the delay"
        )
    return delay


def measure_all(
    pairs: Sequence[Pair],
    names: Sequence[str],
    cutoff_hz: float | None = None,
    align: bool = False,
) -> Iterator[Measured]:
    """Measures pairs as `measure` does, several at a time, and yields the results in order."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        measured = pool.map(lambda each: measure(each, names, cutoff_hz, align), pairs)
        # The bar is shown on terminals only.
        yield from tqdm(measured, total=len(pairs), unit="file", disable=None)
