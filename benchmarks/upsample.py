"""Measures the real-time factor and the peak memory of wideband-upsample.

    python benchmarks/upsample.py --model=runs/a --model=runs/a.tflite --output=speed.md

Every model restores noise of each duration, in a process of its own. Wall time and peak resident
memory are those of the whole command, including its start and the reading and writing of files. The
table is written to the output, and the numbers next to it as .json.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from wideband.command import UserError
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


def write_noise(path: Path, minutes: float, sample_rate: int) -> None:
    """Writes a recording of noise, one minute at a time."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    left = round(60 * minutes * sample_rate)
    with soundfile.SoundFile(path, "w", sample_rate, 1) as file:
        while left > 0:
            count = min(left, 60 * sample_rate)
            file.write(rng.normal(0, 0.1, count))
            left -= count


def measure(model: str, recording: Path) -> tuple[float, float]:
    """Runs the command on a recording.

    Returns:
        the wall time in seconds and the peak resident memory in MiB.

    Raises:
        UserError: the command failed.
    """
    target = recording.with_name("restored.wav")
    flags = [f"--model={model}", f"--output={target}"]
    command = [sys.executable, "-m", "wideband.upsample", str(recording), *flags]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        # wait4 measures this child alone; resource.getrusage returns the largest of all.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        if process.returncode:
            output.seek(0)
            last = output.read().decode(errors="replace").strip().splitlines()[-1]
            raise UserError(f"{model}: {last}")
    # KiB on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, usage.ru_maxrss / unit


def lay_out(results: Sequence[Result], minutes: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Returns a header and one row per model."""
    header = ["model"]
    for each in minutes:
        header += [f"real-time factor, {each} min", f"peak memory, {each} min, MiB"]
    rows: dict[str, list[str]] = {}
    for result in results:
        rows.setdefault(result.model, [result.model]).extend(result.cells())
    return header, list(rows.values())


def _duration(text: str) -> float:
    """Parses one of --minutes."""
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= LONGEST_MINUTES:
        raise UserError(
            f"--minutes={text}: must be numbers from 0 to {LONGEST_MINUTES}, with commas"
        )
    return minutes


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures all models on all durations and writes the table."""
    from tqdm import tqdm
    from wideband.upsample import loading

    models = parse_named_paths(flags.model)
    for model in models.values():
        loading.check(model)
    durations = [_duration(text) for text in flags.minutes]
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
