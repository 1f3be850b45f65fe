"""Prepares a dataset with Apache Beam: the same bytes as `prepare`, on the machines of a runner.

Two pipelines: one measures the recordings, the other one makes the shards, each by one worker.
Between them, this process plans the shards. Recordings and the dataset may be on any file system
that Beam has; workers copy each file that is not on theirs while they need it.
"""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import apache_beam as beam  # pyright: ignore[reportMissingImports]
from apache_beam.options.pipeline_options import PipelineOptions  # pyright: ignore[reportMissingImports]

from .. import audio
from ..audio.measure import Facts
from ..audio.search import FOREIGN_SUFFIXES
from ..command import UserError
from ..command.beam import count, delete, fetch, find, here, put, read_bytes, report, run, size
from ..command.files import write_json
from .corpora import Found, Recording, Store
from .dataset import Dataset
from .journal import Journal
from .plan import Source, plan, waves
from .prepare import (
    DATA_FILES,
    check,
    check_folder,
    check_trainable,
    describe,
    is_written,
    write_results,
)
from .settings import Settings
from .shards import Example, write
from .survey import Measured, measure_all, measure_recording

# The outputs of measuring, and the beginnings of the files that keep them.
MEASURED, UNREADABLE = "measured", "unreadable"
_MEASUREMENTS = (MEASURED, UNREADABLE)


def search(address: str) -> tuple[dict[str, str], dict[str, str]]:
    """Searches a folder of a file system of Beam, as `tfio.search` does."""
    found: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for each in find(f"{address}/**"):
        name = each.path.removeprefix(f"{address}/")
        suffix = PurePosixPath(name).suffix.lower()
        if any(part.startswith(".") for part in name.split("/")):
            continue
        if suffix in audio.SUFFIXES:
            found[name] = each.path
        elif suffix in FOREIGN_SUFFIXES:
            left_out[name] = "not read: convert it to flac or wav"
    return found, left_out


STORE = Store(search, read_bytes, size)


def prepare(
    corpus: Found,
    output: str,
    settings: Settings,
    options: PipelineOptions,
    folder: Path,
    strict: bool = False,
) -> bool:
    """Writes the dataset of a corpus, or completes what an earlier run left.

    Args:
        corpus: its recordings have their splits, and are sorted by name.
        output: the folder of the dataset, an absolute path or an address.
        settings: how to make it.
        options: of the pipelines.
        folder: an empty folder on this machine, which gets dataset.json and manifest.csv, too.
        strict: whether to stop at the first recording that would be left out.

    Returns:
        whether the dataset was finished already.

    Raises:
        UserError: as `prepare.prepare`, or a file system cannot be read or written.
    """
    check(corpus, settings, strict)
    description = describe(corpus, settings, STORE)
    path = f"{output}/dataset.json"
    content = read_bytes(path) if size(path) is not None else None
    others = (each.path for pattern in DATA_FILES for each in find(f"{output}/{pattern}"))
    check_folder(output, content, others, description)
    if _is_finished(output, folder):
        return True
    if content is None:
        write_json(folder / "dataset.json", description)
        put(folder / "dataset.json", path)
    measured = _measure_all(corpus.recordings, output, settings, options, folder, strict)
    try:
        check_trainable(measured, settings)
    except UserError:
        # As in `prepare.prepare`: a repaired corpus is another one.
        delete([path, *_measurements(output)])
        raise
    shards = list(plan(measured, settings).items())
    report(run(options, lambda pipeline: _write_all(pipeline, shards, output)))
    write_results(measured, corpus.left_out, settings, description, folder)
    # The manifest comes last: a folder without it is unfinished.
    for name in ("dataset.json", "manifest.csv"):
        put(folder / name, f"{output}/{name}")
    delete(_measurements(output))
    return False


def _is_finished(output: str, folder: Path) -> bool:
    """Whether all files of a dataset are there; copies those that describe it."""
    try:
        for name in ("dataset.json", "manifest.csv"):
            fetch(f"{output}/{name}", folder)
        found = {PurePosixPath(each.path).name for each in find(f"{output}/*.tfrecord")}
        return Dataset(folder).pieces.keys() <= found
    except UserError:
        return False


# Measuring


def _measurements(output: str) -> list[str]:
    """Lists the files with measurements, as lines of a journal."""
    patterns = (f"{output}/{name}-*.jsonl" for name in _MEASUREMENTS)
    return [each.path for pattern in patterns for each in find(pattern)]


def _measure_all(
    recordings: Sequence[Recording],
    output: str,
    settings: Settings,
    options: PipelineOptions,
    folder: Path,
    strict: bool,
) -> list[Measured]:
    """Measures the recordings that were not measured before; see `survey.measure_all`."""
    journal = Journal(folder / "measured.jsonl")

    def read() -> dict[str, Facts | str]:
        journal.path.write_bytes(b"\n".join(map(read_bytes, _measurements(output))))
        return journal.read()

    known = read()
    if rest := [each for each in recordings if each.name not in known]:
        report(run(options, lambda pipeline: _measure(pipeline, rest, output)))
        read()
    return measure_all(
        map,
        recordings,
        journal,
        settings,
        strict,
    )


def _measure(pipeline: beam.Pipeline, recordings: Sequence[Recording], output: str) -> None:
    """Adds the transforms that measure recordings."""
    measured = (
        pipeline
        | "recordings" >> beam.Create(recordings)
        | "distribute" >> beam.Reshuffle()
        | "measure" >> beam.ParDo(_Measure()).with_outputs(UNREADABLE, main=MEASURED)
    )
    # Files of an earlier run stay.
    token = secrets.token_hex(4)
    for name in _MEASUREMENTS:
        write = beam.io.WriteToText(f"{output}/{name}-{token}", ".jsonl")
        _ = measured[name] | f"write {name}" >> write


class _Measure(beam.DoFn):
    """Measures a recording; the lines of unreadable ones go to a side output, with the reason."""

    def process(self, recording: Recording) -> Iterator[Any]:
        try:
            with here(recording.path) as path:
                facts = measure_recording((replace(recording, path=path), None))
                if isinstance(facts, str):
                    raise UserError(facts)
        except UserError as error:
            facts = str(error).removeprefix(f"{recording.path}: ")
        line = json.dumps([recording.name, facts])
        if isinstance(facts, str):
            count("recordings_unreadable")
            yield beam.pvalue.TaggedOutput(UNREADABLE, line)
        else:
            count("recordings_measured")
            count("seconds_measured", round(facts.seconds))
            yield line


# Writing


def _write_all(
    pipeline: beam.Pipeline, shards: Sequence[tuple[str, list[Source]]], output: str
) -> None:
    """Adds the transforms that write shards."""
    _ = (
        pipeline
        | "shards" >> beam.Create(shards)
        | "distribute" >> beam.Reshuffle()
        | "write" >> beam.Map(_write, output)
    )


def _write(shard: tuple[str, list[Source]], output: str) -> None:
    """Writes a shard, unless it is there and complete."""
    name, sources = shard
    address = f"{output}/{name}"
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        if size(address) is not None:
            fetch(address, path.parent)
        if is_written(path, sources):
            count("shards_kept")
            return
        write(path, map(_example, sources))
        put(path, address)
    count("shards_written")
    count("waves_written", len(sources))


def _example(source: Source) -> Example:
    """Makes an example of a recording that may be elsewhere."""
    with here(source.path) as path:
        return source.example(*waves(source._replace(path=path)))
