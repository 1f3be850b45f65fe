"""Measures the real-time factor and the peak memory of wideband-upsample.

    python benchmarks/upsample.py --model=runs/a --model=runs/a.tflite --output=speed.md

Every model restores noise of each duration, in a process of its own. Wall time and peak resident
memory are those of the whole command, including its start and the reading and writing of files. The
table is written to the output, and the numbers next to it as .json.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import processes
from noise import write_noise
from timing import parse_durations
from wideband.command.files import write_json, write_text
from wideband.command.named import parse_named_paths
from wideband.command.run import Command, Flags, machine
from wideband.command.tables import markdown_table, text_table

LONGEST_MINUTES = 1440


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.strings(
        "model",
        None,
        "A model, as for wideband-upsample, or NAME=MODEL; repeatable.",
        required=True,
    )
    flags.comma_list("minutes", ["1", "60"], "Durations of the recordings in minutes.")
    flags.integer(
        "sample_rate",
        4000,
        "Sample rate of the recordings in Hz, the low rate of the models.",
        lower_bound=1000,
    )
    flags.string("output", "upsample.md", "Markdown file to write.")


@dataclass(frozen=True)
class Result:
    """The measurements of one model and duration."""

    model: str
    minutes: float
    seconds: float  # wall time
    mebibytes: float  # peak resident memory

    def cells(self) -> list[str]:
        """Formats the measurements as table cells."""
        return [f"{self.seconds / (60 * self.minutes):.3f}", f"{self.mebibytes:.0f}"]


def measure(model: str, recording: Path) -> processes.Finished:
    """Runs the command on a recording.

    Raises:
        UserError: the command failed.
    """
    target = recording.with_name("restored.wav")
    flags = [f"--model={model}", f"--output={target}"]
    command = [sys.executable, "-m", "wideband.upsample", str(recording), *flags]
    return processes.run(command, model)


def lay_out(results: Sequence[Result], minutes: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Returns a header and one row per model."""
    header = ["model"]
    for each in minutes:
        header += [f"real-time factor, {each} min", f"peak memory, {each} min, MiB"]
    rows: dict[str, list[str]] = {}
    for result in results:
        rows.setdefault(result.model, [result.model]).extend(result.cells())
    return header, list(rows.values())


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures all models on all durations and writes the table."""
    from tqdm import tqdm
    from wideband.upsample import loading

    models = parse_named_paths(flags.model)
    for model in models.values():
        loading.check(model)
    durations = parse_durations("minutes", flags.minutes, 0, LONGEST_MINUTES)
    results: list[Result] = []
    total = len(models) * len(flags.minutes)
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=total, unit="run", disable=None) as bar,
    ):
        for minutes in durations:
            recording = Path(folder) / f"{minutes:g}.wav"
            write_noise(recording, minutes, flags.sample_rate)
            for name, model in models.items():
                bar.set_description(f"{name}, {minutes:g} min")
                results.append(Result(name, minutes, *measure(str(model), recording)))
                bar.update()
    header, rows = lay_out(results, flags.minutes)
    output = Path(flags.output)
    write_text(output, markdown_table(header, rows) + "\n")
    numbers = {"machine": machine(), "results": [asdict(each) for each in results]}
    write_json(output.with_suffix(".json"), numbers)
    print(text_table(header, rows))


command = Command("python benchmarks/upsample.py", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
