"""Readers of corpora. Each lists recordings in the same form.

| corpus | `source` | speaker | split |
|---|---|---|---|
| folder | any tree of audio files | first folder below the source, or a pattern | |
| manifest | a CSV (split, path, speaker and optionally text), or its folder | column | column |
| demo | the synthesised corpus, or where to build it | voice | by voice |
| vctk | VCTK 0.92 (or the older 0.80), or where to download it | folder | |
| ljspeech | LJSpeech 1.1, or where to download it | a single one | |
| librispeech | LibriSpeech, or where to download its subsets | folder | by subset |
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .. import audio
from ..command.errors import UserError, lookup
from ..command.files import read_csv

NAMES = ("folder", "manifest", "demo", "vctk", "ljspeech", "librispeech")
SPLITS = ("train", "valid", "test")
LIBRISPEECH_SUBSETS = {
    "train-clean-100": "train",
    "train-clean-360": "train",
    "train-other-500": "train",
    "dev-clean": "valid",
    "dev-other": "valid",
    "test-clean": "test",
    "test-other": "test",
}


@dataclass(frozen=True)
class Recording:
    """One audio file of a corpus and what the corpus knows about it.

    Args:
        path: the file.
        name: unique within the corpus: the path relative to its source, with forward slashes.
        speaker: name of the speaker.
        text: the transcript, "" if there is none.
        split: "train", "valid" or "test", set by the corpus or by a rule; "" before that.
    """

    path: Path
    name: str
    speaker: str
    text: str = ""
    split: str = ""


def recordings(
    corpus: str,
    source: Path,
    speaker_pattern: str | None = None,
    mic: int = 1,
    subsets: Sequence[str] = ("train-clean-100", "dev-clean", "test-clean"),
) -> list[Recording]:
    """Lists the recordings of a corpus.

    A public corpus that is not in `source` is downloaded there first; the demo corpus is
    synthesised there.

    Args:
        corpus: one of `NAMES`.
        source: the folder of the corpus, or the CSV of `manifest`.
        speaker_pattern: for `folder`: a regular expression searched in the path relative to the
            source; its first group, or the whole match, is the speaker.
        mic: for `vctk`: the microphone, 1 or 2.
        subsets: for `librispeech`: keys of `LIBRISPEECH_SUBSETS`.

    Returns:
        the recordings, sorted by name.

    Raises:
        UserError: the corpus is unknown, incomplete or empty, or an argument is wrong.
    """
    source = Path(source)
    readers: dict[str, Callable[[], Iterable[Recording]]] = {
        "folder": lambda: _folder(source, speaker_pattern),
        "manifest": lambda: _manifest(source),
        "demo": lambda: _demo(source),
        "vctk": lambda: _vctk(source, mic),
        "ljspeech": lambda: _ljspeech(source),
        "librispeech": lambda: _librispeech(source, subsets),
    }
    read = lookup(readers, corpus, "corpus")
    if speaker_pattern is not None and corpus != "folder":
        raise UserError(
            f"speaker_pattern is for the corpus 'folder'; '{corpus}' names its own speakers"
        )
    found = sorted(read(), key=lambda recording: recording.name)
    if not found:
        raise UserError(f"{source}: no recordings found; looked for {', '.join(audio.SUFFIXES)}")
    return found


def _folder(source: Path, speaker_pattern: str | None) -> Iterator[Recording]:
    try:
        pattern = re.compile(speaker_pattern) if speaker_pattern is not None else None
    except re.error as error:
        raise UserError(
            f"speaker_pattern '{speaker_pattern}' is not a regular expression: {error}"
        ) from error
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    for path in audio.search(source).recordings:
        relative = path.relative_to(source)
        name = relative.as_posix()
        if pattern is None:
            speaker = relative.parts[0] if len(relative.parts) > 1 else source.resolve().name
        elif match := pattern.search(name):
            speaker = match.group(1) if pattern.groups else match.group()
        else:
            raise UserError(f"speaker_pattern '{speaker_pattern}' does not match '{name}'")
        if not speaker:
            raise UserError(f"speaker_pattern '{speaker_pattern}' finds no speaker in '{name}'")
        yield Recording(path, name, speaker)


def _manifest(source: Path) -> list[Recording]:
    file = source / "manifest.csv" if source.is_dir() else source
    if not file.is_file():
        raise UserError(f"{file}: no such manifest")
    found: dict[str, Recording] = {}
    for line, row in read_csv(file, {"split", "path", "speaker"}):
        where = f"{file}, line {line}"
        recording = _manifest_row(row, file.parent, where)
        if recording.name in found:
            raise UserError(f"{where}: '{recording.name}' is listed twice; remove one row")
        found[recording.name] = recording
    return list(found.values())


def _manifest_row(row: dict[str, str], folder: Path, where: str) -> Recording:
    for column in ("split", "path", "speaker"):
        if not row[column]:
            raise UserError(f"{where}: fill in the {column}")
    if row["split"] not in SPLITS:
        raise UserError(f"{where}: split '{row['split']}' should be one of {', '.join(SPLITS)}")
    name = PurePosixPath(row["path"])
    path = folder / name
    if Path(name).is_absolute() or ".." in name.parts:
        raise UserError(f"{where}: '{name}' should be a path below the folder of the manifest")
    if not path.is_file():
        raise UserError(f"{where}: '{name}' does not exist; correct the path or remove the row")
    return Recording(path, str(name), row["speaker"], row.get("text", ""), row["split"])


def _demo(source: Path) -> list[Recording]:
    from . import synthesize

    if not (source / "manifest.csv").is_file():
        synthesize.build(source)
    return _manifest(source)


def _vctk(source: Path, mic: int) -> Iterator[Recording]:
    if mic not in (1, 2):
        raise UserError(f"mic {mic} does not exist; VCTK 0.92 has microphones 1 and 2")
    roots = (source, source / "VCTK-Corpus-0.92", source / "VCTK-Corpus")
    folders = ("wav48_silence_trimmed", "wav48")
    found = (root for root in roots if any((root / name).is_dir() for name in folders))
    root = next(found, None) or _fetch("vctk", source)
    if (root / "wav48_silence_trimmed").is_dir():
        paths = (root / "wav48_silence_trimmed").glob(f"*/*_mic{mic}.flac")
    elif mic == 1:
        # VCTK 0.80, used in the papers up to 2021, has one microphone.
        paths = (root / "wav48").glob("*/*.wav")
    else:
        raise UserError(f"{root}: VCTK 0.80 has no microphone 2; use mic 1 or VCTK 0.92")
    for path in paths:
        speaker = path.parent.name
        # The publishers lost the texts of speaker p315.
        text = root / "txt" / speaker / f"{path.stem.removesuffix(f'_mic{mic}')}.txt"
        yield Recording(
            path,
            path.relative_to(source).as_posix(),
            speaker,
            text.read_text(encoding="utf-8").strip() if text.is_file() else "",
        )


def _ljspeech(source: Path) -> Iterator[Recording]:
    roots = (source, source / "LJSpeech-1.1")
    found = (root for root in roots if (root / "metadata.csv").is_file())
    root = next(found, None) or _fetch("ljspeech", source)
    with (root / "metadata.csv").open(newline="", encoding="utf-8") as lines:
        # Fields: id, text as printed, text with numbers and abbreviations spelled out.
        rows = csv.reader(lines, delimiter="|", quoting=csv.QUOTE_NONE)
        texts = {row[0]: row[-1] for row in rows if row}
    for path in (root / "wavs").glob("*.wav"):
        yield Recording(
            path, path.relative_to(source).as_posix(), "lj", texts.get(path.stem, "").strip()
        )


def _librispeech(source: Path, subsets: Sequence[str]) -> Iterator[Recording]:
    for subset in subsets:
        lookup(LIBRISPEECH_SUBSETS, subset, "LibriSpeech subset")
    for subset in dict.fromkeys(subsets):
        roots = (source / subset, source / "LibriSpeech" / subset)
        root = next(filter(Path.is_dir, roots), None) or _fetch(subset, source)
        for chapter in root.glob("*/*"):
            texts = {}
            for file in chapter.glob("*.trans.txt"):
                for line in file.read_text(encoding="utf-8").splitlines():
                    utterance, _, text = line.partition(" ")
                    texts[utterance] = text.strip()
            for path in chapter.glob("*.flac"):
                yield Recording(
                    path,
                    path.relative_to(source).as_posix(),
                    chapter.parent.name,
                    texts.get(path.stem, ""),
                    LIBRISPEECH_SUBSETS[subset],
                )


def _fetch(name: str, source: Path) -> Path:
    # Imported only for a download, since it needs packages that nothing else needs.
    from . import download

    return download.fetch(name, source)
