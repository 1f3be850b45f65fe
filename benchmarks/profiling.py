"""The share of a training step that is spent in LSTMs and in Fourier transforms."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

# The events of operations are named name:Type.
_OPERATION = re.compile(r"([\w./]+):(\w+)")
# These contain the events of others.
_CONTAINERS = ("PartitionedCall", "StatefulPartitionedCall", "While", "If", "Case")


def shares(step: Callable[[], object]) -> dict[str, float]:
    """Runs a step under TensorFlow's profiler.

    Returns:
        "lstm" and "fourier" -> their share of the computing time of all operations.
    """
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        step()
        tf.profiler.experimental.stop()
        (path,) = Path(folder).rglob("*.xplane.pb")
        durations = _durations(path)
    total = sum(durations.values())
    return {kind: durations[kind] / total for kind in ("lstm", "fourier")}


def _durations(path: Path) -> Counter[str]:
    """Adds up the time of the operations on the CPU, in picoseconds, by kind."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    durations: Counter[str] = Counter()
    for plane in space.planes:
        if plane.name != "/host:CPU":
            continue
        for line in plane.lines:
            for event in line.events:
                found = _OPERATION.fullmatch(plane.event_metadata[event.metadata_id].name)
                if found and found[2] not in _CONTAINERS:
                    durations[_kind(found[1], found[2])] += event.duration_ps
    return durations


def _kind(name: str, operation: str) -> str:
    """Returns what an operation is part of."""
    if "lstm" in name.lower():
        return "lstm"
    return "fourier" if re.fullmatch(r"I?R?FFT\d?D?", operation) else "other"
