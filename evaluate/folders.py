"""Measures a folder of estimates against a folder of references, file by file."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from .. import audio
from ..audio import alignment
from ..command import UserError
from . import metrics
from .left_out import check
from .metrics.base import validate_wave

_WORKERS = 4  # each holds one pair of recordings in memory


class Pair(NamedTuple):
    """A reference and the estimate of the same name."""

    name: str  # path within the folder, without suffix
    reference: Path
    estimate: Path


class Pairs(NamedTuple):
    """The pairs of two folders."""

    pairs: list[Pair]  # sorted by name
    left_out: dict[str, str]  # name -> reason


def pair(references: Path, estimates: Path) -> Pairs:
    """Matches the recordings of two folders by their path within the folder, without suffix.

    Returns:
        the pairs, and the recordings without a pair.

    Raises:
        UserError: a folder is missing or has no recordings, or there are no pairs.
    """
    left, right = find_recordings(references), find_recordings(estimates)
    both = left.by_name.keys() & right.by_name
    if not both and left.by_name and right.by_name:
        raise UserError(
            f"{references} and {estimates}: no recording has the same name in both folders "
            f"({min(left.by_name)} and {min(right.by_name)}); name estimates as their references"
        )
    left_out = left.left_out | right.left_out
    for here, there, folder in ((left, right, estimates), (right, left, references)):
        for name in here.by_name.keys() - there.by_name:
            left_out.setdefault(name, f"has no counterpart in {folder}; add it")
    pairs = [Pair(name, left.by_name[name], right.by_name[name]) for name in sorted(both)]
    check(pairs, left_out)
    return Pairs(pairs, dict(sorted(left_out.items())))


class Recordings(NamedTuple):
    """The recordings of a folder."""

    by_name: dict[str, Path]  # path within the folder, without suffix -> file
    left_out: dict[str, str]  # name -> reason


def find_recordings(folder: Path) -> Recordings:
    """Finds the recordings of a folder by their path within it, without suffix.

    Raises:
        UserError: the folder is missing or has nothing that looks like a recording.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    found = audio.search(folder)
    if not found.recordings and not found.left_out:
        raise UserError(f"{folder}: no recordings here; readable are {', '.join(audio.SUFFIXES)}")
    by_name: dict[str, Path] = {}
    left_out: dict[str, str] = {}
    for path in found.recordings:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if first := by_name.get(name):
            left_out[name] = f"{path}: {first.name} has the same name; remove one of them"
        else:
            by_name[name] = path
    for name in left_out:
        del by_name[name]
    for path, reason in found.left_out.items():
        name = path.relative_to(folder).with_suffix("").as_posix()
        # A file that is there in a format that can be read, too, is not missing.
        if name not in by_name:
            left_out.setdefault(name, f"{path}: {reason}")
    return Recordings(by_name, left_out)


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
            f"the estimate has {estimate_rate} Hz, the reference {sample_rate} Hz; "
            "resample one of them"
        )
    delay = _check_delay(reference, estimate, sample_rate, align)
    if align:
        reference, estimate = alignment.align(reference, estimate, delay)
    values, not_applicable = {}, {}
    for name in names:
        try:
            values[name] = metrics.measure(name, reference, estimate, sample_rate, cutoff_hz)
        except metrics.NotApplicableError as error:
            values[name], not_applicable[name] = math.nan, str(error)
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


class Outcome(NamedTuple):
    """The metrics of the systems on the same files."""

    measured: dict[str, list[Measured]]  # system -> one entry per file, in one order
    left_out: dict[str, str]  # name of a file -> why it is left out for all systems


def measure_folders(
    references: Path,
    systems: Mapping[str, Path],
    names: Sequence[str],
    cutoff_hz: float | None = None,
    align: bool = False,
) -> Outcome:
    """Measures the estimates of systems on the same references, several pairs at a time.

    Args:
        references: the folder of references.
        systems: system -> folder of its estimates.
        names: as in `measure`.
        cutoff_hz: as in `measure`.
        align: as in `measure`.

    Raises:
        UserError: as in `pair`, or nothing can be measured.
    """
    found = {system: pair(references, folder) for system, folder in systems.items()}
    pairs = {system: {each.name: each for each in found[system].pairs} for system in systems}
    left_out: dict[str, str] = {}
    for each in found.values():
        left_out = each.left_out | left_out
    files = sorted(set.intersection(*map(set, pairs.values())))
    # All systems of one file in a row, while the operating system still caches the reference.
    jobs = [pairs[system][name] for name in files for system in systems]
    with ThreadPoolExecutor(_WORKERS) as pool:
        attempts = pool.map(lambda each: _attempt(each, names, cutoff_hz, align), jobs)
        # The bar is shown on terminals only.
        results = iter([*tqdm(attempts, total=len(jobs), unit="file", disable=None)])
    measured: dict[str, list[Measured]] = {system: [] for system in systems}
    for name in files:
        row = {system: next(results) for system in systems}
        errors = {system: each for system, each in row.items() if isinstance(each, UserError)}
        for system, error in errors.items():
            left_out.setdefault(name, f"{system}: {error}" if len(systems) > 1 else str(error))
        for system, each in row.items():
            if not errors and isinstance(each, Measured):
                measured[system].append(each)
    check(measured[next(iter(systems))], left_out)
    return Outcome(measured, dict(sorted(left_out.items())))


def _attempt(
    pair: Pair, names: Sequence[str], cutoff_hz: float | None, align: bool
) -> Measured | UserError:
    try:
        return measure(pair, names, cutoff_hz, align)
    except UserError as error:
        return error
