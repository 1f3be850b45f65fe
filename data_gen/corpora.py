"""Readers of corpora. Each lists recordings in the same form.

| corpus | `source` | speaker | split |
|---|---|---|---|
| folder | any tree of audio files | first folder below the source, or a pattern | |
| manifest | a CSV (split, path, speaker and optionally text), or its folder | column | column |
| demo | the synthesised corpus, or where to build it | voice | by voice |
| vctk | VCTK 0.92 (or the older 0.80), or where to download it | folder | |
| ljspeech | LJSpeech 1.1, or where to download it | a single one | |
| librispeech | LibriSpeech, or where to download its subsets | folder | by subset |

The source of folder and manifest may also be in an object store, such as s3://bucket/voices.
"""

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .. import audio
from ..command.errors import UserError, lookup
from ..command.paths import check_relative, is_file
from ..command.reading import parse_csv, read_csv
from . import tfio

NAMES = ("folder", "manifest", "demo", "vctk", "ljspeech", "librispeech")
SPLITS = ("train", "valid", "test")
# What a manifest must have.
_COLUMNS = {"split", "path", "speaker"}
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
    r"""One audio file of a corpus and what the corpus knows about it.

    Args:
        path: the file, or the address of an object in a store.
        name: unique within the corpus: the path relative to its source, with forward slashes.
            Bytes that are not UTF-8 are escaped, as in "caf\xe9.wav".
        speaker: name of the speaker.
        text: the transcript, "" if there is none.
        split: "train", "valid" or "test", set by the corpus or by a rule; "" before that.
    """

    path: Path | str
    name: str
    speaker: str
    text: str = ""
    split: str = ""


class Found(NamedTuple):
    """The content of a corpus."""

    recordings: list[Recording]  # sorted by name
    left_out: dict[str, str]  # the names of other files and of folders -> why they are not read


class Store(NamedTuple):
    """Functions that read an object store, as those of `tfio`."""

    search: Callable[[str], tuple[dict[str, str], dict[str, str]]]
    read_bytes: Callable[[str], bytes]
    size: Callable[[Path | str], int | None]


TFIO = Store(tfio.search, tfio.read_bytes, tfio.size)


def search(
    corpus: str,
    source: Path | str,
    speaker_pattern: str | None = None,
    mic: int = 1,
    subsets: Sequence[str] = ("train-clean-100", "dev-clean", "test-clean"),
    store: Store = TFIO,
) -> Found:
    """Lists the recordings of a corpus.

    A public corpus that is not in `source` is downloaded there first; the demo corpus is
    synthesised there.

    Args:
        corpus: one of `NAMES`.
        source: the folder of the corpus, or the CSV of `manifest`; a string is an address in an
            object store.
        speaker_pattern: for `folder`: a regular expression searched in the path relative to the
            source; its first group, or the whole match, is the speaker.
        mic: for `vctk`: the microphone, 1 or 2.
        subsets: for `librispeech`: keys of `LIBRISPEECH_SUBSETS`.
        store: what reads the object store.

    Raises:
        UserError: the corpus is unknown, incomplete or empty, or an argument is wrong.
    """
    if isinstance(source, str):
        return _in_store(store, corpus, source.rstrip("/"), speaker_pattern)
    folders = _Folders(source)
    readers: dict[str, Callable[[], Iterable[Recording]]] = {
        "folder": lambda: _folder(folders, speaker_pattern),
        "manifest": lambda: _manifest(source),
        "demo": lambda: _demo(source),
        "vctk": lambda: _vctk(folders, mic),
        "ljspeech": lambda: _ljspeech(folders),
        "librispeech": lambda: _librispeech(folders, subsets),
    }
    read = lookup(readers, corpus, "corpus")
    if speaker_pattern is not None and corpus != "folder":
        raise UserError(
            f"speaker_pattern is for the corpus 'folder'; '{corpus}' names its own speakers"
        )
    return _found(source, read(), folders.left_out)


