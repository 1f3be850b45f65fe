"""Word errors: the differences between recognized texts and transcripts.

Both texts are normalized first (`normalization`). The word error rate (WER) divides the errors of
all files by their words, the character error rate (CER) does so with characters, to which the
spaces between words belong. Bini 2021 reports the mean of the files' rates, in which a short file
weighs as much as a long one.

A file counts at most as many errors as it has words, or characters: nothing was understood there,
however much the recognizer invented. Otherwise, one file in which Whisper repeats a phrase could
outweigh many others. The numbers of substitutions, deletions and insertions are complete.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..metrics.statistics import bootstrap_ratio_interval
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
class Transcribed:
    """The word errors of several systems with one recognizer."""

    recognizer: str  # its name
    normalizer: Normalizer
    totals: Mapping[str, Total]  # by system

    def entries(self) -> dict[str, Any]:
        """Returns the content for a JSON file."""
        systems = {system: total.entries() for system, total in self.totals.items()}
        normalization = self.normalizer.steps()
        return {"recognizer": self.recognizer, "normalization": normalization, "systems": systems}


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


def _rate(errors: Sequence[int], lengths: Sequence[int], seed: int) -> Rate:
    return Rate(sum(errors) / sum(lengths), *bootstrap_ratio_interval(errors, lengths, seed))


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
