"""Measures TFLite files of wideband-export on this machine, as a table and as JSON.

python benchmarks/mobile.py stream.tflite stream-int8.tflite --output=docs/mobile.md

Run it while the machine is idle. Each file runs in processes of its own, with one and with two
threads, window after window, without TensorFlow.
"""

import importlib.metadata
import math
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from wideband.command import UserError
from wideband.command.files import write_json, write_text
from wideband.command.run import Command, Flags, machine
from wideband.command.tables import between_marks, markdown_table, text_table

THREADS = (1, 2)
WARM_UP = 10
# Of the windows of a file that are timed.
LONGEST_SECONDS = 600
HEADER = ["file", "network", "quantization", "size, MB", "window, ms of audio", "ms per window"]
HEADER += ["real-time factor, 1 thread", "2 threads", "peak memory, MiB"]


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string(
        "output",
        "mobile.md",
        "Markdown file; in an existing one, the table between two marks is replaced. The numbers "
        "go next to it as .json.",
    )
    flags.integer("windows", 300, "Windows to time, at most ten minutes.", lower_bound=1)


def run_alone(path: str, threads: int, windows: int) -> tuple[float, float]:
    """Runs a file on noise with the interpreter, in a process that does nothing else.

    Args:
        path: the file.
        threads: number of threads of the interpreter.
        windows: number of windows to time.

    Returns:
        the median of seconds per window, and the peak memory of the whole process in MiB, which
        includes Python, NumPy and LiteRT.
    """
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    durations = []
    for _ in range(WARM_UP + windows):
        # The wave and the states, if there are any.
        for tensor in interpreter.get_input_details():
            noise = rng.normal(0, 0.1, tensor["shape"]).astype(np.float32)
            interpreter.set_tensor(tensor["index"], noise)
        started = time.perf_counter()
        interpreter.invoke()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations[WARM_UP:]), peak_mebibytes()


def peak_mebibytes() -> float:
    """Returns the peak memory of this process in MiB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # On Linux, ru_maxrss of a new process begins at the peak of its parent.
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(path: Path, windows: int, progress: Callable[[], object]) -> dict[str, Any]:
    """Measures a file.

    Args:
        path: the file.
        windows: number of windows to time, unless they hold more than `LONGEST_SECONDS`.
        progress: called after the measurement with each number of threads.

    Raises:
        UserError: it is not a file of wideband-export, or cannot run.
    """
    from wideband.upsample.tflite import TFLiteNetwork

    # Refuses in one line a file that cannot run.
    metadata = TFLiteNetwork(path).metadata
    seconds = metadata.factor * metadata.hop / metadata.sample_rate
    windows = min(windows, math.ceil(LONGEST_SECONDS / seconds))
    measured = []
    for threads in THREADS:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            measured.append(process.submit(run_alone, str(path), threads, windows).result())
        progress()
    (one, peak), (two, _) = measured
    return {
        "file": path.name,
        "network": metadata.network,
        "quantize": metadata.quantize,
        "bytes": path.stat().st_size,
        "window_milliseconds": 1000 * seconds,
        "milliseconds_per_window": 1000 * one,
        "real_time_factor": one / seconds,
        "real_time_factor_2_threads": two / seconds,
        "peak_mebibytes": peak,
    }


def cells(row: dict[str, Any]) -> list[str]:
    """Formats the measurements of a file as a table row."""
    return [
        row["file"],
        row["network"],
        row["quantize"],
        f"{row['bytes'] / 1e6:.2f}",
        f"{row['window_milliseconds']:.0f}",
        f"{row['milliseconds_per_window']:.2f}",
        f"{row['real_time_factor']:.4f}",
        f"{row['real_time_factor_2_threads']:.4f}",
        f"{row['peak_mebibytes']:.0f}",
    ]


def main(flags: Flags, arguments: list[str]) -> None:
    """Measures every file and writes the table and the numbers."""
    if not arguments:
        raise UserError("name at least one file of wideband-export")
    # Imported here because the measured processes import this module too.
    from tqdm import tqdm

    output = Path(flags.output)
    # Refuses a page without marks before the measurement.
    between_marks(output, "")
    with tqdm(total=len(THREADS) * len(arguments), leave=False, disable=None) as bar:
        rows = [measure(Path(path), flags.windows, bar.update) for path in arguments]
    runtime = f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}"
    body = [cells(row) for row in rows]
    note = (
        f"\nMedians of up to {flags.windows} windows on {machine()}, {runtime}. Peak memory is "
        "that of a whole Python process that runs the file and nothing else, with one thread.\n"
    )
    write_text(output, between_marks(output, markdown_table(HEADER, body) + "\n" + note))
    numbers = {"machine": machine(), "runtime": runtime, "windows": flags.windows, "files": rows}
    write_json(output.with_suffix(".json"), numbers)
    print(text_table(HEADER, body))


command = Command("python benchmarks/mobile.py", define_flags, main, positional="FILE...")

if __name__ == "__main__":
    sys.exit(command())