def _in_store(store: Store, corpus: str, source: str, speaker_pattern: str | None) -> Found:
    """Lists the recordings of a corpus in an object store."""
    if corpus == "folder":
        found, left_out = store.search(source)
        items = ((address, name) for name, address in found.items())
        root = source.rpartition("/")[2]
        return _found(source, _with_speakers(items, speaker_pattern, root), left_out)
    if corpus != "manifest":
        raise UserError(
            f"{source}: of what is in an object store, only the corpora folder and manifest are "
            f"read; copy the corpus {corpus} to a folder"
        )
    file = source if source.endswith(".csv") else f"{source}/manifest.csv"
    folder = file.rpartition("/")[0]
    rows = parse_csv(io.BytesIO(store.read_bytes(file)), _COLUMNS, file)
    recordings = _manifest_rows(rows, file, lambda name: f"{folder}/{name}")
    return _found(source, recordings, {})


def _found(source: Path | str, recordings: Iterable[Recording], left_out: dict[str, str]) -> Found:
    """Sorts the recordings by name; left_out may grow until they are all listed."""
    recordings = sorted(recordings, key=lambda recording: recording.name)
    if not recordings:
        first = next((f"; {name}: {why}" for name, why in left_out.items()), "")
        raise UserError(
            f"{source}: no recordings found; looked for {', '.join(audio.SUFFIXES)}{first}"
        )
    return Found(recordings, left_out)


class _Folders:
    """The folders of a corpus.

    Args:
        source: the folder of the corpus.

    Attributes:
        source: as given.
        left_out: the names of what the searches so far found and cannot read -> the reason.
    """

    def __init__(self, source: Path) -> None:
        self.source = source
        self.left_out: dict[str, str] = {}

    def search(self, folder: Path) -> Iterator[tuple[Path, str]]:
        """Yields the recordings in a folder and its subfolders, each with its name."""
        found = audio.search(folder)
        self.left_out |= {
            self._name(path): f"not read: {why}" for path, why in found.left_out.items()
        }
        for path in found.recordings:
            yield path, self._name(path)

    def _name(self, path: Path) -> str:
        return _escape(path.relative_to(self.source).as_posix())


