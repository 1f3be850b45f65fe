"""From the recordings of a corpus to the shards of a dataset, on all cores, resumably.

Three steps: every recording is measured, the fit ones are shared out among shards, the shards are
written. Only figures of whole recordings are ever held in memory; waves pass in pieces of a
minute. The bytes depend on the recordings and the settings alone, so that a run that was killed
is continued by the same command: what was measured stands in `measured.jsonl`, and a shard is
written under a temporary name until it is whole.
"""

import csv
import dataclasses
import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from .. import audio
from ..audio import Ratio
from ..audio.measure import Facts, measure, reason_to_skip
from ..command import UserError
from ..command.files import replacing
from ..command.run import quiet_tensorflow
from ..command.workers import pool as worker_pool
from . import degrade
from .corpora import SPLITS, Recording
from .dataset import PIECE_SECONDS, piece_lengths

# Ten minutes at 16 kHz: a small corpus still has several shards, a large one not too many.
SHARD_SAMPLES = 600 * 16000
# Read on either side of a piece, so that resampling sees no border there. soxr's longest filter
# spans 0.1 s at these rates; a whole second keeps the instants of both rates in step.
MARGIN_SECONDS = 1


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the bytes of a dataset depend on, besides the recordings."""

    corpus: str
    split_rule: str
    valid_fraction: float
    test_fraction: float
    seed: int
    sample_rate: int
    ratio: Ratio
    protocol: str
    patch: int

    def described(self) -> dict[str, Any]:
        """Returns the settings as dataset.json holds them: a quotient is text."""
        ratio = self.ratio if isinstance(self.ratio, int) else str(self.ratio)
        return dataclasses.asdict(self) | {"ratio": ratio}


class Measured(NamedTuple):
    """A recording, its facts (None if it cannot be read) and why it is left out ("" if kept)."""

    recording: Recording
    facts: Facts | None
    reason: str


class Piece(NamedTuple):
    """A minute of a recording, or the whole of a shorter one; all that a worker needs for it."""

    recording: Recording
    source_rate: int
    start_seconds: int
    sample_rate: int
    ratio: Ratio
    protocol: str


def prepare(
    recordings: Sequence[Recording],
    output: Path,
    settings: Settings,
    workers: int | None = None,
    strict: bool = False,
) -> dict:
    """Writes the dataset of a corpus, or continues where an earlier run was stopped.

    Args:
        recordings: with their splits set, sorted by name.
        output: the folder of the dataset.
        settings: how to make it.
        workers: processes that read and degrade; as many as there are cores by default.
        strict: stop at the first recording that would be left out.

    Returns:
        the content of dataset.json: the settings, `totals` by split, and how many recordings
        were `left_out` for which reason.

    Raises:
        UserError: the folder holds another dataset, no recording of the train split is fit, or,
            if `strict`, one recording of any split is not.
    """
    description = settings.described() | {"recordings_sha256": _digest(recordings)}
    _start(output, description)
    journal = output / "measured.jsonl"
    if (output / "manifest.csv").exists():
        journal.unlink(missing_ok=True)
        return json.loads((output / "dataset.json").read_text())
    with _pool(workers or os.cpu_count() or 1) as in_order:
        measured = _measure_all(in_order, recordings, journal, settings, strict)
        kept = [row for row in measured if not row.reason]
        if not any(row.recording.split == "train" for row in kept):
            # Repaired, the recordings are others, and would be refused here.
            for path in (journal, output / "dataset.json"):
                path.unlink()
            raise UserError(
                f"no recording is fit for training; left out of {len(recordings)}: "
                f"{describe_left_out(_left_out(measured))}"
            )
        _write_shards(in_order, plan(kept, settings), output)
    description |= {
        "totals": _totals(kept),
        "left_out": _left_out(measured),
        "version": version("wideband"),
    }
    _write_json(output / "dataset.json", description)
    _write_manifest(output / "manifest.csv", measured, settings.sample_rate)
    journal.unlink()
    return description


def describe_left_out(left_out: dict[str, int]) -> str:
    """Tells in words how many recordings were left out for which reasons."""
    return ", ".join(f"{n} {reason}" for reason, n in left_out.items()) or "none"


def plan(kept: Iterable[Measured], settings: Settings) -> dict[str, list[Piece]]:
    """Shares the pieces of recordings out among shards.

    Those of the train split are shuffled, with the seed of the settings: `pipeline.patches` reads
    all shards side by side, and where one of them held long recordings alone, it would be used up
    before the others. A recording's last piece is dropped if it is shorter than a patch.

    Returns:
        the name of each shard's file and the pieces that it holds.
    """
    shards: dict[str, list[Piece]] = {}
    for split in SPLITS:
        pieces = [
            piece_and_length
            for recording, facts, _ in kept
            if recording.split == split and facts is not None
            for piece_and_length in _cut(recording, facts, settings)
        ]
        if split == "train":
            np.random.default_rng(settings.seed).shuffle(pieces)
        number, room = -1, 0
        for piece, length in pieces:
            if number < 0 or length > room:
                number, room = number + 1, SHARD_SAMPLES
            room -= length
            shards.setdefault(f"{split}-{number:05d}.tfrecord", []).append(piece)
    return shards


def _cut(recording: Recording, facts: Facts, settings: Settings) -> Iterator[tuple[Piece, int]]:
    """Cuts a recording into pieces, and tells how many samples each has."""
    n = audio.resampled_length(facts.frames, facts.sample_rate, settings.sample_rate)
    lengths = piece_lengths(n, settings.sample_rate, settings.patch)
    for number, length in enumerate(lengths):
        piece = Piece(
            recording,
            facts.sample_rate,
            number * PIECE_SECONDS,
            settings.sample_rate,
            settings.ratio,
            settings.protocol,
        )
        yield piece, length


def waves(piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Reads a piece and makes its low side.

    Returns:
        high (n,) in 16 bits as it is stored, n a multiple of the ratio, and low (n / ratio,)
        float32, made from the rounded high so that the two agree.
    """
    first_second = max(0, piece.start_seconds - MARGIN_SECONDS)
    last_second = piece.start_seconds + PIECE_SECONDS + MARGIN_SECONDS
    wave, _ = audio.read(
        piece.recording.path, first_second * piece.source_rate, last_second * piece.source_rate
    )
    wave = audio.resample(audio.mono(wave), piece.source_rate, piece.sample_rate)
    start = (piece.start_seconds - first_second) * piece.sample_rate
    wave = wave[start : start + PIECE_SECONDS * piece.sample_rate]
    high = audio.to_int16(degrade.crop(wave, piece.ratio))
    low = degrade.get(piece.protocol).down(audio.from_int16(high), piece.ratio)
    return high, low


