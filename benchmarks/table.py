"""Collects the evaluations of several runs in one table.

python benchmarks/table.py --run=runs/a --run=runs/b --output=table.md

Each run needs RUN/evaluation.json from wideband-evaluate and RUN/speed.json from
benchmarks/speed.py, all for the same test set.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wideband.command import UserError
from wideband.command.files import write_text
from wideband.command.run import Command, Flags
from wideband.command.tables import between_marks, markdown_table, text_table

METRICS = ("snr", "segmental_snr", "lsd", "lsd_kuleshov", "lsd_hf")
# Facts that must be equal for means to be comparable.
SHARED = ("corpus", "split", "files", "minutes", "protocol", "ratio", "sample_rate")


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.strings("run", None, "Run folder, in the order of the table; repeatable.", required=True)
    flags.string(
        "output",
        "table.md",
        "Markdown file; in an existing one, the table between two marks is replaced.",
    )
    flags.string("name", "", "Name of the table, which its marks have, if a page has several.")


def lay_out(runs: Sequence[Path]) -> tuple[list[str], list[list[str]]]:
    """Reads runs and returns a header and one row per run, after the baselines of the first run.

    Args:
        runs: run folders; a system has the name of its folder.

    Raises:
        UserError: a run was not evaluated or timed, or not on the same recordings.
    """
    from wideband.evaluate import results

    evaluations = [_read(run, "evaluation.json", f"wideband-evaluate --run={run}") for run in runs]
    speeds = [_read(run, "speed.json", f"python benchmarks/speed.py --run={run}") for run in runs]
    header = ["system", *map(results.metric_header, METRICS)]
    header += ["parameters", "seconds per step", "real-time factor"]
    rows = []
    for run, evaluation, speed in zip(runs, evaluations, speeds, strict=True):
        try:
            _check_shared(run, evaluation, runs[0], evaluations[0])
            model = evaluation["facts"]["model"]
            if not rows:
                rows += [
                    [name, *_cells(means), "", "", ""]
                    for name, means in evaluation["systems"].items()
                    if name not in (model, "reference")
                ]
            timings = [f"{speed['seconds_per_step']:.2f}", f"{speed['real_time_factor']:.3f}"]
            parameters = f"{speed['parameters']:,}"
            rows.append([run.name, *_cells(evaluation["systems"][model]), parameters, *timings])
        except UserError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{run}: evaluation.json or speed.json is damaged, or made by another version; "
                "make them again with wideband-evaluate and benchmarks/speed.py"
            ) from error
    return header, rows


def _check_shared(
    run: Path, here: Mapping[str, Any], first: Path, there: Mapping[str, Any]
) -> None:
    """Raises a UserError if two runs were not evaluated on the same recordings."""
    for key in SHARED:
        one, other = here["facts"][key], there["facts"][key]
        if one != other:
            raise UserError(f"{run}: {key} is {one}, and {other} in {first}; not comparable")


def _cells(means: Mapping[str, Mapping[str, Any]]) -> list[str]:
    from wideband.evaluate import results
    from wideband.evaluate.metrics.statistics import Mean

    return [
        results.format_mean(name, Mean(*(means[name][field] for field in Mean._fields)))
        for name in METRICS
    ]


def _read(run: Path, name: str, command: str) -> dict[str, Any]:
    if not (run / name).is_file():
        raise UserError(f"{run / name} is missing; make it with: {command}")
    try:
        return json.loads((run / name).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{run / name}: damaged; make it again with: {command}") from error


def main(flags: Flags, arguments: list[str]) -> None:
    """Writes the table and prints it."""
    header, rows = lay_out([Path(run) for run in flags.run])
    output = Path(flags.output)
    write_text(output, between_marks(output, markdown_table(header, rows) + "\n", flags.name))
    print(text_table(header, rows))


command = Command("python benchmarks/table.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
