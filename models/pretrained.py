"""The trained networks that come with the package, each checked before it is used.

Each is a run folder in weights/: run.json tells what it is, and its numbers stand in
best.weights.h5, in 16 bits, or, of the networks for phones, in network.tflite. SHA256SUMS has the
checksum of every file. The model cards in cards/ tell where they come from and what they are good
for. `python -m wideband.train.ship` puts a network there.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).parent / "weights"
SUMS = "SHA256SUMS"
RECORD, KERAS_FILE, TFLITE_FILE = "run.json", "best.weights.h5", "network.tflite"


def names() -> list[str]:
    """Lists the trained networks that `find` knows."""
    return sorted({file.partition("/")[0] for file in read_sums()})


def find(name: str) -> Path:
    """Finds a trained network and makes sure that its files are as they were shipped.

    Args:
        name: one of `names()`.

    Returns:
        its run folder, or the TFLite file in that.

    Raises:
        ValueError: there is no such network, or a file of it is missing or damaged.
    """
    sums = {file: expected for file, expected in read_sums().items() if file.startswith(f"{name}/")}
    if not sums:
        raise ValueError(f"no trained network is named {name!r}; there are {', '.join(names())}")
    for file, expected in sums.items():
        path = WEIGHTS / file
        if not (path.is_file() and checksum(path) == expected):
            raise ValueError(f"{path}: missing or damaged; install wideband again")
    folder = WEIGHTS / name
    return folder / TFLITE_FILE if is_tflite(name) else folder


def is_tflite(name: str) -> bool:
    """Tells whether a trained network is a TFLite file, which needs no TensorFlow."""
    return (WEIGHTS / name / TFLITE_FILE).is_file()


def record(name: str) -> dict[str, Any]:
    """Reads the run.json of a trained network: recipe, time, machine, versions.

    Raises:
        ValueError: as in `find`.
    """
    find(name)
    return json.loads((WEIGHTS / name / RECORD).read_text(encoding="utf-8"))


def checksum(path: Path) -> str:
    """Gives the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_sums() -> dict[str, str]:
    """Reads which file has which checksum; `sha256sum --check` reads the same."""
    path = WEIGHTS / SUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {file: expected for expected, _, file in (line.partition("  ") for line in lines)}