def _digest(recordings: Sequence[Recording]) -> str:
    digest = hashlib.sha256()
    for each in recordings:
        size = each.path.stat().st_size if each.path.exists() else None
        row = (each.name, size, each.speaker, each.text, each.split)
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def _start(output: Path, description: dict) -> None:
    """Writes dataset.json, or checks that the folder's own says the same, and tidies up."""
    path = output / "dataset.json"
    if (output / "manifest.csv").exists() and not path.exists():
        raise UserError(
            f"{output}: has a manifest.csv that is no dataset's, and it would be overwritten; "
            f"choose another --output"
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_json(path, description)
        # What a killed run leaves behind.
        for pattern in (".*.dataset.json", ".*.manifest.csv", ".*.*-?????.tfrecord"):
            for leftover in output.glob(pattern):
                leftover.unlink()
        found = json.loads(path.read_text())
    except OSError as error:
        raise UserError(
            f"{output}: cannot be written to ({error.strerror}); choose another --output"
        ) from error
    except ValueError as error:
        raise UserError(f"{path}: not the description of a dataset: {error}") from error
    for key, value in description.items():
        if found.get(key) != value:
            if key == "recordings_sha256":
                told = "other recordings, or other sizes, speakers, texts or splits of them"
            else:
                told = f"{key} {found.get(key)}, not {value}"
            raise UserError(f"{output}: holds a dataset made with {told}; choose another --output")


@contextmanager
def _pool(workers: int) -> Iterator[Callable[[Callable, Iterable], Iterator]]:
    """Starts worker processes; gives a map over them.

    It yields the results in order and holds few of them at a time, whatever their number.
    """
    pool = worker_pool(workers)

    def in_order(function: Callable, items: Iterable) -> Iterator:
        waiting = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield in_order
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed, perhaps for want of memory; "
            "the same command with fewer --workers continues"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _facts(recording: Recording) -> Facts | str:
    """Measures a recording; the error in words if it cannot be read."""
    try:
        recording.name.encode()
        return measure(recording.path)
    except UnicodeEncodeError:
        return "its name is not in UTF-8"
    except UserError as error:
        return str(error).removeprefix(f"{recording.path}: ")


def _measure_all(
    in_order: Callable,
    recordings: Sequence[Recording],
    journal: Path,
    settings: Settings,
    strict: bool,
) -> list[Measured]:
    """Measures what the journal does not hold yet, and adds it there."""
    known: dict[str, Facts | str] = {}
    if journal.exists():
        for line in journal.read_text().splitlines():
            try:
                name, facts = json.loads(line)
            except ValueError:
                continue  # the line at which the run was killed
            known[name] = facts if isinstance(facts, str) else Facts(*facts)
    measured = []
    news = in_order(_facts, (each for each in recordings if each.name not in known))
    with journal.open("a") as file:
        file.write("\n")
        for each in tqdm(recordings, "measuring", unit=" recordings", dynamic_ncols=True):
            facts = known.get(each.name)
            if facts is None:
                facts = next(news)
                file.write(json.dumps([each.name, facts]) + "\n")
                file.flush()
            if isinstance(facts, str):
                row = Measured(each, None, f"unreadable: {facts}")
            else:
                row = Measured(
                    each, facts, reason_to_skip(facts, settings.sample_rate, settings.patch)
                )
            if strict and row.reason:
                raise UserError(f"{each.path}: {row.reason}")
            measured.append(row)
    return measured


def _write_shards(in_order: Callable, shards: dict[str, list[Piece]], output: Path) -> None:
    # The workers do without TensorFlow.
    quiet_tensorflow()
    from .shards import Example, write

    todo = {name: pieces for name, pieces in shards.items() if not (output / name).exists()}
    pieces = [piece for shard in todo.values() for piece in shard]
    results = in_order(waves, pieces)
    with tqdm(total=len(pieces), desc="writing", unit=" waves", dynamic_ncols=True) as bar:

        def examples(shard: Iterable[Piece]) -> Iterator[Example]:
            for piece in shard:
                high, low = next(results)
                of, wave = piece.recording, audio.from_int16(high)
                yield Example(of.name, of.speaker, of.text, piece.start_seconds, wave, low)
                bar.update()

        for name, shard in todo.items():
            write(output / name, examples(shard))


def _totals(kept: Sequence[Measured]) -> dict[str, dict]:
    totals = {}
    for split in SPLITS:
        rows = [row for row in kept if row.recording.split == split]
        totals[split] = {
            "recordings": len(rows),
            "seconds": round(sum(row.facts.seconds for row in rows if row.facts), 3),
            "speakers": len({row.recording.speaker for row in rows}),
        }
    return totals


def _left_out(measured: Iterable[Measured]) -> dict[str, int]:
    """How many recordings were left out for each reason."""
    return dict(sorted(Counter(row.reason.split(":")[0] for row in measured if row.reason).items()))


def _write_json(path: Path, content: dict) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def _write_manifest(path: Path, measured: Iterable[Measured], sample_rate: int) -> None:
    columns = "split,path,speaker,seconds,samples,text,peak,rms,bandwidth_hz,reason"
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split(","))
        for recording, facts, reason in measured:
            seconds = samples = peak = rms = bandwidth = ""
            if facts is not None:
                samples = audio.resampled_length(facts.frames, facts.sample_rate, sample_rate)
                seconds, bandwidth = f"{facts.seconds:.3f}", f"{facts.bandwidth_hz:.0f}"
                peak, rms = f"{facts.peak:.5f}", f"{facts.rms:.5f}"
            split, speaker, text = recording.split, recording.speaker, recording.text
            row = [split, recording.name, speaker, seconds, samples, text, peak, rms, bandwidth]
            writer.writerow([*row, reason])