def _escape(name: str) -> str:
    """Escapes the bytes of a name that are not UTF-8."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _folder(folders: _Folders, speaker_pattern: str | None) -> Iterator[Recording]:
    if not folders.source.is_dir():
        raise UserError(f"{folders.source}: no such folder")
    root = _escape(folders.source.resolve().name)
    return _with_speakers(folders.search(folders.source), speaker_pattern, root)


def _with_speakers(
    found: Iterable[tuple[Path | str, str]], speaker_pattern: str | None, root: str
) -> Iterator[Recording]:
    """Names the speakers of recordings, which come with their names; root is that of the source."""
    try:
        pattern = re.compile(speaker_pattern) if speaker_pattern is not None else None
    except re.error as error:
        raise UserError(
            f"speaker_pattern '{speaker_pattern}' is not a regular expression: {error}"
        ) from error
    for path, name in found:
        if pattern is None:
            folder, slash, _ = name.partition("/")
            speaker = folder if slash else root
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
    return _manifest_rows(read_csv(file, _COLUMNS), file, lambda name: file.parent / name)


def _manifest_rows(
    rows: list[tuple[int, dict[str, str]]], file: Path | str, locate: Callable[[str], Path | str]
) -> list[Recording]:
    """Makes recordings of the rows of a manifest; `locate` finds a recording by its name."""
    found: dict[str, Recording] = {}
    for line, row in rows:
        where = f"{file}, line {line}"
        recording = _manifest_row(row, locate, where)
        if recording.name in found:
            raise UserError(f"{where}: '{recording.name}' is listed twice; remove one row")
        found[recording.name] = recording
    return list(found.values())


def _manifest_row(
    row: dict[str, str], locate: Callable[[str], Path | str], where: str
) -> Recording:
    for column in ("split", "path", "speaker"):
        if not row[column]:
            raise UserError(f"{where}: fill in the {column}")
    if row["split"] not in SPLITS:
        raise UserError(f"{where}: split '{row['split']}' should be one of {', '.join(SPLITS)}")
    # Without empty and "." parts, as in "./a//1.wav".
    name = str(PurePosixPath(row["path"]))
    check_relative(name, where)
    path = locate(name)
    # The survey finds what is missing in a store; here, each would take a request.
    if isinstance(path, Path) and not is_file(path):
        raise UserError(f"{where}: '{name}' does not exist; correct the path or remove the row")
    return Recording(path, name, row["speaker"], row.get("text", ""), row["split"])


def _demo(source: Path) -> list[Recording]:
    from . import synthesize

    if not (source / "manifest.csv").is_file():
        synthesize.build(source)
    return _manifest(source)


def _vctk(folders: _Folders, mic: int) -> Iterator[Recording]:
    if mic not in (1, 2):
        raise UserError(f"mic {mic} does not exist; VCTK 0.92 has microphones 1 and 2")
    source = folders.source
    roots = (source, source / "VCTK-Corpus-0.92", source / "VCTK-Corpus")
    names = ("wav48_silence_trimmed", "wav48")
    found = (root for root in roots if any((root / name).is_dir() for name in names))
    root = next(found, None) or _fetch("vctk", source)
    if (root / "wav48_silence_trimmed").is_dir():
        waves, ending = root / "wav48_silence_trimmed", f"_mic{mic}.flac"
    elif mic == 1:
        # VCTK 0.80, used in the papers up to 2021, has one microphone.
        waves, ending = root / "wav48", ".wav"
    else:
        raise UserError(f"{root}: VCTK 0.80 has no microphone 2; use mic 1 or VCTK 0.92")
    for path, name in folders.search(waves):
        if not path.name.endswith(ending) or path.parent.parent != waves:
            continue
        speaker = name.split("/")[-2]
        # The publishers lost the texts of speaker p315.
        text = root / "txt" / path.parent.name / f"{path.name.removesuffix(ending)}.txt"
        yield Recording(path, name, speaker, _read(text).strip() if text.is_file() else "")


def _ljspeech(folders: _Folders) -> Iterator[Recording]:
    roots = (folders.source, folders.source / "LJSpeech-1.1")
    found = (root for root in roots if (root / "metadata.csv").is_file())
    root = next(found, None) or _fetch("ljspeech", folders.source)
    # Fields: id, text as printed, text with numbers and abbreviations spelled out.
    rows = [line.split("|") for line in _read(root / "metadata.csv").split("\n")]
    texts = {row[0]: row[-1].strip() for row in rows}
    for path, name in folders.search(root / "wavs"):
        if path.suffix == ".wav":
            yield Recording(path, name, "lj", texts.get(path.stem, ""))


def _librispeech(folders: _Folders, subsets: Sequence[str]) -> Iterator[Recording]:
    for subset in subsets:
        lookup(LIBRISPEECH_SUBSETS, subset, "LibriSpeech subset")
    for subset in dict.fromkeys(subsets):
        roots = (folders.source / subset, folders.source / "LibriSpeech" / subset)
        root = next(filter(Path.is_dir, roots), None) or _fetch(subset, folders.source)
        texts: dict[Path, dict[str, str]] = {}
        for path, name in folders.search(root):
            chapter = path.parent
            if path.suffix != ".flac" or chapter.parent.parent != root:
                continue
            if chapter not in texts:
                texts[chapter] = _transcripts(chapter)
            text = texts[chapter].get(path.stem, "")
            speaker = name.split("/")[-3]
            yield Recording(path, name, speaker, text, LIBRISPEECH_SUBSETS[subset])


def _transcripts(chapter: Path) -> dict[str, str]:
    """Reads the texts of a chapter of LibriSpeech by the names of its recordings."""
    texts = {}
    for file in chapter.glob("*.trans.txt"):
        for line in _read(file).splitlines():
            utterance, _, text = line.partition(" ")
            texts[utterance] = text.strip()
    return texts


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not in UTF-8 ({error}); save it as UTF-8") from error


def _fetch(name: str, source: Path) -> Path:
    # Imported only for a download, since it needs packages that nothing else needs.
    from . import download

    return download.fetch(name, source)
