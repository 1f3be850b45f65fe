"""Command: the word error rate of folders of recordings whose text is known.

python -m wideband.evaluate.wer --transcripts=manifest.csv --recordings=reference \
    --recordings=upsampled --recognizer=pocketsphinx --output=wer.csv
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from absl import flags

from ..command import UserError
from ..command.run import run_command

_TRANSCRIPTS = flags.DEFINE_string(
    "transcripts",
    None,
    "CSV with the columns path and text, such as the manifest.csv of a dataset.",
    required=True,
)
_RECORDINGS = flags.DEFINE_multi_string(
    "recordings",
    None,
    "Folder of recordings with the paths of the transcripts; suffixes may differ. Repeatable: "
    "each folder, or NAME=FOLDER, is a system.",
    required=True,
)
_SPLIT = flags.DEFINE_string(
    "split", None, "Only transcripts with this in their column split; all by default."
)
_RECOGNIZER = flags.DEFINE_string(
    "recognizer",
    "pocketsphinx",
    "pocketsphinx, deepspeech, or cmd: and a command that is given the path of a wav file and "
    "prints its text, such as 'cmd:whisper-cli --no-timestamps --no-prints {}'.",
)
_GRAMMAR = flags.DEFINE_string(
    "grammar", None, "JSGF grammar of all that may be said, for pocketsphinx."
)
_DEEPSPEECH_CHECKPOINT = flags.DEFINE_string(
    "deepspeech_checkpoint",
    None,
    "For deepspeech: the released TensorFlow checkpoint, or a folder of train_deepspeech.",
)
_SCORER = flags.DEFINE_string(
    "scorer", None, "For deepspeech: a language model that KenLM reads, by pyctcdecode."
)
_TIMEOUT_SECONDS = flags.DEFINE_float(
    "timeout_seconds",
    None,
    "How long a command may take over a recording; 600 by default.",
    lower_bound=0,
)
_OUTPUT = flags.DEFINE_string(
    "output",
    "wer.csv",
    "CSV file to write, one row per file and system; the totals go beside it as .json.",
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the bootstrap.")


def main(arguments: Sequence[str]) -> None:
    """Recognizes the folders that the flags name, and counts the errors."""
    from ..command.named import named
    from . import summary
    from . import words as recognizers
    from .words import word_errors

    if arguments:
        raise UserError(f"unexpected argument {arguments[0]!r}; flags are written --name=value")
    table = Path(_OUTPUT.value)
    if table.suffix.lower() != ".csv":
        raise UserError(f"--output={table}: must end in .csv")
    transcripts = Path(_TRANSCRIPTS.value)
    texts, passed_over = _read(transcripts, _SPLIT.value)
    systems = {
        system: _match(folder, transcripts, texts, passed_over)
        for system, folder in named(_RECORDINGS.value).items()
    }
    flagged = (_GRAMMAR, _DEEPSPEECH_CHECKPOINT, _SCORER, _TIMEOUT_SECONDS)
    recognizer = recognizers.create(
        _RECOGNIZER.value,
        **{flag.name: flag.value for flag in flagged if flag.value is not None},
    )
    rows = [
        {"system": system, **row}
        for system, recordings in systems.items()
        for row in word_errors.score(recordings, texts, recognizer, system)
    ]
    totals = word_errors.totals(rows, _SEED.value)
    summary.write_csv(table, rows)
    summary.write_word_errors(
        table.with_suffix(".json"),
        totals,
        transcripts=str(transcripts),
        split=_SPLIT.value,
        recordings=_RECORDINGS.value,
        recognizer=recognizer.name,
        normalization=word_errors.normalization(),
        seed=_SEED.value,
    )
    print(f"{summary.text_table(*word_errors.table(totals))}\nrecognizer: {recognizer.name}")


def _read(transcripts: Path, split: str | None) -> tuple[dict[str, str], set[str]]:
    """Reads path -> text, and the paths that are passed over: of other splits, or left out."""
    if not transcripts.is_file():
        raise UserError(f"{transcripts}: there are no such transcripts")
    try:
        # A BOM is what spreadsheet programs put in front.
        with transcripts.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            needed = {"path", "text"} | ({"split"} if split else set())
            if missing := needed - set(reader.fieldnames or ()):
                raise UserError(f"{transcripts}: add the missing column(s) {', '.join(missing)}")
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{transcripts}: not a CSV in UTF-8: {error}") from error
    texts, passed_over = {}, set()
    for row in rows:
        path = PurePosixPath(row["path"] or "").as_posix()
        if path in texts or path in passed_over:
            raise UserError(f"{transcripts}: '{path}' is listed twice; remove one")
        # A dataset's manifest gives the reason why a recording is not in it.
        if row.get("reason") or (split and row["split"] != split):
            passed_over.add(path)
        else:
            texts[path] = row["text"] or ""
    if not texts:
        among = f" in the split '{split}'" if split else ""
        raise UserError(f"{transcripts}: no transcripts{among}")
    return texts, passed_over


def _match(
    folder: Path, transcripts: Path, texts: Mapping[str, str], passed_over: set[str]
) -> dict[str, Path]:
    """Finds the recording of each transcript.

    A recording a.flac is told of by a line with the path a.flac, or a.wav; and one a.flac.wav,
    as wideband-evaluate writes them, by a line with the path a.flac.
    """
    from ..audio import SUFFIXES
    from .folders import recordings, some

    listed = {*texts, *passed_over}
    without_suffix = {}
    # Where a.flac is listed as well, a.wav comes last and gets the name a: of the recordings that
    # wideband-evaluate writes, only a.wav loses its suffix.
    for path in sorted(listed, key=lambda path: path.endswith(".wav")):
        stem, dot, suffix = path.rpartition(".")
        without_suffix[stem if dot + suffix.lower() in SUFFIXES else path] = path
    found, strangers = {}, []
    for name, path in recordings(folder).items():
        line = name if name in listed else without_suffix.get(name)
        if line is None:
            strangers.append(name)
        elif line in found:
            raise UserError(f"{path}: {found[line].name} has the same transcript; remove one")
        else:
            found[line] = path
    problems = []
    if strangers:
        problems.append(f"{len(strangers)} recordings have no transcript ({some(strangers)})")
    if missing := texts.keys() - found:
        problems.append(f"{len(missing)} transcripts have no recording ({some(missing)})")
    if problems:
        raise UserError(f"{folder} and {transcripts}: {'; '.join(problems)}")
    return {line: found[line] for line in texts}


if __name__ == "__main__":
    run_command(main)
