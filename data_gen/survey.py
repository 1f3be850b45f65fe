"""The survey of a corpus: every recording is measured once, on all cores.

A journal keeps the measurements, so that an interrupted run continues.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from .. import audio
from ..audio.measure import Facts, measure, measure_wave
from ..command import UserError
from ..command.paths import check_relative
from ..command.workers import OrderedMap
from .corpora import Recording
from .journal import Journal
from .layout import Row
from .settings import Settings
from .tfio import Decode, Decoded

# Measures a recording, which may be decoded already; returns why it is unreadable if it is.
MeasureOne = Callable[[tuple[Recording, Decoded | None]], Facts | str]


class Measured(NamedTuple):
    """A recording, its facts (None if unreadable) and why it is left out ("" if it is kept)."""

    recording: Recording
    facts: Facts | None
    reason: str

    def row(self, sample_rate: int) -> Row:
        """Returns what the layout of a dataset with this rate needs to know of the recording."""
        assert self.facts is not None
        each = self.recording
        samples = audio.resampled_length(self.facts.frames, self.facts.sample_rate, sample_rate)
        return Row(each.split, each.name, each.speaker, each.text, samples)


def measure_all(
    in_order: OrderedMap,
    recordings: Sequence[Recording],
    journal: Journal,
    settings: Settings,
    strict: bool = False,
    decode: Decode | None = None,
    measure_one: MeasureOne | None = None,
) -> list[Measured]:
    """Measures the recordings that the journal does not hold yet, and adds them to it.

    Args:
        in_order: a map over worker processes (`workers.map_in_order`).
        recordings: of the corpus.
        journal: the earlier measurements.
        settings: of the dataset.
        strict: whether to stop at the first recording that would be left out.
        decode: by default, the worker processes read the recordings with libsndfile.
        measure_one: what they call, by default `measure_recording`.

    Returns:
        a row per recording.

    Raises:
        UserError: `strict`, and a recording would be left out; or the journal cannot be written.
    """
    known = journal.read()
    unknown = [each for each in recordings if each.name not in known]
    decoded = decode([each.path for each in unknown]) if decode else repeat(None)
    fresh = in_order(measure_one or measure_recording, zip(unknown, decoded, strict=False))
    measured = []
    with journal.open() as add:
        for each in tqdm(recordings, "measuring", unit=" recordings", dynamic_ncols=True):
            facts = known.get(each.name)
            if facts is None:
                facts = next(fresh)
                add(each.name, facts)
            if isinstance(facts, str):
                row = Measured(each, None, f"unreadable: {facts}")
            else:
                row = Measured(each, facts, settings.reason_to_skip(facts))
            if strict and row.reason:
                raise UserError(f"{each.path}: {row.reason}")
            measured.append(row)
    return measured


def measure_recording(item: tuple[Recording, Decoded | None]) -> Facts | str:
    """Measures a recording; returns the error's message if it cannot be used."""
    # The process that plans the dataset measures nothing, and need not wait for SciPy.
    from scipy.fft import rfft

    recording, decoded = item
    try:
        check_relative(recording.name, str(recording.path))
        if isinstance(decoded, UserError):
            raise decoded
        if decoded:
            return measure_wave(*decoded, rfft=rfft)
        return measure(Path(recording.path), rfft=rfft)
    except UserError as error:
        return str(error).removeprefix(f"{recording.path}: ")


def count_by_reason(reasons: Iterable[str]) -> dict[str, int]:
    """Counts what is left out by the kind of reason, which is what precedes the colon."""
    return dict(sorted(Counter(reason.split(":")[0] for reason in reasons).items()))


def describe_left_out(left_out: dict[str, int], sample_rate: int) -> str:
    """Describes the result of `count_by_reason` in words.

    Args:
        left_out: reason -> number of recordings.
        sample_rate: of the dataset, in Hz.
    """
    details = {"low rate": f" (below {sample_rate} Hz)"}
    return ", ".join(f"{n} {reason}{details.get(reason, '')}" for reason, n in left_out.items())
