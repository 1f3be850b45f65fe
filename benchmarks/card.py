r"""Writes the measured part of a model card, between its two marks.

    python benchmarks/card.py --card=models/cards/speech-4x.md --run=speech-4x \
        --table="Test split=runs/speech_4x/evaluation.md"

First come the facts of the run, then tables that other commands wrote.
"""

import shlex
import sys
from pathlib import Path

from wideband.command import UserError
from wideband.command.files import write_text
from wideband.command.run import Command, Flags, quiet_tensorflow
from wideband.command.tables import between_marks, markdown_table
from wideband.models.record import RECORD, Record


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string("card", None, "Markdown file with two marks.", required=True)
    flags.string("run", None, "Run folder, or the name of a shipped network.", required=True)
    flags.strings("table", [], "HEADING=FILE: a Markdown table, such as evaluation.md; repeatable.")


def facts(run: Path, record: Record) -> list[list[str]]:
    """Lays out the facts of a run folder: network, recipe, time, machine and versions."""
    from wideband import models

    recipe, timings = record.recipe, record.timings
    arguments = ", ".join(f"{key}={value}" for key, value in record.arguments.items())
    parameters = models.build(record.model, **record.arguments).count_params()
    steps = timings.epochs * (recipe["steps_per_epoch"] or 0)
    seconds = recipe["patch"] * recipe["batch"] / record.sample_rate
    source = f"{record.low_rate:g}"
    if record.band_hz:
        source = "bands that end between {:g} and {:g} Hz".format(*record.band_hz)
    files = [path for path in run.iterdir() if path.is_file() and path.name != RECORD]
    size = sum(path.stat().st_size for path in files)
    rows = [
        ["network", f"{record.model}({arguments}), {parameters:,} parameters"],
        ["rates", f"from {source} to {record.sample_rate} Hz"],
        ["trained with", record.flags and shlex.join(["wideband-train", *record.flags])],
        ["steps", f"{steps}, each on {seconds:.3g} s of audio; seed {recipe['seed']}"],
        ["training time", f"{timings.seconds / 60:.0f} min on {record.machine}"],
        ["commit", record.commit],
        ["versions", ", ".join(f"{key} {value}" for key, value in record.versions.items())],
        ["size", f"{size / 1e6:.2f} MB"],
    ]
    # benchmarks/train_packed.py records neither flags nor a commit.
    return [row for row in rows if row[1]]


def main(flags: Flags, arguments: list[str]) -> None:
    """Writes the card and prints its path."""
    sections = []
    for heading, equals, path in (text.partition("=") for text in flags.table):
        if not equals:
            raise UserError(f"--table={heading} is not of the form --table=HEADING=FILE")
        sections.append(f"## {heading}\n\n{Path(path).read_text(encoding='utf-8')}")
    from wideband.upsample.loading import find_record

    card = Path(flags.card)
    # Refuses a card without marks before a network is built.
    between_marks(card, "")
    run, record = find_record(flags.run)
    quiet_tensorflow()
    table = markdown_table(["", ""], facts(run, record)) + "\n"
    write_text(card, between_marks(card, "\n".join([table, *sections])))
    print(card)


command = Command("python benchmarks/card.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
