"""Measures wideband-upsample: how fast it is against real time, and how much memory it takes.

    python benchmarks/upsample.py --model=runs/a --model=runs/a.tflite --output=speed.md

Every model restores noise of each length, in a process of its own: wall time and peak resident
memory are the whole command's, its start and the reading and writing of files included. The table
goes to the output, the figures beside it as .json.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from absl import flags
from tqdm import tqdm
from wideband.command import UserError
from wideband.command.files import replacing
from wideband.command.named import named
from wideband.command.run import machine, run_command
from wideband.evaluate.summary import markdown_table

_MODEL = flags.DEFINE_multi_string(
    "model", None, "As of wideband-upsample, or NAME=MODEL; repeatable.", required=True
)
_MINUTES = flags.DEFINE_list("minutes", ["1", "60"], "Lengths of the recordings.")
_SAMPLE_RATE = flags.DEFINE_integer(
    "sample_rate", 4000, "Of the recordings, in Hz: the models' low rate.", lower_bound=1000
)
_OUTPUT = flags.DEFINE_string("output", "upsample.md", "Markdown file to write.")


def record(path: Path, minutes: float, sample_rate: int) -> None:
    """Writes noise of this length, a minute at a time."""
    rng = np.random.default_rng(0)
    left = round(60 * minutes * sample_rate)
    with soundfile.SoundFile(path, "w", sample_rate, 1) as file:
        while left > 0:
            count = min(left, 60 * sample_rate)
            file.write(rng.normal(0, 0.1, count))
            left -= count


def measure(model: str, recording: Path) -> dict[str, float]:
    """Runs the command on a recording.

    Returns:
        the seconds that it took, and its peak resident memory in MiB.

    Raises:
        UserError: it failed.
    """
    target = recording.with_name("restored.wav")
    command = [
        *(sys.executable, "-m", "wideband.upsample", str(recording)),
        *(f"--model={model}", f"--output={target}"),
    ]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        # Of this child alone; resource.getrusage would tell the largest of all.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        if process.returncode:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1]
            raise UserError(f"{model}: {last}")
    # Kibibytes on Linux, bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"seconds": seconds, "mebibytes": usage.ru_maxrss / unit}


def main(arguments: Sequence[str]) -> None:
    """Measures all models on all lengths and writes the table."""
    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    models = named(_MODEL.value)
    results: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=len(models) * len(_MINUTES.value), unit="run") as bar,
    ):
        for minutes in map(float, _MINUTES.value):
            recording = Path(folder) / f"{minutes:g}.wav"
            record(recording, minutes, _SAMPLE_RATE.value)
            for name, model in models.items():
                bar.set_description(f"{name}, {minutes:g} min")
                results.append(
                    {"model": name, "minutes": minutes, **measure(str(model), recording)}
                )
                bar.update()
    header = ["model"]
    for minutes in _MINUTES.value:
        header += [f"real-time factor, {minutes} min", f"peak memory, {minutes} min, MiB"]
    body = [
        [name]
        + [
            cell
            for each in results
            if each["model"] == name
            for cell in (
                f"{each['seconds'] / (60 * each['minutes']):.3f}",
                f"{each['mebibytes']:.0f}",
            )
        ]
        for name in models
    ]
    output = Path(_OUTPUT.value)
    with replacing(output) as temporary:
        temporary.write_text(markdown_table(header, body) + "\n", encoding="utf-8")
    with replacing(output.with_suffix(".json")) as temporary:
        temporary.write_text(
            json.dumps({"machine": machine(), "results": results}, indent=1) + "\n"
        )
    print(output.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run_command(main)
