"""Word errors: the differences between recognized texts and transcripts.

Both texts are normalised as in Bini 2021 (src/evaluation_ops.py): lower case, contractions
expanded, punctuation removed. The word error rate divides the errors of all files by their words.
Bini reports the mean of the files' rates, in which a short file weighs as much as a long one.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from ...command import UserError
from ..metrics.statistics import bootstrap_ratio_interval

KINDS = ("substitutions", "deletions", "insertions")


@dataclass(frozen=True)
class Errors:
    """Words and errors: the fewest words to replace, remove and add."""

    words: int  # of the reference
    substitutions: int
    deletions: int
    insertions: int

    @property
    def total(self) -> int:
        """All errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def wer(self) -> float:
        """The word error rate; above 1 if many words were inserted."""
        return self.total / self.words


@dataclass(frozen=True)
class Transcript:
    """The texts and the errors of one recording."""

    name: str
    reference: str  # what was said, normalised
    hypothesis: str  # what was recognized, normalised
    errors: Errors

    def row(self) -> dict[str, Any]:
        """Returns a row for a CSV file."""
        texts = {"name": self.name, "reference": self.reference, "hypothesis": self.hypothesis}
        return {**texts, **dataclasses.asdict(self.errors), "wer": self.errors.wer}


@dataclass(frozen=True)
class Total:
    """The errors of all recordings of a system."""

    files: int
    errors: Errors
    low: float  # ends of the word error rate's 95 % bootstrap interval over files
    high: float

    def entries(self) -> dict[str, int | float]:
        """Returns the content for a JSON file."""
        errors = dataclasses.asdict(self.errors)
        interval = {"low": self.low, "high": self.high}
        return {"files": self.files, **errors, "wer": self.errors.wer, **interval}


@dataclass(frozen=True)
class Transcribed:
    """The word errors of several systems with one recognizer."""

    recognizer: str  # its name
    totals: Mapping[str, Total]  # by system

    def entries(self) -> dict[str, Any]:
        """Returns the content for a JSON file."""
        systems = {system: total.entries() for system, total in self.totals.items()}
        return {"recognizer": self.recognizer, "systems": systems}


@functools.cache
def _normalization() -> Any:
    try:
        import jiwer
    except ImportError as error:
        raise UserError(
            "word error rates need jiwer, which is not installed; "
            "pip install '.[evaluate]' in wideband's folder"
        ) from error
    return jiwer.Compose(
        [
            jiwer.ToLowerCase(),
            # The typographic apostrophe, which the contractions lack.
            jiwer.SubstituteRegexes({"\u2019": "'"}),
            jiwer.ExpandCommonEnglishContractions(),
            jiwer.RemovePunctuation(),
            # Recognizers may print many lines.
            jiwer.RemoveWhiteSpace(replace_by_space=True),
            jiwer.ReduceToListOfListOfWords(),
        ]
    )


def normalize(text: str) -> str:
    """Returns a text in lower case, without contractions and punctuation, with single spaces.

    Raises:
        UserError: jiwer is not installed.
    """
    return " ".join(_normalization()(text)[0])


def normalization() -> list[str]:
    """Lists jiwer's version and the steps of `normalize`."""
    steps = [type(step).__name__ for step in _normalization().transforms]
    return [f"jiwer {version('jiwer')}", *steps]


def count(reference: str, hypothesis: str) -> Errors:
    """Counts the errors of one text.

    Args:
        reference: what was said, normalised, at least one word.
        hypothesis: what was recognized, normalised.
    """
    import jiwer

    found = jiwer.process_words(reference, hypothesis)
    words = found.hits + found.substitutions + found.deletions
    return Errors(words, found.substitutions, found.deletions, found.insertions)


def total(transcripts: Sequence[Transcript], seed: int = 0) -> Total:
    """Adds up the errors of recordings.

    Args:
        transcripts: of one or more recordings.
        seed: seed of the bootstrap.
    """
    counts = [each.errors for each in transcripts]
    totals, words = [each.total for each in counts], [each.words for each in counts]
    low, high = bootstrap_ratio_interval(totals, words, seed)
    sums = {kind: sum(getattr(each, kind) for each in counts) for kind in ("words", *KINDS)}
    return Total(len(transcripts), Errors(**sums), low, high)


def table(totals: Mapping[str, Total]) -> tuple[list[str], list[list[str]]]:
    """Lays out the totals of systems, for `command.tables`.

    Args:
        totals: system -> total of its recordings.

    Returns:
        the header, and one row per system.
    """
    return ["system", "WER [95 % interval]", "files", "words", *KINDS], [
        [
            system,
            f"{each.errors.wer:.3f} [{each.low:.3f}, {each.high:.3f}]",
            str(each.files),
            *(str(count) for count in dataclasses.astuple(each.errors)),
        ]
        for system, each in totals.items()
    ]
