"""The texts of recordings, read from a CSV file, and the recordings of each text."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ..command import UserError
from ..command.reading import read_csv


class Transcripts:
    """The texts of recordings.

    Args:
        path: CSV file with the columns path and text, such as the manifest of a dataset.
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
        for line, row in read_csv(path, {"path", "text"} | ({"split"} if split else set())):
            name = PurePosixPath(row["path"]).as_posix()
            if name in self.texts or name in self.ignored:
                raise UserError(f"{path}, line {line}: '{name}' is listed twice; remove one")
            # The manifest of a dataset has a reason for each recording that is left out.
            if row.get("reason") or (split and row["split"] != split):
                self.ignored.add(name)
            else:
                self.texts[name] = row["text"]
        if not self.texts:
            hint = f" in the split '{split}'; choose another --split" if split else "; add rows"
            raise UserError(f"{path}: no transcripts{hint}")

    def match(
        self, systems: Mapping[str, Path]
    ) -> tuple[dict[str, dict[str, Path]], dict[str, str]]:
        """Finds the recordings of each transcript in folders.

        The text of a recording a.flac is that of a row with the path a.flac or a.wav; and the text
        of a.flac.wav, as wideband-evaluate writes it, is that of a row with the path a.flac.

        Args:
            systems: system -> folder.

        Returns:
            path of the transcript -> system -> recording, for those that all systems have; and the
            recordings and transcripts that are left out, with the reason.

        Raises:
            UserError: a folder is missing or has no recordings.
        """
        by_system: dict[str, dict[str, Path]] = {}
        left_out: dict[str, str] = {}
        for system, folder in systems.items():
            by_system[system], of_system = self._match_folder(folder)
            left_out = of_system | left_out
        recordings = {
            row: {system: found[row] for system, found in by_system.items()}
            for row in self.texts
            if row not in left_out
        }
        return recordings, left_out

    def _match_folder(self, folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
        """Returns path of the transcript -> recording, and what is left out with the reason."""
        from .folders import find_recordings

        recordings = find_recordings(folder)
        rows = self._rows()
        found: dict[str, Path] = {}
        left_out = {rows.get(name, name): reason for name, reason in recordings.left_out.items()}
        for name, path in recordings.by_name.items():
            row = rows.get(name)
            if row is None:
                left_out[name] = f"has no transcript in {self._path}; add one"
            elif row in found:
                left_out[row] = f"{path}: {found[row].name} has the same transcript; remove one"
            else:
                found[row] = path
        for row in self.texts.keys() - found:
            left_out.setdefault(row, f"has no recording in {folder}; add one")
        return found, dict(sorted(left_out.items()))

    def _rows(self) -> dict[str, str]:
        """Returns name of a recording -> path of its row."""
        from ..audio import SUFFIXES

        listed = {*self.texts, *self.ignored}
        by_stem = {}
        # If both a.flac and a.wav are listed, a.wav comes last and gets the name a, since
        # wideband-evaluate removes the suffix .wav only.
        for path in sorted(listed, key=lambda path: path.endswith(".wav")):
            stem, dot, suffix = path.rpartition(".")
            by_stem[stem if dot + suffix.lower() in SUFFIXES else path] = path
        return by_stem | {path: path for path in listed}
