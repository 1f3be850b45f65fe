"""Means over files with bootstrap intervals, and paired comparisons of systems."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import METRICS

SAMPLES = 2000
LEVEL = 0.95
# By chance, the differences of n files all have one sign in 2 of 2^n cases, and their interval then
# excludes zero. With fewer files than this, that happens in more than 5 % of the cases.
MIN_FILES = 6
# Values drawn at once: 32 MB.
_BLOCK = 2**22


class Mean(NamedTuple):
    """The mean of a metric over files, with its bootstrap interval."""

    mean: float
    low: float
    high: float
    files: int  # files with a finite value
    left_out: int  # files without one, such as the SNR of a silent file


class Difference(NamedTuple):
    """A paired comparison of two systems on the same files."""

    metric: str
    first: str
    second: str
    mean: Mean  # over files, of the second system's value minus the first one's
    # The better system, if the interval excludes zero and the metric has a direction.
    better: str | None
    verdict: str


def bootstrap_mean_interval(
    values: Sequence[float] | np.ndarray,
    seed: int = 0,
    samples: int = SAMPLES,
    level: float = LEVEL,
    groups: Sequence[str] | np.ndarray | None = None,
) -> tuple[float, float]:
    """Computes the percentile bootstrap interval of a mean (Efron 1979).

    Files are drawn with replacement, which assumes that they are independent. Files of a few
    speakers are not, and their interval is too narrow. With `groups`, such as speakers, whole
    groups are drawn, and the mean is taken over the files of the drawn groups.

    Args:
        values: one finite value per file.
        seed: seed of the draws.
        samples: number of draws.
        level: fraction of the drawn means that the interval contains.
        groups: the group of each file.

    Returns:
        the lower and upper end; both are the mean if there is only one file or group.
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
    """Computes the percentile bootstrap interval of a ratio of sums, such as errors per word.

    Args:
        sums: the numerator of each file, finite, such as its errors.
        counts: the denominator of each file, above zero, such as its words.
        seed: seed of the draws.
        samples: number of draws.
        level: fraction of the drawn ratios that the interval contains.

    Returns:
        the lower and upper end; both are the ratio if there is only one file.
    """
    sums, counts = np.asarray(sums, np.float64), np.asarray(counts, np.float64)
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // len(sums))
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
    """Computes the mean over the files with a finite value, and its bootstrap interval.

    Args:
        values: one per file.
        seed: seed of the bootstrap.
        groups: as in `bootstrap_mean_interval`.
        level: as in `bootstrap_mean_interval`.

    Returns:
        the mean; nan, like its interval, if no value is finite.
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
        rows: column -> value, one row per file; columns that are not metrics are ignored.
        seed: seed of the bootstrap.

    Returns:
        metric -> mean, in the order of the columns.
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
    """Compares two systems on the same files with the paired bootstrap.

    Each draw takes a file with the values of both systems. The difficulty of the file cancels out,
    and the comparison finds differences that the intervals of the two means would hide.

    Percentile intervals of few files are too narrow: with ten files, they call one in ten pairs of
    equal systems different. The level is therefore raised until the interval is as wide as
    Student's (the expanded percentile interval, Hesterberg 2015).

    Args:
        metric: a key of `METRICS`.
        first: name of a system.
        second: name of another system.
        values: system -> metric, one value per file, with the same order of files.
        seed: seed of the bootstrap.
        groups: as in `bootstrap_mean_interval`.
    """
    with np.errstate(invalid="ignore"):
        differences = values[second] - values[first]
    kept = np.isfinite(differences)
    drawn, unit = int(kept.sum()), "files"
    if groups is not None:
        drawn, unit = len(set(np.asarray(groups)[kept])), "groups"
    mean = summarize(differences, seed, groups, expanded_level(drawn))
    if drawn < MIN_FILES:
        return Difference(metric, first, second, mean, None, f"too few {unit} to tell")
    if mean.low <= 0 <= mean.high:
        return Difference(metric, first, second, mean, None, "no real difference")
    if METRICS[metric].higher_is_better is None:
        # The two means say which system is closer to 0; on either side of it, their difference
        # does not.
        return Difference(metric, first, second, mean, None, "real difference")
    better = second if (mean.mean > 0) == METRICS[metric].higher_is_better else first
    return Difference(metric, first, second, mean, better, f"{better} better")


def expanded_level(n: int) -> float:
    """Returns the level at which a percentile interval is as wide as Student's at `LEVEL`.

    Args:
        n: how many files, or groups, are drawn.
    """
    from scipy import special

    if n < 2:
        return LEVEL
    student = special.stdtrit(n - 1, (1 + LEVEL) / 2)
    return 1 - 2 * float(special.ndtr(-student * math.sqrt(n / (n - 1))))
