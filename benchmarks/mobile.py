"""Measures TFLite files of wideband-export on this machine, in a table and in numbers.

python benchmarks/mobile.py stream.tflite stream-int8.tflite --output=docs/mobile.md

Run it while nothing else does. Each file is run in processes of its own, with one thread and with
two, window after window. It needs the extra `tflite`, and no TensorFlow.
"""

import importlib.metadata
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from absl import flags
from wideband.command import UserError
from wideband.command.files import replacing
from wideband.command.run import machine, run_command

_OUTPUT = flags.DEFINE_string(
    "output",
    "mobile.md",
    "Markdown file; in one that exists, what stands between two marks. The numbers go to a file "
    "beside it that ends in .json.",
)
_WINDOWS = flags.DEFINE_integer("windows", 300, "Windows that are timed.", lower_bound=1)

THREADS = (1, 2)
WARM_UP = 10
HEADER = ["file", "network", "numbers", "size, MB", "window, ms of audio", "ms per window"]
HEADER += ["real-time factor, 1 thread", "2 threads", "peak memory, MiB"]


def run_alone(path: str, threads: int, windows: int) -> tuple[float, float]:
    """Runs a file over noise by the interpreter alone, in a process that does nothing else.

    Args:
        path: of the file.
        threads: that it computes with.
        windows: how many are timed.

    Returns:
        the median of seconds per window, and the most memory in MiB that the whole process ever
        had in use: Python, NumPy and LiteRT are in it.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    taken = []
    for _ in range(WARM_UP + windows):
        # The wave and, where there are any, its states.
        for tensor in interpreter.get_input_details():
            noise = rng.normal(0, 0.1, tensor["shape"]).astype(np.float32)
            interpreter.set_tensor(tensor["index"], noise)
        started = time.perf_counter()
        interpreter.invoke()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[WARM_UP:]), peak_mebibytes()


def peak_mebibytes() -> float:
    """Gives the most memory in MiB that this process ever had in use."""
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux's ru_maxrss begins at the peak of the process that started this one.
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(path: Path, windows: int, progress: Callable[[], object]) -> dict[str, str | float]:
    """Measures a file.

    Args:
        path: of the file.
        windows: how many are timed.
        progress: is called once for every number of threads.

    Raises:
        UserError: it is no file of wideband-export, or cannot be run.
    """
    from wideband.upsample.tflite import TFLiteNetwork

    # It tells in one line why a file cannot be run.
    facts = TFLiteNetwork(path).facts
    seconds = facts.factor * facts.hop / facts.sample_rate
    found = []
    for threads in THREADS:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as alone:
            found.append(alone.submit(run_alone, str(path), threads, windows).result())
        progress()
    (one, peak), (two, _) = found
    return {
        "file": path.name,
        "network": facts.network,
        "quantize": facts.quantize,
        "bytes": path.stat().st_size,
        "window_milliseconds": 1000 * seconds,
        "milliseconds_per_window": 1000 * one,
        "real_time_factor": one / seconds,
        "real_time_factor_2_threads": two / seconds,
        "peak_mebibytes": peak,
    }


def cells(row: dict) -> list[str]:
    """Lays out what was measured of a file."""
    return [
        *(row["file"], row["network"], row["quantize"]),
        f"{row['bytes'] / 1e6:.2f}",
        f"{row['window_milliseconds']:.0f}",
        f"{row['milliseconds_per_window']:.2f}",
        f"{row['real_time_factor']:.4f}",
        f"{row['real_time_factor_2_threads']:.4f}",
        f"{row['peak_mebibytes']:.0f}",
    ]


def main(arguments: Sequence[str]) -> None:
    """Measures every file that is named, and writes the table and the numbers."""
    if not arguments:
        raise UserError("name at least one file of wideband-export")
    # Not at the top: the processes that are measured read this file too.
    from tqdm import tqdm
    from wideband.evaluate.summary import between_marks, markdown_table, text_table

    output = Path(_OUTPUT.value)
    # A page without its marks is told of before minutes are spent.
    between_marks(output, "")
    with tqdm(total=len(THREADS) * len(arguments), leave=False) as bar:
        rows = [measure(Path(path), _WINDOWS.value, bar.update) for path in arguments]
    runtime = f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}"
    body = [cells(row) for row in rows]
    told = (
        f"\nMedians of {_WINDOWS.value} windows on {machine()}, {runtime}. Peak memory is that of "
        "a whole Python process which runs the file and nothing else, with one thread.\n"
    )
    page = between_marks(output, markdown_table(HEADER, body) + "\n" + told)
    with replacing(output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    numbers = {"machine": machine(), "runtime": runtime, "windows": _WINDOWS.value, "files": rows}
    with replacing(output.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    print(text_table(HEADER, body))


if __name__ == "__main__":
    run_command(main)
