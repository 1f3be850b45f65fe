"""Prepares a dataset from the recordings of a corpus, on all cores.

Three steps: every recording is measured (`survey`) and cut into records (`spool`), the records of
those that are fit are distributed over shards (`plan`), and each shard is written by one worker
process. Memory holds the facts of all recordings, but waves of one recording per worker only, of a
long one in pieces of a minute. The bytes depend on the recordings and the settings alone, so the
same command continues a run that was killed, and repairs a dataset that was damaged: it reads
earlier measurements from the journal, and keeps the shards that are complete.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..command import UserError
from ..command.files import write_csv, write_json, writing
from ..command.locks import locked
from ..command.workers import OrderedMap, map_in_order
from . import layout, tfio
from .corpora import SPLITS, TFIO, Found, Store
from .dataset import Dataset
from .journal import Journal
from .plan import Source, cut, decoded_waves, plan
from .settings import DECODERS, DEFAULTS, Settings
from .shards import is_intact, write, write_records
from .spool import Spool, spool
from .survey import (
    Measured,
    count_by_reason,
    describe_left_out,
    measure_all,
    measure_recording,
)

# Requests at a time for the sizes of objects in a store.
_THREADS = 32
# Recordings that wait for a worker, if they are waves and if they are names.
_AHEAD_DECODED, _AHEAD = 2, 100
# What a dataset consists of, besides its dataset.json.
DATA_FILES = ("manifest.csv", "*-?????.tfrecord")


def prepare(
    corpus: Found,
    output: Path,
    settings: Settings,
    workers: int | None = None,
    strict: bool = False,
) -> Dataset:
    """Writes the dataset of a corpus, or continues where an earlier run was stopped.

    Args:
        corpus: its recordings have their splits, and are sorted by name.
        output: the folder of the dataset.
        settings: how to make it.
        workers: number of worker processes; by default one per core.
        strict: whether to stop at the first recording that would be left out.

    Raises:
        UserError: the settings do not fit together, the folder holds another dataset or cannot be
            written to, another process prepares a dataset in it, no recording of the train split
            is fit, a recording changes meanwhile, or `strict` and a recording is unfit.
    """
    check(corpus, settings, strict)
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    busy = f"{output}: another wideband-prepare works here; wait for it, or choose another --output"
    with locked(output, busy):
        description = describe(corpus, settings)
        _start(output, description)
        journal = Journal(output / "measured.jsonl")
        if not is_finished(output):
            processes = min(workers or os.cpu_count() or 1, len(corpus.recordings))
            decode = _decode(settings.decoder)
            ahead = _AHEAD_DECODED if decode else _AHEAD
            with spool(output, settings) as records, map_in_order(processes, ahead) as in_order:
                measured = measure_all(
                    in_order,
                    corpus.recordings,
                    journal,
                    settings,
                    strict,
                    decode,
                    measure_recording if decode else records.measure,
                )
                try:
                    check_trainable(measured, settings)
                except UserError:
                    # A repaired corpus has another digest; these would make its preparation fail.
                    journal.remove()
                    (output / "dataset.json").unlink()
                    raise
                _write_shards(in_order, plan(measured, settings), output, records, decode)
            write_results(measured, corpus.left_out, settings, description, output)
        journal.remove()
        return Dataset(output)


def check(corpus: Found, settings: Settings, strict: bool) -> None:
    """Raises a UserError for what is wrong before anything is measured."""
    if strict:
        for name, reason in corpus.left_out.items():
            raise UserError(f"{name}: {reason}")
    if not any(recording.split == "train" for recording in corpus.recordings):
        raise UserError(
            "no recording is in the train split; add some, or choose another --split_rule"
        )
    longest = layout.PIECE_SECONDS * settings.sample_rate
    if settings.shortest > longest:
        raise UserError(
            f"patch {settings.patch} or the numerator of the ratio {settings.ratio} is longer than "
            f"the pieces of a recording, {longest} samples or {layout.PIECE_SECONDS} s; choose a "
            "smaller one"
        )


def is_finished(output: Path) -> bool:
    """Whether a folder holds a dataset with complete shards."""
    try:
        dataset = Dataset(output)
        for split in SPLITS:
            dataset.check(split)
    except UserError:
        return False
    return True


def describe(corpus: Found, settings: Settings, store: Store = TFIO) -> dict[str, Any]:
    """Describes a dataset as dataset.json does before there are results.

    Args:
        corpus: its recordings have their splits.
        settings: how to make the dataset.
        store: what reads the recordings that are in an object store.

    Returns:
        the settings, and a SHA-256 of the list of recordings with the sizes of the files.
    """
    digest = hashlib.sha256()
    # Object stores take their time to answer.
    with ThreadPoolExecutor(_THREADS) as executor:
        sizes = list(executor.map(lambda each: _size(each.path, store), corpus.recordings))
    for each, size in zip(corpus.recordings, sizes, strict=True):
        row = (each.name, size, each.speaker, each.text, each.split)
        digest.update(json.dumps(row).encode())
    return settings.to_json() | {"recordings_sha256": digest.hexdigest()}


def _size(path: Path | str, store: Store) -> int | None:
    """Returns the size of a file, None for one that is left out because it cannot be read."""
    if isinstance(path, str):
        return store.size(path)
    try:
        return path.stat().st_size
    except OSError:
        return None


def _start(output: Path, description: dict[str, Any]) -> None:
    """Prepares the folder for a new dataset, or for one that is continued."""
    path = output / "dataset.json"
    content = path.read_bytes() if path.exists() else None
    check_folder(output, content, chain(*map(output.glob, DATA_FILES)), description)
    if content is None:
        write_json(path, description)


def check_folder(
    output: Path | str,
    content: bytes | None,
    others: Iterable[Path | str],
    description: dict[str, Any],
) -> None:
    """Checks that a dataset can be written into a folder, or continued there.

    Args:
        output: the folder.
        content: of its dataset.json, None if there is none.
        others: the files there that have the names `DATA_FILES`.
        description: of the dataset.

    Raises:
        UserError: the folder holds another dataset, or files that would be overwritten.
    """
    if content is None:
        for other in others:
            raise UserError(
                f"{other}: belongs to something else and would be overwritten; choose another "
                "--output"
            )
        return
    try:
        found = json.loads(content)
        if not isinstance(found, dict):
            raise TypeError("not an object")
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{output}/dataset.json: not the description of a dataset ({error}); choose another "
            "--output"
        ) from error
    _check_same_dataset(output, found, description)


def _check_same_dataset(
    output: Path | str, found: dict[str, Any], description: dict[str, Any]
) -> None:
    """Raises a UserError if a folder's dataset.json describes another dataset."""
    found = DEFAULTS | found
    for key, value in (DEFAULTS | description).items():
        if found.get(key) != value:
            if key == "recordings_sha256":
                difference = "other recordings, or other sizes, speakers, texts or splits"
            else:
                difference = f"{key} {found.get(key)}, not {value}"
            raise UserError(
                f"{output}: holds a dataset made with {difference}; choose another --output"
            )


