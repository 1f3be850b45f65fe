r"""Word error rates of folders of recordings with known texts.

python -m wideband.evaluate.wer --transcripts=manifest.csv --recordings=reference \
    --recordings=upsampled --recognizer=pocketsphinx --output=wer.csv
"""

import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ..command import UserError
from ..command.files import check_suffix, read_csv
from ..command.named import parse_named_paths
from ..command.run import Command, Flags

# Flags that are passed to the recognizer.
_SETTINGS = ("grammar", "deepspeech_checkpoint", "scorer", "timeout_seconds")


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.string(
        "transcripts",
        None,
        "CSV file with the columns path and text, such as the manifest.csv of a dataset.",
        required=True,
    )
    flags.strings(
        "recordings",
        None,
        "Folder of recordings with the paths of the transcripts; suffixes may differ. Repeatable: "
        "each folder, or NAME=FOLDER, is a system.",
        required=True,
    )
    flags.string(
        "split", None, "Use only transcripts with this value in the column split; default all."
    )
    flags.string(
        "recognizer",
        "pocketsphinx",
        "pocketsphinx, deepspeech, or cmd: and a command that takes the path of a wav file and "
        "prints its text, such as 'cmd:whisper-cli --no-timestamps --no-prints {}'.",
    )
    flags.string("grammar", None, "For pocketsphinx: JSGF grammar of all possible sentences.")
    flags.string(
        "deepspeech_checkpoint",
        None,
        "For deepspeech: the released TensorFlow checkpoint, or a run folder of "
        "python -m wideband.train.deepspeech.",
    )
    flags.string("scorer", None, "For deepspeech: a KenLM language model; needs pyctcdecode.")
    flags.number(
        "timeout_seconds",
        None,
        "For cmd: the longest time for one recording; default 600.",
        lower_bound=0,
    )
    flags.string(
        "output",
        "wer.csv",
        "CSV file to write, one row per file and system; the totals go next to it as .json.",
    )
    flags.integer("seed", 0, "Seed of the bootstrap.")


def main(flags: Flags, arguments: list[str]) -> None:
    """Recognizes the recordings, counts the errors, and writes and prints the totals."""
    output, path = Path(flags.output), Path(flags.transcripts)
    check_suffix("output", output, ".csv")
    transcripts = _Transcripts(path, flags.split)
    systems = {
        system: transcripts.match(folder)
        for system, folder in parse_named_paths(flags.recordings).items()
    }
    from ..command.files import write_csv
    from ..command.tables import text_table
    from . import results, words
    from .words import word_errors

    settings = {name: flags[name].value for name in _SETTINGS if flags[name].value is not None}
    recognizer = words.create(flags.recognizer, **settings)
    scored = {
        system: word_errors.score(recordings, transcripts.texts, recognizer, system)
        for system, recordings in systems.items()
    }
    totals = {system: word_errors.total(each, flags.seed) for system, each in scored.items()}
    rows = [{"system": system, **each.row()} for system in scored for each in scored[system]]
    write_csv(output, rows)
    results.write_word_errors(
        output.with_suffix(".json"),
        {system: each.entries() for system, each in totals.items()},
        transcripts=str(path),
        split=flags.split,
        recordings=flags.recordings,
        recognizer=recognizer.name,
        normalization=word_errors.normalization(),
        seed=flags.seed,
    )
    print(f"{text_table(*word_errors.table(totals))}\nrecognizer: {recognizer.name}")


class _Transcripts:
    """The texts of recordings, read from a CSV file.

    Args:
        path: the file.
        split: only rows with this value in the column split; None for all.

    Attributes:
        texts: path of the recording -> text.
        ignored: paths of the rows of other splits, and of recordings that a dataset leaves out.

    Raises:
        UserError: the file cannot be used.
    """

    def __init__(self, path: Path, split: str | None) -> None:
        if not path.is_file():
            raise UserError(f"{path}: there are no such transcripts; name a CSV file")
        self._path = path
        self.texts: dict[str, str] = {}
        self.ignored: set[str] = set()
        for _, row in read_csv(path, {"path", "text"} | ({"split"} if split else set())):
            name = PurePosixPath(row["path"]).as_posix()
            if name in self.texts or name in self.ignored:
                raise UserError(f"{path}: '{name}' is listed twice; remove one")
            # The manifest of a dataset has a reason for each recording that is left out.
            if row.get("reason") or (split and row["split"] != split):
                self.ignored.add(name)
            else:
                self.texts[name] = row["text"]
        if not self.texts:
            hint = f" in the split '{split}'; choose another --split" if split else "; add rows"
            raise UserError(f"{path}: no transcripts{hint}")

    def match(self, folder: Path) -> dict[str, Path]:
        """Finds the recording of each transcript in a folder.

        The text of a recording a.flac is that of a row with the path a.flac or a.wav; and the text
        of a.flac.wav, as wideband-evaluate writes it, is that of a row with the path a.flac.

        Returns:
            path of the transcript -> recording.

        Raises:
            UserError: a recording has no transcript or a transcript has no recording.
        """
        from .folders import find_recordings, shortlist

        listed = {*self.texts, *self.ignored}
        without_suffix = self._without_suffix(listed)
        found, unknown = {}, []
        for name, path in find_recordings(folder).items():
            row = name if name in listed else without_suffix.get(name)
            if row is None:
                unknown.append(name)
            elif row in found:
                raise UserError(f"{path}: {found[row].name} has the same transcript; remove one")
            else:
                found[row] = path
        problems = []
        if unknown:
            problems.append(f"{len(unknown)} recordings have no transcript ({shortlist(unknown)})")
        if missing := self.texts.keys() - found:
            problems.append(f"{len(missing)} transcripts have no recording ({shortlist(missing)})")
        if problems:
            raise UserError(f"{folder} and {self._path}: {'; '.join(problems)}")
        return {row: found[row] for row in self.texts}

    @staticmethod
    def _without_suffix(listed: set[str]) -> Mapping[str, str]:
        from ..audio import SUFFIXES

        by_stem = {}
        # If both a.flac and a.wav are listed, a.wav comes last and gets the name a, since
        # wideband-evaluate removes the suffix .wav only.
        for path in sorted(listed, key=lambda path: path.endswith(".wav")):
            stem, dot, suffix = path.rpartition(".")
            by_stem[stem if dot + suffix.lower() in SUFFIXES else path] = path
        return by_stem


command = Command("python -m wideband.evaluate.wer", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
