"""Prepares a dataset from the recordings of a corpus, on all cores.

Three steps: every recording is measured (`survey`), those that are fit are distributed over shards
(`plan`), and the shards are written. Memory holds the facts of all recordings, but waves only in
pieces of a minute. The bytes depend on the recordings and the settings alone, so the same command
continues a run that was killed: it reads earlier measurements from the journal, and a shard has a
temporary name until it is complete.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from .. import audio
from ..command import UserError
from ..command.files import write_csv, write_json
from ..command.run import quiet_tensorflow
from ..command.workers import OrderedMap, map_in_order
from .corpora import Recording
from .plan import Piece, Settings, plan, waves
from .survey import Measured, count_left_out, describe_left_out, measure_all, totals

if TYPE_CHECKING:
    from .shards import Example

# Files that a killed run may leave behind.
_LEFTOVERS = (".*.dataset.json", ".*.manifest.csv", ".*.*-?????.tfrecord")


def prepare(
    recordings: Sequence[Recording],
    output: Path,
    settings: Settings,
    workers: int | None = None,
    strict: bool = False,
) -> dict[str, Any]:
    """Writes the dataset of a corpus, or continues where an earlier run was stopped.

    Args:
        recordings: with their splits set, sorted by name.
        output: the folder of the dataset.
        settings: how to make it.
        workers: number of worker processes; by default one per core.
        strict: whether to stop at the first recording that would be left out.

    Returns:
        the content of dataset.json: the settings, `totals` by split, and how many recordings
        were `left_out` for which reason.

    Raises:
        UserError: the folder holds another dataset, no recording of the train split is fit, or
            `strict` and a recording is unfit.
    """
    description = settings.to_json() | {"recordings_sha256": _digest(recordings)}
    _start(output, description)
    journal = output / "measured.jsonl"
    if (output / "manifest.csv").exists():
        journal.unlink(missing_ok=True)
        return json.loads((output / "dataset.json").read_text())
    with map_in_order(workers or os.cpu_count() or 1) as in_order:
        measured = measure_all(
            in_order, recordings, journal, settings.sample_rate, settings.patch, strict
        )
        kept = [row for row in measured if not row.reason]
        left_out = count_left_out(measured)
        if not any(row.recording.split == "train" for row in kept):
            # A repaired corpus has another digest; these files would make its preparation fail.
            for path in (journal, output / "dataset.json"):
                path.unlink()
            raise UserError(
                f"no recording is fit for training; left out of {len(recordings)}: "
                f"{describe_left_out(left_out, settings.sample_rate)}"
            )
        _write_shards(in_order, plan(kept, settings), output)
    results = {"totals": totals(kept), "left_out": left_out, "version": version("wideband")}
    write_json(output / "dataset.json", description | results)
    rows = [_manifest_row(row, settings.sample_rate) for row in measured]
    write_csv(output / "manifest.csv", rows)
    journal.unlink()
    return description | results


def _digest(recordings: Sequence[Recording]) -> str:
    """Returns a SHA-256 of the list of recordings, with the sizes of the files."""
    digest = hashlib.sha256()
    for each in recordings:
        size = each.path.stat().st_size if each.path.exists() else None
        row = (each.name, size, each.speaker, each.text, each.split)
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def _start(output: Path, description: dict[str, Any]) -> None:
    """Prepares the folder for a new run, or for one that continues the same dataset."""
    path = output / "dataset.json"
    if (output / "manifest.csv").exists() and not path.exists():
        raise UserError(
            f"{output}: has a manifest.csv of something else, which would be overwritten; "
            f"choose another --output"
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_json(path, description)
        _remove_leftovers(output)
        found = json.loads(path.read_text())
    except OSError as error:
        raise UserError(
            f"{output}: cannot be written to ({error.strerror}); choose another --output"
        ) from error
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: not the description of a dataset ({error}); choose another --output"
        ) from error
    _check_same_dataset(output, found, description)


def _remove_leftovers(output: Path) -> None:
    for pattern in _LEFTOVERS:
        for leftover in output.glob(pattern):
            leftover.unlink()


def _check_same_dataset(output: Path, found: dict[str, Any], description: dict[str, Any]) -> None:
    """Raises a UserError if a folder's dataset.json describes another dataset."""
    for key, value in description.items():
        if found.get(key) != value:
            if key == "recordings_sha256":
                difference = "other recordings, or other sizes, speakers, texts or splits"
            else:
                difference = f"{key} {found.get(key)}, not {value}"
            raise UserError(
                f"{output}: holds a dataset made with {difference}; choose another --output"
            )


def _write_shards(in_order: OrderedMap, shards: dict[str, list[Piece]], output: Path) -> None:
    """Writes the shards that are not there yet."""
    # Workers run without TensorFlow; only this process writes shards.
    quiet_tensorflow()
    from .shards import Example, write

    missing = {name: pieces for name, pieces in shards.items() if not (output / name).exists()}
    pieces = [piece for shard in missing.values() for piece in shard]
    results = in_order(waves, pieces)
    with tqdm(total=len(pieces), desc="writing", unit=" waves", dynamic_ncols=True) as bar:

        def examples(shard: Iterable[Piece]) -> "Iterator[Example]":
            for piece in shard:
                high, low = next(results)
                recording, start = piece.recording, piece.start_seconds
                yield Example(recording.name, recording.speaker, recording.text, start, high, low)
                bar.update()

        for name, shard in missing.items():
            write(output / name, examples(shard))


def _manifest_row(measured: Measured, sample_rate: int) -> dict[str, Any]:
    """Makes a row of manifest.csv; `samples` are at the dataset's rate."""
    recording, facts, reason = measured
    row = {
        "split": recording.split,
        "path": recording.name,
        "speaker": recording.speaker,
        "seconds": "",
        "samples": "",
        "text": recording.text,
        "peak": "",
        "rms": "",
        "bandwidth_hz": "",
        "reason": reason,
    }
    if facts is not None:
        row["seconds"] = f"{facts.seconds:.3f}"
        row["samples"] = str(audio.resampled_length(facts.frames, facts.sample_rate, sample_rate))
        row["peak"] = f"{facts.peak:.5f}"
        row["rms"] = f"{facts.rms:.5f}"
        row["bandwidth_hz"] = f"{facts.bandwidth_hz:.0f}"
    # Escapes names that are not in UTF-8.
    return {key: value.encode("utf-8", "backslashreplace").decode() for key, value in row.items()}
