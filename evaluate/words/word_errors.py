"""Word errors: how a recognizer's text of a recording differs from what was said.

Both texts are normalised as Bini did (2021, src/evaluation_ops.py): lower case, contractions
expanded, punctuation removed. The rate is all errors by all words; Bini's is the mean of the
files' rates, in which a short file weighs as much as a long one.
"""

import functools
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from ... import audio
from ...command import UserError
from .. import summary
from ..folders import some
from . import Recognizer

ERRORS = ("substitutions", "deletions", "insertions")
_BATCH = 64  # recordings in memory at a time


@functools.cache
def _normalization():
    try:
        import jiwer
    except ImportError as error:
        raise UserError(
            "word error rates need jiwer, which is not installed; pip install 'wideband[evaluate]'"
        ) from error
    return jiwer.Compose(
        [
            jiwer.ToLowerCase(),
            # An apostrophe as printed, which the contractions do not know.
            jiwer.SubstituteRegexes({"\u2019": "'"}),
            jiwer.ExpandCommonEnglishContractions(),
            jiwer.RemovePunctuation(),
            # Recognizers may print many lines.
            jiwer.RemoveWhiteSpace(replace_by_space=True),
            jiwer.ReduceToListOfListOfWords(),
        ]
    )


def normalize(text: str) -> str:
    """Writes a text in lower case, without contractions and punctuation, words a space apart.

    Raises:
        UserError: jiwer is not installed.
    """
    return " ".join(_normalization()(text)[0])


def normalization() -> list[str]:
    """Tells the steps of `normalize`, and the version of jiwer that takes them."""
    steps = [type(step).__name__ for step in _normalization().transforms]
    return [f"jiwer {version('jiwer')}", *steps]


def count(reference: str, hypothesis: str) -> dict[str, int | float]:
    """Counts the fewest words that were replaced, left out and added.

    Args:
        reference: what was said, normalised, at least a word.
        hypothesis: what was recognized, normalised.

    Returns:
        `words` of the reference, `substitutions`, `deletions`, `insertions`, and their sum by
        words as `wer`, which is above 1 when much is added.
    """
    import jiwer

    found = jiwer.process_words(reference, hypothesis)
    return {
        "words": found.hits + found.substitutions + found.deletions,
        **{kind: getattr(found, kind) for kind in ERRORS},
        "wer": found.wer,
    }


class Heard(NamedTuple):
    """What a recognizer made of several systems."""

    recognizer: str  # its name
    totals: Mapping[str, Mapping[str, Any]]  # name of the system -> `total` of its recordings


def score(
    recordings: Mapping[str, Path | tuple[np.ndarray, float]],
    transcripts: Mapping[str, str],
    recognizer: Recognizer,
    title: str = "",
) -> list[dict[str, Any]]:
    """Recognizes recordings and counts the errors.

    Args:
        recordings: name -> file, or wave (n,) in float32 and its sample rate in Hz. They are
            resampled to the recognizer's rate.
        transcripts: name -> what is said there.
        recognizer: of `recognizers.create`.
        title: heads the progress bar, which needs one.

    Returns:
        a row per recording: `name`, `reference` and `hypothesis` as normalised, and what `count`
        tells of them.

    Raises:
        UserError: a transcript has no words, a file cannot be read, or the recognizer fails.
    """
    references = {name: normalize(transcripts[name]) for name in recordings}
    if wordless := [name for name, text in references.items() if not text]:
        raise UserError(f"{len(wordless)} transcripts have no words: {some(wordless)}")
    rows, names = [], list(recordings)
    # A bar only where someone watches.
    with tqdm(total=len(names), unit="file", desc=title, disable=None if title else True) as bar:
        for start in range(0, len(names), _BATCH):
            batch = names[start : start + _BATCH]
            waves = [_wave(recordings[name], recognizer.sample_rate) for name in batch]
            texts = iter(recognizer.transcribe(waves))
            for name in batch:
                try:
                    hypothesis = normalize(next(texts))
                except UserError as error:
                    raise UserError(f"{name}: {error}") from error
                reference = references[name]
                both = {"reference": reference, "hypothesis": hypothesis}
                rows.append({"name": name, **both, **count(reference, hypothesis)})
                bar.update()
    return rows


def _wave(recording: Path | tuple[np.ndarray, float], sample_rate: int) -> np.ndarray:
    wave, recorded_hz = audio.read(recording) if isinstance(recording, Path) else recording
    return audio.resample(audio.mono(wave), recorded_hz, sample_rate)


def total(rows: Sequence[Mapping[str, Any]], seed: int = 0) -> dict[str, int | float]:
    """Adds the errors of recordings up.

    Args:
        rows: of `score`, one or more.
        seed: of the bootstrap.

    Returns:
        `files`, `words`, the three kinds of errors, `wer`, the errors by the words, and `low` and
        `high`, the ends of its 95 % bootstrap interval over files.
    """
    sums = {kind: sum(row[kind] for row in rows) for kind in ("words", *ERRORS)}
    errors = [sum(row[kind] for kind in ERRORS) for row in rows]
    low, high = summary.bootstrap_ratio_interval(errors, [row["words"] for row in rows], seed)
    return {
        "files": len(rows),
        **sums,
        "wer": sum(errors) / sums["words"],
        "low": low,
        "high": high,
    }


def totals(rows: Sequence[Mapping[str, Any]], seed: int = 0) -> dict[str, dict[str, int | float]]:
    """Adds the errors of several systems up.

    Args:
        rows: of `score`, with the name of the `system`.
        seed: of the bootstrap.

    Returns:
        name of the system -> `total` of its recordings, in the order of the rows.
    """
    systems: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        systems.setdefault(row["system"], []).append(row)
    return {system: total(each, seed) for system, each in systems.items()}


def table(totals: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Lays the totals of systems out, for `summary.text_table` or `markdown_table`.

    Args:
        totals: name of the system -> `total` of its recordings.

    Returns:
        the header, and a row for each system.
    """
    counts = ("files", "words", *ERRORS)
    return ["system", "WER [95 % interval]", *counts], [
        [
            system,
            f"{each['wer']:.3f} [{each['low']:.3f}, {each['high']:.3f}]",
            *(str(each[name]) for name in counts),
        ]
        for system, each in totals.items()
    ]
