r"""Word and character error rates of folders of recordings with known texts.

python -m wideband.evaluate.wer --transcripts=manifest.csv --recordings=reference \
    --recordings=upsampled --recognizer=pocketsphinx --output=wer.csv

The other systems are compared with the first one on the same recordings (paired bootstrap). A
recording that cannot be read or recognized is left out for all systems.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..command.files import check_writable
from ..command.named import parse_named_paths
from ..command.paths import check_suffix
from ..command.run import Command, Flags
from ..command.tables import text_table
from .left_out import check, finish, show
from .transcripts import Transcripts

if TYPE_CHECKING:
    from .words.word_errors import Transcribed, Transcript

# Flags that are passed to the recognizer.
_SETTINGS = ("whisper_model", "grammar", "deepspeech_checkpoint", "scorer", "timeout_seconds")


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
        "pocketsphinx, whisper, deepspeech, or cmd: and a command that takes the path of a wav "
        "file and prints its text, such as 'cmd:whisper-cli --no-timestamps --no-prints {}'. With "
        "{list} instead of {}, it takes a file with the path of a wav file in each line; for each, "
        "it prints a line with the path, a tab and the text.",
    )
    flags.string(
        "whisper_model",
        None,
        "For whisper: folder of a model for faster-whisper, or the name of one that is already in "
        "its cache, such as small; default base.",
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
        upper_bound=86400,
    )
    flags.string(
        "output",
        "wer.csv",
        "CSV file to write, one row per file and system; the totals go next to it as .json.",
    )
    flags.integer("seed", 0, "Seed of the bootstrap.", lower_bound=0)


def main(flags: Flags, arguments: list[str]) -> None:
    """Recognizes the recordings, counts the errors, and writes and prints the totals."""
    output, path = Path(flags.output), Path(flags.transcripts)
    check_suffix("output", output, ".csv")
    check_writable(output)
    transcripts = Transcripts(path, flags.split)
    systems = parse_named_paths(flags.recordings)
    recordings, left_out = transcripts.match(systems)
    from . import words
    from .words import word_errors
    from .words.scores import Scores

    check(recordings, left_out)
    settings = {name: flags[name].value for name in _SETTINGS if flags[name].value is not None}
    recognizer = words.create(flags.recognizer, **settings)
    scores = Scores(recognizer)
    scores.add(recordings, transcripts.texts, "recognized")
    left_out |= scores.left_out
    check(scores.transcripts, left_out)
    first, *others = scores.transcripts
    pairs = [(first, other) for other in others]
    found = word_errors.summarize(recognizer, scores.transcripts, pairs, flags.seed)
    try:
        _write(output, flags, scores.transcripts, found, left_out)
    # The results are shown even if they cannot be written.
    finally:
        print(text_table(*word_errors.table(found.totals)))
        if found.differences:
            print(f"\n{text_table(*word_errors.differences_table(found.differences))}")
        print(f"recognizer: {recognizer.name}")
        show(left_out)
    finish(left_out)


def _write(
    output: Path,
    flags: Flags,
    transcripts: "Mapping[str, Sequence[Transcript]]",
    found: "Transcribed",
    left_out: Mapping[str, str],
) -> None:
    from . import results

    results.write_transcripts(output, transcripts)
    results.write_word_errors(
        output.with_suffix(".json"),
        found,
        transcripts=flags.transcripts,
        split=flags.split,
        recordings=flags.recordings,
        left_out=left_out,
        seed=flags.seed,
    )


command = Command("python -m wideband.evaluate.wer", define_flags, main)

if __name__ == "__main__":
    sys.exit(command())