def check_trainable(measured: Sequence[Measured], settings: Settings) -> None:
    """Raises a UserError if no recording of the train split is fit."""
    if any(row.recording.split == "train" and not row.reason for row in measured):
        return
    left_out = count_by_reason(row.reason for row in measured if row.reason)
    advice = ""
    if {"narrow", "low rate"} & set(left_out):
        advice = "; --narrow keeps those of limited band"
        if settings.narrow:
            advice = "; choose a lower --narrow_from"
    raise UserError(
        f"no recording is fit for training; left out of {len(measured)}: "
        f"{describe_left_out(left_out, settings.sample_rate)}{advice}"
    )


def _decode(decoder: str) -> tfio.Decode | None:
    """Returns the function of a decoder that decodes in this process, None for libsndfile."""
    return None if decoder == DECODERS[0] else tfio.decode


def _write_shards(
    in_order: OrderedMap,
    shards: dict[str, list[Source]],
    output: Path,
    records: Spool,
    decode: tfio.Decode | None,
) -> None:
    """Writes the shards that are not there yet, or are damaged."""
    items = [(output / name, sources) for name, sources in shards.items()]
    total = sum(len(sources) for _, sources in items)
    with tqdm(total=total, desc="writing", unit=" waves", dynamic_ncols=True) as bar:
        if decode:
            counts = _write_decoded(in_order, items, decode)
        else:
            counts = in_order(write_shard, ((*item, records) for item in items))
        for count in counts:
            bar.update(count)


def write_shard(item: tuple[Path, Sequence[Source], Spool]) -> int:
    """Writes a shard unless it is there; returns the number of its examples."""
    path, sources, records = item
    if not is_written(path, sources):
        write_records(path, map(records.record, sources))
    for source in sources:
        records.remove(source)
    return len(sources)


def _write_decoded(
    in_order: OrderedMap, items: Sequence[tuple[Path, Sequence[Source]]], decode: tfio.Decode
) -> Iterator[int]:
    """Writes shards, and yields the number of their examples, of recordings decoded here."""
    missing = [item for item in items if not is_written(*item)]
    rest = [source for _, sources in missing for source in sources]
    yield sum(len(sources) for _, sources in items) - len(rest)
    pairs = in_order(decoded_waves, cut(rest, decode))
    for path, sources in missing:
        write(path, (source.example(*next(pairs)) for source in sources))
        yield len(sources)


def is_written(path: Path, sources: Sequence[Source]) -> bool:
    """Whether a shard is there and complete."""
    return is_intact(path, [each.piece for each in sources], sources[0].ratio)


def write_results(
    measured: Sequence[Measured],
    left_out: Mapping[str, str],
    settings: Settings,
    description: Mapping[str, Any],
    output: Path,
) -> None:
    """Writes dataset.json with the totals, and then the manifest."""
    kept = [row.row(settings.sample_rate) for row in measured if not row.reason]
    reasons = [row.reason for row in measured if row.reason] + list(left_out.values())
    results = {
        "totals": layout.totals(kept, settings.sample_rate),
        "left_out": count_by_reason(reasons),
        "version": version("wideband"),
    }
    write_json(output / "dataset.json", {**description, **results})
    rows = [_manifest_row(row, settings.sample_rate) for row in measured]
    rows += [
        {**dict.fromkeys(rows[0], ""), "path": name, "reason": reason}
        for name, reason in left_out.items()
    ]
    write_csv(output / "manifest.csv", rows)


def _manifest_row(measured: Measured, sample_rate: int) -> dict[str, str]:
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
        row["samples"] = str(measured.row(sample_rate).samples)
        row["peak"] = f"{facts.peak:.5f}"
        row["rms"] = f"{facts.rms:.5f}"
        row["bandwidth_hz"] = f"{facts.bandwidth_hz:.0f}"
    return row
