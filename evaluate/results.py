"""Results as text and JSON: means with intervals, side by side, in files and tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..command.files import write_csv, write_json
from .metrics import METRICS
from .metrics.statistics import LEVEL, SAMPLES, Difference, Mean
from .words.word_errors import Transcribed, Transcript

_INTERVAL = {"level": LEVEL, "bootstrap_samples": SAMPLES}


def metric_header(name: str) -> str:
    """Returns the heading of a metric's column: convention, unit, and which direction is better."""
    metric = METRICS[name]
    return f"{metric.label}, {metric.unit}, {metric.direction}"


def format_mean(name: str, mean: Mean) -> str:
    """Formats a mean with its interval, to the digits of its metric: `15.60 [15.21, 15.98]`.

    Args:
        name: a key of `METRICS`.
        mean: the metric's mean.
    """
    digits = METRICS[name].digits
    if not mean.files:
        return "-"
    return f"{mean.mean:.{digits}f} [{mean.low:.{digits}f}, {mean.high:.{digits}f}]"


def format_difference(difference: Difference) -> str:
    """Formats a difference with its interval and signs: `+1.50 [+1.21, +1.80]`."""
    mean, digits = difference.mean, METRICS[difference.metric].digits
    if not mean.files:
        return "-"
    return f"{mean.mean:+.{digits}f} [{mean.low:+.{digits}f}, {mean.high:+.{digits}f}]"


def systems_table(
    systems: Mapping[str, Mapping[str, Mean]],
) -> tuple[list[str], list[list[str]]]:
    """Lays out systems side by side, one metric per row, for `command.tables`.

    Args:
        systems: system -> metric -> mean; all systems have the same metrics.

    Returns:
        the header and the rows.
    """
    names = next(iter(systems.values()))
    rows = [
        [metric_header(name), *(format_mean(name, means[name]) for means in systems.values())]
        for name in names
    ]
    return ["mean over files [95 % interval]", *systems], rows


def write_summary(path: Path, means: Mapping[str, Mean], **facts: Any) -> None:
    """Writes the means of one system as JSON.

    Args:
        path: the file.
        means: metric -> mean.
        **facts: further entries, such as the folders that were compared.
    """
    write_json(path, {**facts, "interval": _INTERVAL, "metrics": _entries(means)})


def write_systems(
    path: Path, systems: Mapping[str, Mapping[str, Mean]], facts: Any, **more: Any
) -> None:
    """Writes the means of several systems as JSON.

    Args:
        path: the file.
        systems: system -> metric -> mean.
        facts: a dataclass such as `report.Facts`.
        **more: further entries, such as word errors.
    """
    facts = dataclasses.asdict(facts)
    write_json(path, {"facts": facts, **systems_entries(systems), **more})


def systems_entries(systems: Mapping[str, Mapping[str, Mean]]) -> dict[str, Any]:
    """Returns the means of several systems, system -> metric -> mean, as entries of a JSON file."""
    entries = {system: _entries(means) for system, means in systems.items()}
    return {"interval": _INTERVAL, "systems": entries}


def write_comparison(
    path: Path,
    systems: Mapping[str, Mapping[str, Mean]],
    differences: Sequence[Difference],
    mutual: Mapping[str, Mapping[str, Mean]],
    **facts: Any,
) -> None:
    """Writes the means of several systems and the differences between them as JSON.

    Args:
        path: the file.
        systems: system -> metric -> mean.
        differences: paired comparisons of these systems.
        mutual: "system against another" -> metric -> mean, if systems were measured against each
            other.
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
    content = {**facts, "interval": _INTERVAL, "systems": means, "differences": entries}
    more = {"mutual": {name: _entries(each) for name, each in mutual.items()}} if mutual else {}
    write_json(path, content | more)


def write_word_errors(path: Path, words: Transcribed, **facts: Any) -> None:
    """Writes the word errors of several systems as JSON.

    Args:
        path: the file.
        words: the word errors.
        **facts: further entries, such as the folders.
    """
    write_json(path, {**facts, "interval": _INTERVAL, **words.entries()})


def write_transcripts(path: Path, transcripts: Mapping[str, Sequence[Transcript]]) -> None:
    """Writes the texts of several systems as CSV.

    Args:
        path: the file.
        transcripts: system -> its transcripts, in the order of the recordings.
    """
    rows = [
        {"system": system, **each.row()} for system, found in transcripts.items() for each in found
    ]
    write_csv(path, rows)


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
    # JSON has no nan.
    return {key: None if value != value else value for key, value in mean._asdict().items()}
