"""Command: puts the evaluations of several runs into one table.

python -m wideband.evaluate.table --run=runs/a --run=runs/b --output=table.md

Each run needs RUN/evaluation.json of wideband-evaluate and RUN/speed.json of
`python -m wideband.evaluate.speed`, all of one test set.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from wideband.command import UserError
from wideband.command.files import replacing
from wideband.command.run import run_command

METRICS = ("snr", "segmental_snr", "lsd", "lsd_kuleshov", "lsd_hf")
# What must be the same for means to stand in one table.
SHARED = ("corpus", "split", "files", "minutes", "protocol", "ratio", "sample_rate")

_RUN = flags.DEFINE_multi_string(
    "run", None, "Run folder, in the order of the table; repeatable.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", "table.md", "Markdown file; in one that exists, what stands between two marks."
)


def rows(runs: Sequence[Path]) -> list[list[str]]:
    """Reads runs and lays out a row for each, after the baselines of the first.

    Args:
        runs: run folders; a system is called as its folder.

    Returns:
        the header, then the rows.

    Raises:
        UserError: a run was not evaluated or not timed, or not on the same recordings.
    """
    from wideband.evaluate import summary

    evaluations = [_read(run, "evaluation.json", f"wideband-evaluate --run={run}") for run in runs]
    speeds = [
        _read(run, "speed.json", f"python -m wideband.evaluate.speed --run={run}") for run in runs
    ]
    first = evaluations[0]
    for run, evaluation in zip(runs, evaluations, strict=True):
        for key in SHARED:
            here, there = evaluation["facts"][key], first["facts"][key]
            if here != there:
                raise UserError(f"{run}: {key} is {here}, and {there} in {runs[0]}; not comparable")

    def cells(means: dict[str, Any]) -> list[str]:
        fields = summary.Mean._fields
        return [
            summary.format_mean(key, summary.Mean(*(means[key][field] for field in fields)))
            for key in METRICS
        ]

    header = ["system", *map(summary.metric_header, METRICS)]
    header += ["parameters", "seconds per step", "real-time factor"]
    table = [header]
    for name, means in first["systems"].items():
        if name != first["facts"]["model"]:
            table.append([name, *cells(means), "", "", ""])
    for run, evaluation, speed in zip(runs, evaluations, speeds, strict=True):
        table.append(
            [
                run.name,
                *cells(evaluation["systems"][evaluation["facts"]["model"]]),
                f"{speed['parameters']:,}",
                f"{speed['seconds_per_step']:.2f}",
                f"{speed['real_time_factor']:.3f}",
            ]
        )
    return table


def _read(run: Path, name: str, command: str) -> dict[str, Any]:
    if not (run / name).is_file():
        raise UserError(f"{run / name} is missing; make it with: {command}")
    return json.loads((run / name).read_text())


def main(arguments: Sequence[str]) -> None:
    """Writes the table and prints it."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; did you mean --run={arguments[0]}?")
    from wideband.evaluate import summary

    header, *body = rows([Path(run) for run in _RUN.value])
    output = Path(_OUTPUT.value)
    page = summary.between_marks(output, summary.markdown_table(header, body) + "\n")
    with replacing(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(summary.text_table(header, body))


if __name__ == "__main__":
    run_command(main)
