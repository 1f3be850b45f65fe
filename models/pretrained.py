"""The trained networks that are shipped with the package.

Each is a run folder in weights/: run.json, the TFLite file network.tflite, which restores
recordings, and, if the network can be fine-tuned, its Keras weights in 16 bits, best.weights.h5.
SHA256SUMS lists the checksum of every file. The model cards in cards/ describe how each network was
trained and what it is good for. `python -m wideband.train.ship` adds a network.
"""

import hashlib
import re
from pathlib import Path

from ..command import UserError

WEIGHTS = Path(__file__).parent / "weights"
SUMS = "SHA256SUMS"
KERAS_FILE, TFLITE_FILE = "best.weights.h5", "network.tflite"


def names() -> list[str]:
    """Returns the names of the shipped networks."""
    return sorted({file.partition("/")[0] for file in read_sums()})


def find(name: str) -> Path:
    """Returns the run folder of a shipped network, after checking its files.

    Args:
        name: one of `names()`.

    Raises:
        UserError: there is no such network, or one of its files is missing or damaged.
    """
    sums = {file: expected for file, expected in read_sums().items() if file.startswith(f"{name}/")}
    if not sums:
        raise UserError(f"unknown shipped network {name!r}; choose one of {', '.join(names())}")
    for file, expected in sums.items():
        path = WEIGHTS / file
        if not (path.is_file() and checksum(path) == expected):
            raise UserError(f"{path}: missing or damaged; install wideband again")
    return WEIGHTS / name


def checksum(path: Path) -> str:
    """Returns the SHA-256 of a file, which may be larger than the memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_sums() -> dict[str, str]:
    """Reads the checksum of each file. `sha256sum --check` reads the same file.

    Raises:
        UserError: the file with the checksums is damaged.
    """
    path = WEIGHTS / SUMS
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    sums = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-f]{64})  (\S+)", line)
        if match is None:
            raise UserError(f"{path}: damaged; install wideband again")
        sums[match[2]] = match[1]
    return sums
