"""Command: several systems on the same references, and which differences between them are real.

    python -m wideband.evaluate.compare spline net=runs/a/net --references=clean

Every folder holds one system's estimates, with the names of the references. The systems are
compared with the first one, on the same files (paired bootstrap). A difference is called real
when its 95 % interval leaves zero out; among twenty comparisons of equal systems, one on average
looks real all the same.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from absl import flags

from ..command import UserError
from ..command.named import named
from ..command.run import run_command
from . import summary
from .metrics import METRICS

_REFERENCES = flags.DEFINE_string("references", None, "Folder of references.", required=True)
_OUTPUT = flags.DEFINE_string(
    "output",
    "compare.csv",
    "CSV file to write, one row per file; the summary goes beside it as .json.",
)
_METRIC = flags.DEFINE_multi_enum(
    "metric",
    None,
    list(METRICS),
    "Metric to compare by; repeatable. Default: snr and lsd, with a cutoff lsd_lf and lsd_hf too.",
)
_CUTOFF_HZ = flags.DEFINE_float(
    "cutoff_hz", None, "Highest frequency of the input, for lsd_lf and lsd_hf.", lower_bound=0
)
_RESAMPLE = flags.DEFINE_enum(
    "resample",
    "file",
    ["file", "folder"],
    "What the bootstrap draws: files, or the folders that they lie in, where each is a speaker's.",
)
_ALIGN = flags.DEFINE_bool(
    "align", False, "Undo delays and cut each pair to what it has in common, instead of refusing."
)
_ALL_PAIRS = flags.DEFINE_bool("all_pairs", False, "Compare every system with every other.")
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the bootstrap.")


def main(arguments: Sequence[str]) -> None:
    """Measures the folders that the arguments name, and compares them."""
    import numpy as np

    output = Path(_OUTPUT.value)
    if output.suffix.lower() != ".csv":
        raise UserError(f"--output={output}: must end in .csv")
    systems = named(arguments)
    if len(systems) < 2:
        raise UserError(
            f"{len(systems)} folders of estimates; give two or more, as FOLDER or NAME=FOLDER"
        )
    metrics = _METRIC.value or [
        "snr",
        "lsd",
        *(["lsd_lf", "lsd_hf"] if _CUTOFF_HZ.value is not None else []),
    ]
    for metric in metrics:
        if "cutoff_hz" in METRICS[metric].needs and _CUTOFF_HZ.value is None:
            raise UserError(f"--metric={metric} needs --cutoff_hz, half the input's rate")
    rows = _measure(systems, metrics)
    groups = None
    if _RESAMPLE.value == "folder":
        groups = [PurePosixPath(row["name"]).parent.as_posix() for row in rows]
    means: dict[str, dict[str, summary.Mean]] = {system: {} for system in systems}
    differences = []
    for metric in metrics:
        values = {s: np.array([row[f"{metric}:{s}"] for row in rows], float) for s in systems}
        # All on the same files: one that is not finite for one system is left out for all.
        dropped = ~np.isfinite(list(values.values())).all(axis=0)
        values = {system: np.where(dropped, np.nan, each) for system, each in values.items()}
        for system, each in values.items():
            means[system][metric] = summary.summarize(each, _SEED.value, groups)
        pairs = itertools.combinations(systems, 2)
        for first, second in (
            pairs if _ALL_PAIRS.value else itertools.islice(pairs, len(systems) - 1)
        ):
            differences.append(
                summary.difference(metric, first, second, values, _SEED.value, groups)
            )
    summary.write_csv(output, rows)
    summary.write_comparison(
        output.with_suffix(".json"),
        means,
        differences,
        references=_REFERENCES.value,
        estimates={system: str(path) for system, path in systems.items()},
        files=len(rows),
        resampled=_RESAMPLE.value,
        groups=len(set(groups)) if groups else None,
        cutoff_hz=_CUTOFF_HZ.value,
        seed=_SEED.value,
    )
    header, *table = summary.systems_rows(means)
    print(summary.text_table(header, table), end="\n\n")
    header = ["metric", "compared", "difference [95 % interval]", "verdict", "files", "left out"]
    table = [
        [
            METRICS[each.metric].label,
            f"{each.second} - {each.first}",
            summary.format_difference(each),
            each.verdict,
            str(each.mean.files),
            str(each.mean.left_out),
        ]
        for each in differences
    ]
    print(summary.text_table(header, table))


def _measure(systems: dict[str, Path], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Measures every system on every reference; one row per file, with only numbers in it."""
    from . import folders

    pairs = [folders.pair(Path(_REFERENCES.value), path) for path in systems.values()]
    jobs = [pair for of_file in zip(*pairs, strict=True) for pair in of_file]
    measured = iter(list(folders.measure_all(jobs, metrics, _CUTOFF_HZ.value, _ALIGN.value)))
    rows = []
    for _ in pairs[0]:
        of_systems = {system: next(measured).row for system in systems}
        facts = next(iter(of_systems.values()))
        rows.append(
            {key: facts[key] for key in ("name", "sample_rate", "seconds")}
            | {f"{m}:{s}": values[m] for m in metrics for s, values in of_systems.items()}
        )
    return rows


if __name__ == "__main__":
    run_command(main)
