"""From one value per file to means with intervals, and from those to tables and files."""

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..command import UserError
from ..command.files import replacing
from .metrics import METRICS

# Stands above and below a table that a command writes into a page.
MARK = "<!-- table -->\n"

SAMPLES = 2000
LEVEL = 0.95
# All differences of n files point one way by chance in 2 of 2^n cases, and no interval of theirs
# then holds zero: with fewer files than these, in more than 5 % of the cases.
FEWEST = 6

_INTERVAL = {"level": LEVEL, "bootstrap_samples": SAMPLES}


class Mean(NamedTuple):
    """The mean of a metric over files, with its bootstrap interval."""

    mean: float
    low: float
    high: float
    files: int  # that count
    left_out: int  # that are not finite, such as the SNR of a silent file


class Difference(NamedTuple):
    """How far one system is from another on the same files."""

    metric: str
    first: str
    second: str
    mean: Mean  # over files, of the second system's value less the first one's
    better: str | None  # the system that is better, where the interval leaves zero out
    verdict: str


def bootstrap_mean_interval(
    values: Sequence[float] | np.ndarray,
    seed: int = 0,
    samples: int = SAMPLES,
    level: float = LEVEL,
    groups: Sequence[str] | np.ndarray | None = None,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a mean (Efron 1979).

    Files are drawn with replacement, as if they were independent; files of few speakers are not,
    and the interval is then narrower than it should be. With `groups`, such as speakers, whole
    groups are drawn instead, and the mean is over the files of those that were drawn.

    Args:
        values: one finite value per file.
        seed: of the draws.
        samples: number of draws.
        level: share of the draws' means that the interval holds.
        groups: the group of each file.

    Returns:
        its lower and upper end; both are the mean itself when there is only one file or group.
    """
    values = np.asarray(values, np.float64)
    members = (
        np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    )
    sums, counts = np.bincount(members, values), np.bincount(members)
    return bootstrap_ratio_interval(sums, counts, seed, samples, level)


def bootstrap_ratio_interval(
    sums: Sequence[float] | np.ndarray,
    counts: Sequence[float] | np.ndarray,
    seed: int = 0,
    samples: int = SAMPLES,
    level: float = LEVEL,
) -> tuple[float, float]:
    """The percentile bootstrap interval of a ratio of sums, such as all errors by all words.

    Args:
        sums: of each file, finite, such as its errors.
        counts: of each file, above zero, such as its words.
        seed: of the draws.
        samples: number of draws.
        level: share of the draws' ratios that the interval holds.

    Returns:
        its lower and upper end; both are the ratio itself when there is only one file.
    """
    sums, counts = np.asarray(sums, np.float64), np.asarray(counts, np.float64)
    rng = np.random.default_rng(seed)
    # As many draws at once as take 32 MB.
    block = max(1, 2**22 // len(sums))
    ratios = []
    for done in range(0, samples, block):
        drawn = rng.integers(len(sums), size=(min(block, samples - done), len(sums)))
        ratios.append(sums[drawn].sum(1) / counts[drawn].sum(1))
    low, high = np.quantile(np.concatenate(ratios), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def summarize(
    values: Iterable[float],
    seed: int = 0,
    groups: Sequence[str] | np.ndarray | None = None,
    level: float = LEVEL,
) -> Mean:
    """The mean over the files whose value is finite, with its bootstrap interval.

    Args:
        values: one per file.
        seed: of the bootstrap.
        groups: as in `bootstrap_mean_interval`.
        level: as in `bootstrap_mean_interval`.

    Returns:
        nan for the mean and its interval when no value is finite.
    """
    values = np.asarray(list(values), np.float64)
    kept = np.isfinite(values)
    finite = values[kept]
    left_out = len(values) - len(finite)
    if not len(finite):
        return Mean(math.nan, math.nan, math.nan, 0, left_out)
    if groups is not None:
        groups = np.asarray(groups)[kept]
    interval = bootstrap_mean_interval(finite, seed, level=level, groups=groups)
    return Mean(float(finite.mean()), *interval, len(finite), left_out)


def summarize_rows(rows: Sequence[Mapping[str, Any]], seed: int = 0) -> dict[str, Mean]:
    """Summarizes the metrics of per-file rows.

    Args:
        rows: column -> value, one row per file; columns that are no metrics are passed over.
        seed: of the bootstrap.

    Returns:
        name of the metric -> its mean, in the order of the columns.
    """
    return {
        name: summarize((row[name] for row in rows), seed) for name in rows[0] if name in METRICS
    }


def difference(
    metric: str,
    first: str,
    second: str,
    values: Mapping[str, np.ndarray],
    seed: int = 0,
    groups: Sequence[str] | np.ndarray | None = None,
) -> Difference:
    """Compares two systems on the same files, by the paired bootstrap.

    A draw takes each of its files with the values of both systems. What makes a file hard for
    both falls out, so that differences show that the intervals of two means would hide.

    Percentile intervals of few files are too narrow: of ten files, they find one in ten pairs of
    equal systems different. The level is raised so that the interval is as wide as Student's would
    be (the expanded percentile interval, Hesterberg 2015).

    Args:
        metric: a key of `METRICS`.
        first: name of a system.
        second: name of another.
        values: name of the system -> metric, one value per file, in one order of the files.
        seed: of the bootstrap.
        groups: as in `bootstrap_mean_interval`.
    """
    with np.errstate(invalid="ignore"):
        differences = values[second] - values[first]
    kept = np.isfinite(differences)
    drawn, what = int(kept.sum()), "files"
    if groups is not None:
        drawn, what = len(set(np.asarray(groups)[kept])), "groups"
    mean = summarize(differences, seed, groups, _expanded_level(drawn))
    if drawn < FEWEST:
        return Difference(metric, first, second, mean, None, f"too few {what} to tell")
    if mean.low <= 0 <= mean.high:
        return Difference(metric, first, second, mean, None, "no real difference")
    better = second if (mean.mean > 0) == METRICS[metric].higher_is_better else first
    return Difference(metric, first, second, mean, better, f"{better} better")


def _expanded_level(n: int) -> float:
    """The level at which a percentile interval of n values is as wide as Student's at `LEVEL`."""
    from scipy import special

    if n < 2:
        return LEVEL
    student = special.stdtrit(n - 1, (1 + LEVEL) / 2)
    return 1 - 2 * float(special.ndtr(-student * math.sqrt(n / (n - 1))))


def format_mean(name: str, mean: Mean) -> str:
    """Writes a mean and its interval with the digits that suit the metric: `15.60 [15.21, 15.98]`.

    Args:
        name: a key of `METRICS`.
        mean: its mean.
    """
    digits = METRICS[name].digits
    if not mean.files:
        return "-"
    return f"{mean.mean:.{digits}f} [{mean.low:.{digits}f}, {mean.high:.{digits}f}]"


def format_difference(difference: Difference) -> str:
    """Writes a difference and its interval, with signs: `+1.50 [+1.21, +1.80]`."""
    mean, digits = difference.mean, METRICS[difference.metric].digits
    if not mean.files:
        return "-"
    return f"{mean.mean:+.{digits}f} [{mean.low:+.{digits}f}, {mean.high:+.{digits}f}]"


def metric_header(name: str) -> str:
    """Heads a metric's column, with its convention, unit and the better direction."""
    metric = METRICS[name]
    better = "higher" if metric.higher_is_better else "lower"
    return f"{metric.label}, {metric.unit}, {better} is better"


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lays out a table for a terminal: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, rule, *rows]
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lays out a table in GitHub's Markdown, numbers to the right."""
    rule = ["---"] + ["---:"] * (len(header) - 1)
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in [header, rule, *rows]]
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def between_marks(path: Path, table: str) -> str:
    """Puts a table into a Markdown page, in the place of the one between its two marks.

    Args:
        path: of the page; one that is not there has nothing but the table.
        table: with the line break at its end.

    Returns:
        the whole page.

    Raises:
        UserError: the page does not have two marks.
    """
    page = path.read_text(encoding="utf-8") if path.is_file() else MARK * 2
    before, *rest = page.split(MARK)
    if len(rest) != 2:
        raise UserError(f"{path}: two lines {MARK.strip()} must say where the table stands")
    return f"{before}{MARK}{table}{MARK}{rest[1]}"


