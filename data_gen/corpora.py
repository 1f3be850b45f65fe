"""The corpora that can be prepared, each read into the same list of recordings.

| corpus | what `source` is | speaker | split |
|---|---|---|---|
| folder | any tree of audio files | first folder below the source, or by pattern | |
| manifest | a CSV (split, path, speaker and perhaps text), or its folder | column | column |
| demo | where the synthesised corpus stands or is built | voice | by voice |
| vctk | VCTK 0.92 (or the older 0.80), or where to download it | folder | |
| ljspeech | LJSpeech 1.1, or where to download it | the only one | |
| librispeech | LibriSpeech, or where to download its subsets | folder | by subset |
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .. import audio
from ..command import UserError

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
    """One audio file of a corpus and what the corpus says of it."""

    path: Path
    # Unique within the corpus: the path relative to its source, with forward slashes.
    name: str
    speaker: str
    text: str = ""
    # "train", "valid" or "test" where the corpus or a rule says so.
    split: str = ""


def recordings(
    corpus: str,
    source: Path,
    speaker_pattern: str | None = None,
    mic: int = 1,
    subsets: Sequence[str] = ("train-clean-100", "dev-clean", "test-clean"),
) -> list[Recording]:
    """Lists the recordings of a corpus.

    A public corpus that does not stand in `source` is downloaded there first, and the demo
    corpus is synthesised there.

    Args:
        corpus: one of `NAMES`.
        source: the corpus's folder, or the CSV of `manifest`.
        speaker_pattern: for `folder`: a regular expression searched in the path relative to the
            source; its first group, or the whole match, is the speaker.
        mic: for `vctk`: which of its two microphones, 1 or 2.
        subsets: for `librispeech`: keys of `LIBRISPEECH_SUBSETS`.

    Returns:
        the recordings, sorted by name.

    Raises:
        UserError: the corpus is unknown, incomplete or holds no recordings, or an argument is
            wrong; the message says which.
    """
    source = Path(source)
    if corpus not in NAMES:
        raise UserError(f"there is no corpus '{corpus}'; choose one of {', '.join(NAMES)}")
    if speaker_pattern is not None and corpus != "folder":
        raise UserError(f"speaker_pattern is for the corpus 'folder', '{corpus}' has its speakers")
    if corpus == "folder":
        found = _folder(source, speaker_pattern)
    elif corpus == "manifest":
        found = _manifest(source)
    elif corpus == "demo":
        found = _demo(source)
    elif corpus == "vctk":
        found = _vctk(source, mic)
    elif corpus == "ljspeech":
        found = _ljspeech(source)
    else:
        found = _librispeech(source, subsets)
    found = sorted(found, key=lambda recording: recording.name)
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
        raise UserError(f"{source}: there is no such folder")
    for path in audio.find(source):
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
        raise UserError(f"{file}: there is no such manifest")
    try:
        # A BOM is what spreadsheet programs put in front.
        with file.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            missing = {"split", "path", "speaker"} - set(rows.fieldnames or ())
            if missing:
                raise UserError(f"{file}: add the missing column(s) {', '.join(sorted(missing))}")
            found: dict[str, Recording] = {}
            for row in rows:
                where = f"{file}, line {rows.line_num}"
                recording = _manifest_row(row, file.parent, where)
                if recording.name in found:
                    raise UserError(f"{where}: '{recording.name}' is listed twice; remove one")
                found[recording.name] = recording
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: not a CSV in UTF-8: {error}") from error
    return list(found.values())


def _manifest_row(row: dict[str, str | None], folder: Path, where: str) -> Recording:
    for column in ("split", "path", "speaker"):
        if not row[column]:
            raise UserError(f"{where}: fill in the {column}")
    if row["split"] not in SPLITS:
        raise UserError(f"{where}: split '{row['split']}' should be one of {', '.join(SPLITS)}")
    name = PurePosixPath(str(row["path"]))
    path = folder / name
    if Path(name).is_absolute() or ".." in name.parts:
        raise UserError(f"{where}: '{name}' should be a path below the manifest's folder")
    if not path.is_file():
        raise UserError(f"{where}: '{name}' does not exist; mend the path or remove the row")
    return Recording(path, str(name), str(row["speaker"]), row.get("text") or "", str(row["split"]))


def _demo(source: Path) -> list[Recording]:
    from . import synthesize

    if not (source / "manifest.csv").is_file():
        synthesize.build(source)
    return _manifest(source)


def _vctk(source: Path, mic: int) -> Iterator[Recording]:
    if mic not in (1, 2):
        raise UserError(f"mic {mic} does not exist; VCTK 0.92 has microphones 1 and 2")
    for root in (source, source / "VCTK-Corpus-0.92", source / "VCTK-Corpus"):
        if (root / "wav48_silence_trimmed").is_dir() or (root / "wav48").is_dir():
            break
    else:
        root = _fetch("vctk", source)
    if (root / "wav48_silence_trimmed").is_dir():
        paths = (root / "wav48_silence_trimmed").glob(f"*/*_mic{mic}.flac")
    elif mic == 1:
        # VCTK 0.80, which the papers up to 2021 used, has one microphone.
        paths = (root / "wav48").glob("*/*.wav")
    else:
        raise UserError(f"{root}: VCTK 0.80 has no microphone 2; use mic 1 or VCTK 0.92")
    for path in paths:
        speaker = path.parent.name
        # Speaker p315's texts were lost by the publishers.
        text = root / "txt" / speaker / f"{path.stem.removesuffix(f'_mic{mic}')}.txt"
        yield Recording(
            path,
            path.relative_to(source).as_posix(),
            speaker,
            text.read_text(encoding="utf-8").strip() if text.is_file() else "",
        )


def _ljspeech(source: Path) -> Iterator[Recording]:
    for root in (source, source / "LJSpeech-1.1"):
        if (root / "metadata.csv").is_file():
            break
    else:
        root = _fetch("ljspeech", source)
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
        if subset not in LIBRISPEECH_SUBSETS:
            raise UserError(
                f"LibriSpeech has no subset '{subset}'; it has {', '.join(LIBRISPEECH_SUBSETS)}"
            )
    for subset in dict.fromkeys(subsets):
        for root in (source / subset, source / "LibriSpeech" / subset):
            if root.is_dir():
                break
        else:
            root = _fetch(subset, source)
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
    # Whoever has the corpus already needs none of the network's packages.
    from . import download

    return download.fetch(name, source)
