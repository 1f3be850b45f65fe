"""Word errors: the differences between recognized texts and transcripts.

Both texts are normalized first (`normalization`). The word error rate (WER) divides the errors of
all files by their words, the character error rate (CER) does so with characters, to which the
spaces between words belong. Bini 2021 reports the mean of the files' rates, in which a short file
weighs as much as a long one.

A file counts at most as many errors as it has words, or characters: nothing was understood there,
however much the recognizer invented. Otherwise, one file in which Whisper repeats a phrase could
outweigh many others. The numbers of substitutions, deletions and insertions are complete.

`compare` tests the difference between the rates of two systems with a paired bootstrap: recordings
are drawn with the errors of both systems, so that the difficulty of a recording cancels out.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..metrics.statistics import LEVEL, MIN_FILES, bootstrap_ratio_interval, expanded_level
from .base import Recognizer
from .normalization import Normalizer

_COUNTS = ("words", "substitutions", "deletions", "insertions")


@dataclass(frozen=True)
class Errors:
    """Words and errors: the fewest words, and the fewest characters, to replace, remove and add."""

    words: int  # of the reference
    substitutions: int
    deletions: int
    insertions: int
    characters: int  # of the reference, with the spaces between words
    character_errors: int

    @property
    def counted_words(self) -> int:
        """The word errors that count: at most one for each word of the reference."""
        return min(self.substitutions + self.deletions + self.insertions, self.words)

    @property
    def counted_characters(self) -> int:
        """The character errors that count: at most one for each character of the reference."""
        return min(self.character_errors, self.characters)


@dataclass(frozen=True)
class Transcript:
    """The texts and the errors of one recording."""

    name: str
    reference: str  # what was said, normalized
    hypothesis: str  # what was recognized, normalized
    errors: Errors

    def row(self) -> dict[str, Any]:
        """Returns a row for a CSV file."""
        texts = {"name": self.name, "reference": self.reference, "hypothesis": self.hypothesis}
        errors = self.errors
        rates = {
            "wer": errors.counted_words / errors.words,
            "cer": errors.counted_characters / errors.characters,
        }
        return {**texts, **dataclasses.asdict(errors), **rates}


class Rate(NamedTuple):
    """An error rate of all recordings, with its 95 % bootstrap interval over files."""

    rate: float  # 0 to 1
    low: float
    high: float

    def __str__(self) -> str:
        """Formats the rate for tables."""
        return f"{self.rate:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Total:
    """The errors of all recordings of a system."""

    files: int
    errors: Errors  # sums
    wer: Rate
    cer: Rate

    def entries(self) -> dict[str, int | float]:
        """Returns the content for a JSON file."""
        rates = {
            "wer": self.wer.rate,
            "low": self.wer.low,
            "high": self.wer.high,
            "cer": self.cer.rate,
            "cer_low": self.cer.low,
            "cer_high": self.cer.high,
        }
        return {"files": self.files, **dataclasses.asdict(self.errors), **rates}


@dataclass(frozen=True)
class Difference:
    """A paired comparison of the rates of two systems on the same recordings."""

    first: str
    second: str
    files: int
    wer: Rate  # of the second system less that of the first one, -1 to 1
    cer: Rate

    def verdict(self, difference: Rate) -> str:
        """Says which system has fewer errors, if the interval of a difference excludes zero."""
        if self.files < MIN_FILES:
            return "too few files to tell"
        if difference.low <= 0 <= difference.high:
            return "no real difference"
        return f"{self.second if difference.rate < 0 else self.first} better"

    def entries(self) -> dict[str, Any]:
        """Returns the content for a JSON file."""
        rates = {
            name: {**rate._asdict(), "verdict": self.verdict(rate)}
            for name, rate in (("wer", self.wer), ("cer", self.cer))
        }
        return {"first": self.first, "second": self.second, "files": self.files, **rates}


@dataclass(frozen=True)
class Transcribed:
    """The word errors of several systems with one recognizer."""

    recognizer: str  # its name
    normalizer: Normalizer
    totals: Mapping[str, Total]  # by system
    differences: Sequence[Difference]

    def entries(self) -> dict[str, Any]:
        """Returns the content for a JSON file."""
        return {
            "recognizer": self.recognizer,
            "normalization": self.normalizer.steps(),
            "systems": {system: total.entries() for system, total in self.totals.items()},
            "differences": [each.entries() for each in self.differences],
        }


def count(reference: str, hypothesis: str) -> Errors:
    """Counts the errors of one text.

    Args:
        reference: what was said, normalized, at least one word.
        hypothesis: what was recognized, normalized.
    """
    import jiwer

    found = jiwer.process_words(reference, hypothesis)
    words = found.hits + found.substitutions + found.deletions
    letters = jiwer.process_characters(reference, hypothesis)
    return Errors(
        words,
        found.substitutions,
        found.deletions,
        found.insertions,
        len(reference),
        letters.substitutions + letters.deletions + letters.insertions,
    )


def total(transcripts: Sequence[Transcript], seed: int = 0) -> Total:
    """Adds up the errors of recordings.

    Args:
        transcripts: of one or more recordings.
        seed: seed of the bootstrap.
    """
    counts = [each.errors for each in transcripts]
    sums = Errors(*map(sum, zip(*map(dataclasses.astuple, counts), strict=True)))
    wer = _rate([each.counted_words for each in counts], [each.words for each in counts], seed)
    cer = _rate(
        [each.counted_characters for each in counts], [each.characters for each in counts], seed
    )
    return Total(len(transcripts), sums, wer, cer)


def compare(
    transcripts: Mapping[str, Sequence[Transcript]], first: str, second: str, seed: int = 0
) -> Difference:
    """Compares the rates of two systems on the same recordings with the paired bootstrap.

    As in `metrics.statistics.difference`, the interval is as wide as Student's.

    Args:
        transcripts: system -> one transcript for each of one or more recordings, in one order.
        first: a system.
        second: another system.
        seed: seed of the bootstrap.
    """
    pairs = [
        (one.errors, other.errors)
        for one, other in zip(transcripts[first], transcripts[second], strict=True)
    ]
    level = expanded_level(len(pairs))
    wer = _rate(
        [other.counted_words - one.counted_words for one, other in pairs],
        [one.words for one, _ in pairs],
        seed,
        level,
    )
    cer = _rate(
        [other.counted_characters - one.counted_characters for one, other in pairs],
        [one.characters for one, _ in pairs],
        seed,
        level,
    )
    return Difference(first, second, len(pairs), wer, cer)


def summarize(
    recognizer: Recognizer,
    transcripts: Mapping[str, Sequence[Transcript]],
    pairs: Iterable[tuple[str, str]],
    seed: int = 0,
) -> Transcribed:
    """Summarizes the word errors of systems on the same recordings.

    Args:
        recognizer: what recognized them.
        transcripts: system -> one transcript for each of one or more recordings, in one order.
        pairs: the systems to compare, as (first, second).
        seed: seed of the bootstrap.
    """
    totals = {system: total(each, seed) for system, each in transcripts.items()}
    differences = [compare(transcripts, *pair, seed) for pair in pairs]
    return Transcribed(recognizer.name, recognizer.normalizer, totals, differences)


def _rate(errors: Sequence[int], lengths: Sequence[int], seed: int, level: float = LEVEL) -> Rate:
    interval = bootstrap_ratio_interval(errors, lengths, seed, level=level)
    return Rate(sum(errors) / sum(lengths), *interval)


def table(totals: Mapping[str, Total]) -> tuple[list[str], list[list[str]]]:
    """Lays out the totals of systems, for `command.tables`.

    Args:
        totals: system -> total of its recordings.

    Returns:
        the header, and one row per system.
    """
    header = ["system", "WER [95 % interval]", "CER [95 % interval]", "files", *_COUNTS]
    return header, [
        [
            system,
            str(each.wer),
            str(each.cer),
            str(each.files),
            *(str(getattr(each.errors, count)) for count in _COUNTS),
        ]
        for system, each in totals.items()
    ]


def differences_table(differences: Sequence[Difference]) -> tuple[list[str], list[list[str]]]:
    """Lays out comparisons of systems, for `command.tables`."""
    header = ["compared", "WER [95 % interval]", "verdict", "CER [95 % interval]", "verdict"]
    rows = []
    for each in differences:
        row = [f"{each.second} - {each.first}"]
        for rate in (each.wer, each.cer):
            row += [f"{rate.rate:+.3f} [{rate.low:+.3f}, {rate.high:+.3f}]", each.verdict(rate)]
        rows.append(row)
    return header, rows