def systems_rows(systems: Mapping[str, Mapping[str, Mean]]) -> list[list[str]]:
    """Puts systems side by side, a metric per row, for `text_table` or `markdown_table`.

    Args:
        systems: name of the system -> name of the metric -> mean; all have the same metrics.

    Returns:
        the header, then the rows.
    """
    names = next(iter(systems.values()))
    rows = [
        [metric_header(name), *(format_mean(name, means[name]) for means in systems.values())]
        for name in names
    ]
    return [["mean over files [95 % interval]", *systems], *rows]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows of equal columns, under a temporary name until they are complete."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _write(path, text.getvalue())


def write_summary(path: Path, means: Mapping[str, Mean], **facts: Any) -> None:
    """Writes means and what they are means of as JSON.

    Args:
        path: of the file.
        means: name of the metric -> mean.
        **facts: further entries, such as the folders that were compared.
    """
    _write_json(path, {**facts, "interval": _INTERVAL, "metrics": _entries(means)})


def write_systems(
    path: Path, systems: Mapping[str, Mapping[str, Mean]], facts: Any, **more: Any
) -> None:
    """Writes the means of several systems as JSON.

    Args:
        path: of the file.
        systems: name of the system -> name of the metric -> mean.
        facts: a dataclass, such as `report.Facts`.
        **more: further entries, such as word errors.
    """
    entries = {system: _entries(means) for system, means in systems.items()}
    facts = dataclasses.asdict(facts)
    _write_json(path, {"facts": facts, "interval": _INTERVAL, "systems": entries, **more})


