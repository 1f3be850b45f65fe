"""Compares a folder of estimates with a folder of references, file by file."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from .. import audio
from ..audio import alignment
from ..command import UserError
from . import metrics, summary
from .metrics.base import validate_wave

_WORKERS = 4  # each holds one pair of recordings in memory


class Pair(NamedTuple):
    """A reference and the estimate of the same name."""

    name: str  # path within the folder, without suffix
    reference: Path
    estimate: Path


def pair(references: Path, estimates: Path) -> list[Pair]:
    """Matches the recordings of two folders by their path within, without suffix.

    Raises:
        UserError: a folder is missing or holds no recordings, one name stands for two recordings,
            or a recording has no counterpart.
    """
    left, right = recordings(references), recordings(estimates)
    for names, folder in ((left.keys() - right, estimates), (right.keys() - left, references)):
        if names:
            raise UserError(
                f"{folder}: {len(names)} recordings have no counterpart here: {some(names)}"
            )
    return [Pair(name, left[name], right[name]) for name in sorted(left)]


def some(names: Collection[str]) -> str:
    """Lists names for a message, the first five."""
    return ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")


def recordings(folder: Path) -> dict[str, Path]:
    """Finds the recordings of a folder by their path within, without suffix.

    Raises:
        UserError: the folder is missing or holds none, or one name stands for two recordings.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    found: dict[str, Path] = {}
    for path in audio.find(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise UserError(f"{path}: {found[name].name} has the same name; remove one of them")
        found[name] = path
    if not found:
        raise UserError(f"{folder}: no recordings here; readable are {', '.join(audio.SUFFIXES)}")
    return found


class Measured(NamedTuple):
    """What one pair gave."""

    row: dict[str, Any]  # name, sample_rate (Hz), seconds, then name of the metric -> value
    not_applicable: dict[str, str]  # name of a metric -> why it is not defined for this pair


def measure(
    pair: Pair, names: Sequence[str], cutoff_hz: float | None = None, align: bool = False
) -> Measured:
    """Measures one pair.

    Args:
        pair: the recordings.
        names: keys of `metrics.METRICS`.
        cutoff_hz: for the metrics that need it.
        align: undo a delay of the estimate and cut both to what they have in common, instead of
            refusing the pair; the row then holds `delay_samples`.

    Returns:
        the metrics, nan where one is not defined.

    Raises:
        UserError: a recording cannot be read; rates or channels differ; or lengths differ or the
            estimate is delayed, and it is not to be aligned.
    """
    reference, sample_rate = audio.read(pair.reference)
    estimate, estimate_rate = audio.read(pair.estimate)
    if sample_rate != estimate_rate:
        raise UserError(
            f"{pair.name}: the estimate has {estimate_rate} Hz, the reference {sample_rate} Hz; "
            "resample one of them"
        )
    facts: dict[str, Any] = {"name": pair.name, "sample_rate": sample_rate}
    try:
        delay = _delay(reference, estimate, sample_rate, align)
        if align:
            reference, estimate = alignment.align(reference, estimate, delay)
        values, not_applicable = {}, {}
        for name in names:
            try:
                values[name] = metrics.measure(name, reference, estimate, sample_rate, cutoff_hz)
            except metrics.NotApplicableError as error:
                values[name], not_applicable[name] = math.nan, str(error)
    except ValueError as error:
        raise UserError(f"{pair.name}: {error}") from error
    facts["seconds"] = round(len(reference) / sample_rate, 3)
    if align:
        facts["delay_samples"] = delay
    return Measured({**facts, **values}, not_applicable)


def _delay(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, align: bool) -> int:
    """Checks two waves (n, channels) and gives the estimate's delay, 0 unless it may be undone."""
    difference = len(estimate) - len(reference)
    if difference and not align:
        raise ValueError(
            f"the estimate is {abs(difference)} samples "
            f"{'longer' if difference > 0 else 'shorter'} than the reference "
            f"({len(estimate)} against {len(reference)}); mend it, or measure with --align what "
            "they have in common"
        )
    validate_wave("reference", reference)
    validate_wave("estimate", estimate)
    if reference.shape[1] != estimate.shape[1]:
        # Refused by every metric, in words of its own.
        metrics.validate(reference, estimate)
    delay = alignment.delay(reference, estimate, sample_rate)
    if delay and not align:
        raise ValueError(
            f"the estimate comes {abs(delay)} samples {'late' if delay > 0 else 'early'}; mend "
            "it, or measure with --align, which undoes the delay"
        )
    return delay


def measure_all(
    pairs: Sequence[Pair],
    names: Sequence[str],
    cutoff_hz: float | None = None,
    align: bool = False,
) -> Iterator[Measured]:
    """Measures pairs as `measure` does, several at a time, and yields what they gave in order."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        measured = pool.map(lambda each: measure(each, names, cutoff_hz, align), pairs)
        # A bar only where someone watches.
        yield from tqdm(measured, total=len(pairs), unit="file", disable=None)


def compare(
    references: str,
    estimates: str,
    output: str,
    names: Sequence[str],
    cutoff_hz: float | None = None,
    align: bool = False,
    seed: int = 0,
) -> None:
    """Measures two folders, writes a CSV with a row per file and a summary, prints a table.

    Args:
        references: folder of references.
        estimates: folder of estimates of the same names.
        output: the CSV file; the summary is written beside it, with the suffix .json.
        names: keys of `metrics.METRICS`.
        cutoff_hz: for the metrics that need it.
        align: as in `measure`.
        seed: of the bootstrap.

    Raises:
        UserError: the folders do not match, a pair cannot be measured, or a package is missing;
            nothing is written then.
    """
    table = Path(output)
    if table.suffix.lower() != ".csv":
        raise UserError(f"--output={output}: must end in .csv")
    metrics.require(names)
    pairs = pair(Path(references), Path(estimates))
    measured = list(measure_all(pairs, names, cutoff_hz, align))
    rows = [each.row for each in measured]
    not_applicable: dict[str, Counter[str]] = defaultdict(Counter)
    for each in measured:
        for name, reason in each.not_applicable.items():
            not_applicable[name][reason] += 1
    means = summary.summarize_rows(rows, seed)
    summary.write_csv(table, rows)
    summary.write_summary(
        table.with_suffix(".json"),
        means,
        references=references,
        estimates=estimates,
        files=len(rows),
        seconds=round(sum(row["seconds"] for row in rows), 3),
        sample_rates=sorted({row["sample_rate"] for row in rows}),
        cutoff_hz=cutoff_hz,
        align=align,
        not_applicable=not_applicable,
        seed=seed,
    )
    print(_table(means, not_applicable))
    for name, reasons in not_applicable.items():
        for reason, files in reasons.items():
            label = metrics.METRICS[name].label
            print(f"{label} does not apply to {files} of {len(rows)} files: {reason}")
    if align:
        delays = [row["delay_samples"] for row in rows]
        shifted = [delay for delay in delays if delay]
        print(
            f"{len(shifted)} of {len(rows)} estimates were delayed"
            + (f", by {min(shifted)} to {max(shifted)} samples" if shifted else "")
        )


def _table(means: Mapping[str, summary.Mean], not_applicable: Mapping[str, Counter[str]]) -> str:
    def text(name: str, mean: summary.Mean) -> str:
        if not mean.files and not_applicable.get(name, Counter()).total() == mean.left_out:
            return "does not apply"
        return summary.format_mean(name, mean)

    return summary.text_table(
        ["metric", "mean [95 % interval]", "files", "left out"],
        [
            [summary.metric_header(name), text(name, mean), str(mean.files), str(mean.left_out)]
            for name, mean in means.items()
        ],
    )
