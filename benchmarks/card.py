"""Command: writes the measured part of a model card, between its two marks.

    python -m wideband.evaluate.card --card=models/cards/speech-4x.md \
        --run=models/weights/speech-4x --table="Test split=runs/speech_4x/evaluation.md"

First the facts of the run, then the tables that other commands have written.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from wideband.command import UserError
from wideband.command.files import replacing
from wideband.command.run import quiet_tensorflow, run_command

_CARD = flags.DEFINE_string("card", None, "Markdown file with two marks.", required=True)
_RUN = flags.DEFINE_string("run", None, "Run folder, or one of models/weights.", required=True)
_TABLE = flags.DEFINE_multi_string(
    "table", [], "HEADING=FILE: a table in Markdown, such as evaluation.md; repeatable."
)


def facts(run: Path) -> list[list[str]]:
    """Lays out what a run is: network, recipe, time, machine and versions."""
    from wideband import models

    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    recipe, timings = record["recipe"], record["timings"]
    arguments = ", ".join(f"{key}={value}" for key, value in recipe["arguments"].items())
    parameters = models.build(recipe["model"], **recipe["arguments"]).count_params()
    steps = timings["epochs"] * (recipe["steps_per_epoch"] or 0)
    seconds = recipe["patch"] * recipe["batch"] / recipe["sample_rate"]
    size = sum(path.stat().st_size for path in run.iterdir() if path.name != "run.json")
    rate = recipe["sample_rate"]
    return [
        ["network", f"{recipe['model']}({arguments}), {parameters:,} parameters"],
        ["rates", f"from {rate // recipe['ratio']} to {rate} Hz"],
        ["trained by", shlex.join(["wideband-train", *record["flags"]])],
        ["steps", f"{steps}, of {seconds:.3g} s of speech each; seed {recipe['seed']}"],
        ["took", f"{timings['seconds'] / 60:.0f} min on {record['machine']}"],
        ["commit", str(record["commit"])],
        ["versions", ", ".join(f"{key} {value}" for key, value in record["versions"].items())],
        ["size", f"{size / 1e6:.2f} MB"],
    ]


def main(arguments: Sequence[str]) -> None:
    """Writes the card and prints where."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    from wideband.evaluate import summary

    parts = []
    for heading, equals, path in (text.partition("=") for text in _TABLE.value):
        if not equals:
            raise UserError(f"--table={heading} is not of the form --table=HEADING=FILE")
        parts.append(f"## {heading}\n\n{Path(path).read_text(encoding='utf-8')}")
    card = Path(_CARD.value)
    # A card without its marks is told of before a network is built.
    summary.between_marks(card, "")
    quiet_tensorflow()
    told = summary.markdown_table(["", ""], facts(Path(_RUN.value))) + "\n"
    page = summary.between_marks(card, "\n".join([told, *parts]))
    with replacing(card) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(card)


if __name__ == "__main__":
    run_command(main)
