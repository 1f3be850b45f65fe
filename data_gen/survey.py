"""The survey of a corpus: every recording is measured once, on all cores.

A journal, `measured.jsonl`, keeps the measurements, so that an interrupted run continues.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from ..audio.measure import Facts, measure, reason_to_skip
from ..command import UserError
from ..command.workers import OrderedMap
from .corpora import SPLITS, Recording


class Measured(NamedTuple):
    """A recording, its facts (None if unreadable) and why it is left out ("" if it is kept)."""

    recording: Recording
    facts: Facts | None
    reason: str


def measure_all(
    in_order: OrderedMap,
    recordings: Sequence[Recording],
    journal: Path,
    sample_rate: int,
    patch: int,
    strict: bool = False,
) -> list[Measured]:
    """Measures the recordings that the journal does not hold yet, and adds them to it.

    Args:
        in_order: a map over worker processes (`workers.map_in_order`).
        recordings: of the corpus.
        journal: the file of the journal.
        sample_rate: of the dataset, in Hz.
        patch: samples in a patch at that rate; shorter recordings are left out.
        strict: whether to stop at the first recording that would be left out.

    Returns:
        a row per recording.

    Raises:
        UserError: `strict`, and a recording would be left out.
    """
    known = _read(journal)
    fresh = in_order(_measure, (each for each in recordings if each.name not in known))
    measured = []
    with journal.open("a") as file:
        # Ends the line that an earlier run may have been killed in.
        file.write("\n")
        for each in tqdm(recordings, "measuring", unit=" recordings", dynamic_ncols=True):
            facts = known.get(each.name)
            if facts is None:
                facts = next(fresh)
                file.write(json.dumps([each.name, facts]) + "\n")
                file.flush()
            if isinstance(facts, str):
                row = Measured(each, None, f"unreadable: {facts}")
            else:
                row = Measured(each, facts, reason_to_skip(facts, sample_rate, patch))
            if strict and row.reason:
                raise UserError(f"{each.path}: {row.reason}")
            measured.append(row)
    return measured


def _read(journal: Path) -> dict[str, Facts | str]:
    """Reads the facts of recordings by name; a string is the reason why one is unreadable."""
    known: dict[str, Facts | str] = {}
    if journal.exists():
        for line in journal.read_text().splitlines():
            try:
                name, facts = json.loads(line)
            except ValueError:
                continue  # the run was killed while it wrote this line
            known[name] = facts if isinstance(facts, str) else Facts(*facts)
    return known


def _measure(recording: Recording) -> Facts | str:
    """Measures a recording; returns the error's message if it cannot be read."""
    try:
        recording.name.encode()
        return measure(recording.path)
    except UnicodeEncodeError:
        return "its name is not in UTF-8"
    except UserError as error:
        return str(error).removeprefix(f"{recording.path}: ")


def count_left_out(measured: Iterable[Measured]) -> dict[str, int]:
    """Counts the recordings that are left out, by reason."""
    return dict(sorted(Counter(row.reason.split(":")[0] for row in measured if row.reason).items()))


def describe_left_out(left_out: dict[str, int], sample_rate: int) -> str:
    """Describes the result of `count_left_out` in words.

    Args:
        left_out: reason -> number of recordings.
        sample_rate: of the dataset, in Hz.
    """
    details = {"low rate": f" (below {sample_rate} Hz)"}
    return ", ".join(f"{n} {reason}{details.get(reason, '')}" for reason, n in left_out.items())


def totals(kept: Sequence[Measured]) -> dict[str, dict[str, Any]]:
    """Counts the kept recordings, their seconds and their speakers, by split."""
    result = {}
    for split in SPLITS:
        rows = [row for row in kept if row.recording.split == split]
        result[split] = {
            "recordings": len(rows),
            "seconds": round(sum(row.facts.seconds for row in rows if row.facts), 3),
            "speakers": len({row.recording.speaker for row in rows}),
        }
    return result
