"""Finds the recordings in a folder, and names those that cannot be read."""

import os
import shlex
from collections import deque
from pathlib import Path
from typing import NamedTuple

from ..command.errors import explain

# What to do with a file or folder that the system does not open.
ALLOW = "allow it to be read"
# What libsndfile reads.
SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"),
    *(".opus", ".oga", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".bwf", ".wave", ".mp2"),
    *(".sph", ".voc"),
)
# What ffmpeg reads and libsndfile does not.
FOREIGN_SUFFIXES = (
    *(".m4a", ".m4b", ".mp4", ".aac", ".wma", ".webm", ".mka", ".amr", ".3gp", ".ac3", ".ape"),
    *(".wv", ".tta", ".mpc", ".spx", ".gsm", ".ra", ".dsf", ".shn"),
)


class Found(NamedTuple):
    """The content of a folder."""

    recordings: list[Path]  # sorted
    left_out: dict[Path, str]  # path -> reason, with what to do


def conversion(path: Path, options: str = "") -> str:
    """Returns the command that converts a recording to wav, with options for its reading."""
    converted = path.with_suffix(".wav")
    if converted == path:
        converted = path.with_name(f"{path.stem}_converted.wav")
    # ffmpeg takes a name that starts with a dash for an option.
    names = [f"./{name}" if name[0] == "-" else name for name in (str(path), str(converted))]
    return shlex.join(["ffmpeg", *options.split(), "-i", *names])


def search(folder: Path) -> Found:
    """Searches a folder and its subfolders for recordings, without hidden files and folders.

    Links are followed. A folder that can be reached in several ways is searched once, under its
    own name if that is in `folder`.

    Returns:
        the recordings, and what looks like a recording or a folder but cannot be read.
    """
    found = Found([], {})
    searched: dict[tuple[int, int], Path] = {}
    folders, links = deque([folder]), deque[Path]()
    while folders or links:
        # The links come last, so that a folder is known by its own name.
        current = folders.popleft() if folders else links.popleft()
        try:
            status = current.stat()
            first = searched.setdefault((status.st_dev, status.st_ino), current)
            if first is not current:
                found.left_out[current] = f"a link to {first}, which is searched already"
                continue
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        (links if entry.is_symlink() else folders).append(current / entry.name)
                    else:
                        _sort_in(entry, current / entry.name, found)
        except OSError as error:
            found.left_out[current] = f"cannot be searched: {explain(error, ALLOW)}"
    return Found(sorted(found.recordings), dict(sorted(found.left_out.items())))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Says whether an entry is a folder or a link to one; a link to nothing is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _sort_in(entry: os.DirEntry[str], path: Path, found: Found) -> None:
    """Adds a file to the recordings or to what is left out; other files are of no interest."""
    suffix = path.suffix.lower()
    try:
        is_file = entry.is_file()
    except OSError:
        is_file = False
    if not is_file:
        if entry.is_symlink():
            found.left_out[path] = "a link to nothing; remove or correct it"
        elif suffix in SUFFIXES:
            found.left_out[path] = "not a file; remove or rename it"
    elif suffix in SUFFIXES:
        found.recordings.append(path)
    elif suffix in FOREIGN_SUFFIXES:
        found.left_out[path] = f"cannot be read; convert it: {conversion(path)}"
