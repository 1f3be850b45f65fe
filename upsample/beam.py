"""Restores recordings with Apache Beam, on the machines of a runner.

Recordings and outputs may be on any file system that Beam has. A model is loaded once per process
of a worker.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam  # pyright: ignore[reportMissingImports]
from apache_beam.options.pipeline_options import PipelineOptions  # pyright: ignore[reportMissingImports]
from apache_beam.utils.shared import Shared  # pyright: ignore[reportMissingImports]

from .. import audio
from ..command import UserError
from ..command.beam import count, delete, here, put, read_bytes, report, run, size
from ..command.paths import is_address
from ..data_gen.beam import search
from . import files
from .loading import check
from .picking import Candidate, candidates
from .restore import restore_file
from .settings import Settings

# The output with the reasons, and the beginning of the name of the file that keeps it.
_LEFT_OUT = "left_out"


class Work(NamedTuple):
    """What a command has to do: as `files.Work`, also with addresses, which are text."""

    pairs: list[tuple[Path | str, Path | str]]
    left_out: dict[Path | str, str]


def pair_inputs(
    inputs: Sequence[str], output: str, suffix: str | None = None, limit: int | None = None
) -> Work:
    """Pairs each recording with its output, as `files.pair_inputs` does.

    Args:
        inputs: files, folders and patterns, and addresses of recordings and folders.
        output: the folder of the outputs, or its address.
        suffix: see `files.pair_inputs`.
        limit: see `files.pair_inputs`.

    Raises:
        UserError: as `files.pair_inputs`, or a file system cannot be read.
    """
    work = Work([], {})
    if paths := [each for each in inputs if not is_address(each)]:
        _add_paths(work, paths, output, suffix)
    for address in (each.rstrip("/") for each in inputs if is_address(each)):
        _add_address(work, address, output, suffix)
    return work._replace(pairs=work.pairs[:limit])


def _add_paths(work: Work, paths: Sequence[str], output: str, suffix: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = is_address(output)
        found = files.pair_inputs(paths, Path(folder if elsewhere else output), suffix)
        for source, target in found.pairs:
            name = target.relative_to(folder).as_posix() if elsewhere else ""
            work.pairs.append((source.absolute(), f"{output}/{name}" if name else target))
    work.left_out.update(found.left_out.items())


def _add_address(work: Work, address: str, output: str, suffix: str | None) -> None:
    found, left_out = search(address)
    if not found and size(address) is not None:
        found = {address.rpartition("/")[2]: address}
    for name, source in sorted(found.items()):
        work.pairs.append((source, f"{output}/{files.target_path(Path(name), suffix).as_posix()}"))
    work.left_out.update({f"{address}/{name}": why for name, why in left_out.items()})
    if not found and not left_out:
        work.left_out[address] = f"no recordings ({', '.join(audio.SUFFIXES)}) here"


def restore(
    pairs: Sequence[tuple[Path | str, Path | str]],
    output: str,
    model: Sequence[Any],
    settings: Settings,
    options: PipelineOptions,
) -> list[UserError]:
    """Restores recordings.

    Args:
        pairs: each recording and its output.
        output: the folder of the outputs, absolute, or its address. What is left out is listed
            there, too, in left_out.jsonl.
        model: the arguments of `picking.candidates`.
        settings: how to restore the recordings.
        options: of the pipeline.

    Returns:
        an error for each recording that was left out.

    Raises:
        UserError: a file system cannot be read or written, or a model cannot be loaded.
    """
    for name in model[0]:
        check(name)
    address = f"{output}/{_LEFT_OUT}.jsonl"

    def build(pipeline: beam.Pipeline) -> None:
        restored = (
            pipeline
            | "recordings" >> beam.Create([(each, str(target)) for each, target in pairs])
            | "distribute" >> beam.Reshuffle()
            | "restore" >> beam.ParDo(_Restore(model, settings)).with_outputs(_LEFT_OUT)
        )
        write = beam.io.WriteToText(address, num_shards=1, shard_name_template="")
        _ = restored[_LEFT_OUT] | "write what is left out" >> write

    report(run(options, build))
    lines = read_bytes(address).splitlines()
    if not lines:
        delete([address])
    return [UserError(json.loads(line)) for line in sorted(lines)]


class _Models(list[Candidate]):
    """Models that a worker's threads share; a plain list has no weak references."""


class _Restore(beam.DoFn):
    """Restores a recording; the errors of those that cannot be restored go to a side output."""

    def __init__(self, model: Sequence[Any], settings: Settings) -> None:
        self._load = partial(_load, model)
        self._settings = settings
        self._shared = Shared()

    def process(self, pair: tuple[Path | str, str]) -> Iterator[Any]:
        models = self._shared.acquire(self._load)
        source, target = pair
        with tempfile.TemporaryDirectory() as folder:
            restored = Path(folder) / "restored" / target.rpartition("/")[2]
            try:
                with here(source) as path:
                    restore_file(models, path, restored, self._settings, lambda seconds: None)
            except UserError as error:
                count("recordings_left_out")
                message = str(error).replace(str(restored), target)
                yield beam.pvalue.TaggedOutput(_LEFT_OUT, json.dumps(message))
                return
            put(restored, target)
        count("recordings_restored")


def _load(model: Sequence[Any]) -> _Models:
    count("models_loaded")
    return _Models(candidates(*model))