def write_comparison(
    path: Path,
    systems: Mapping[str, Mapping[str, Mean]],
    differences: Sequence[Difference],
    **facts: Any,
) -> None:
    """Writes the means of several systems, and the differences between them, as JSON.

    Args:
        path: of the file.
        systems: name of the system -> name of the metric -> mean.
        differences: between them.
        **facts: further entries, such as the folders that were compared.
    """
    entries = [
        {
            "metric": each.metric,
            "first": each.first,
            "second": each.second,
            **_numbers(each.mean),
            "better": each.better,
            "verdict": each.verdict,
        }
        for each in differences
    ]
    means = {system: _entries(each) for system, each in systems.items()}
    _write_json(path, {**facts, "interval": _INTERVAL, "systems": means, "differences": entries})


def write_word_errors(path: Path, systems: Mapping[str, Mapping[str, Any]], **facts: Any) -> None:
    """Writes the word errors of several systems as JSON.

    Args:
        path: of the file.
        systems: name of the system -> what `word_errors.total` tells of it.
        **facts: further entries, such as the recognizer.
    """
    _write_json(path, {**facts, "interval": _INTERVAL, "systems": systems})


def _entries(means: Mapping[str, Mean]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "label": METRICS[name].label,
            "unit": METRICS[name].unit,
            "higher_is_better": METRICS[name].higher_is_better,
            **_numbers(mean),
        }
        for name, mean in means.items()
    }


def _numbers(mean: Mean) -> dict[str, float | None]:
    # JSON knows no nan.
    return {key: None if value != value else value for key, value in mean._asdict().items()}


def _write_json(path: Path, content: Any) -> None:
    _write(path, json.dumps(content, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
