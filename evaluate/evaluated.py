"""The results of an evaluation: tables for a terminal, and the files that hold them."""

from collections.abc import Sequence
from pathlib import Path

from ..command.drawing import png
from ..command.files import write_bytes, write_csv, write_text
from ..command.tables import markdown_table, text_table
from . import figures, report, results
from .measurement import Outcome
from .metrics import statistics
from .words import Recognizer, word_errors


class Evaluated:
    """The results of a run next to baselines.

    Args:
        outcome: the metrics of the recordings, from `measure_split`.
        systems: the systems in the order of the tables; the run is the last.
        facts: how they were measured.
        recognizer: the recognizer, if there are transcripts.
        folder: where `write` writes the files.
        curves: the training curves of the run, if there are any.
    """

    def __init__(
        self,
        outcome: Outcome,
        systems: Sequence[str],
        facts: report.Facts,
        recognizer: Recognizer | None,
        folder: Path,
        curves: Path,
    ) -> None:
        self._outcome, self._facts, self._folder, self._curves = outcome, facts, folder, curves
        values = {system: [] for system in ("reference", *systems)}
        for row in outcome.rows:
            values[row.system].append(row.values)
        # The reference is measured only by metrics that need none.
        self._means = {
            system: statistics.summarize_rows(each) for system, each in values.items() if each
        }
        self._words = None
        if recognizer and outcome.transcripts:
            *others, run = systems
            pairs = [(other, run) for other in others]
            self._words = word_errors.summarize(recognizer, outcome.transcripts, pairs)

    @property
    def left_out(self) -> dict[str, str]:
        """The recordings without word errors, and why."""
        return self._outcome.left_out

    def text(self) -> str:
        """Returns the means as tables for a terminal."""
        return "\n\n".join(text_table(*each) for each in self._tables())

    def _tables(self) -> list[tuple[list[str], list[list[str]]]]:
        tables = [results.systems_table(self._means)]
        if self._words:
            tables.append(word_errors.table(self._words.totals))
            if self._words.differences:
                tables.append(word_errors.differences_table(self._words.differences))
        return tables

    def write(self) -> Path:
        """Writes all files.

        These are report.html, evaluation.csv with every recording, evaluation.json and
        evaluation.md with the means, spectrograms.png of one recording, and with a recognizer
        wer.csv.

        Returns:
            the path of report.html.
        """
        folder, outcome, words = self._folder, self._outcome, self._words
        write_csv(folder / "evaluation.csv", [row.cells() for row in outcome.rows])
        if words:
            results.write_transcripts(folder / "wer.csv", outcome.transcripts)
        entries = {**words.entries(), "left_out": outcome.left_out} if words else None
        path = folder / "evaluation.json"
        results.write_systems(path, self._means, self._facts, word_errors=entries)
        pages = [markdown_table(*each) for each in self._tables()]
        write_text(folder / "evaluation.md", "\n\n".join(pages) + "\n")
        clip = outcome.clips[-1]
        cutoff_hz = self._facts.low_rate / 2
        figure = figures.spectrograms(clip.waves, clip.sample_rate, cutoff_hz=cutoff_hz)
        write_bytes(folder / "spectrograms.png", png(figure, dpi=160))
        page = folder / "report.html"
        curves = self._curves.read_bytes() if self._curves.is_file() else None
        report.write(page, self._facts, self._means, curves, outcome.clips, words)
        return page
