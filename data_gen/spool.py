"""Records between measuring and writing: what they spare is decoding every recording twice.

What a recording measures decides whether a dataset has it, and which shard has it depends on all
other recordings. So the process that measures a recording, and finds it fit, makes its records at
once and puts them into the spool, a hidden folder of the dataset with a file for each. The shard
takes them from there. Records that are not there are made anew from the recording: those of an
earlier run, of recordings that are too long, or for which the disk had no room.
"""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import audio
from ..audio.measure import Facts
from ..command import UserError
from ..command.files import writing
from ..command.hidden import hidden_folder
from . import shards
from .corpora import Recording
from .layout import PIECE_SECONDS, cut
from .plan import Source, cut_out, decoded_waves, trace, waves
from .settings import Settings
from .survey import Measured, measure_recording
from .tfio import Decoded

# Samples in all channels of the longest recording that is decoded whole: 64 MiB, or 6 minutes at
# 48 kHz.
LONGEST = 1 << 24
# Sample formats that are read alike from the beginning and from the middle. Decoders of MP3 and
# Vorbis round their samples differently after they have gone to the middle.
_EXACT = ("PCM", "FLOAT", "DOUBLE")


class Spool(NamedTuple):
    """The spool of a dataset, for any process."""

    folder: Path
    settings: Settings

    def measure(self, item: tuple[Recording, Decoded | None]) -> Facts | str:
        """Measures a recording as `measure_recording` does, and puts its records into the spool.

        Args:
            item: the recording, which is not decoded yet.
        """
        recording, _ = item
        try:
            decoded = _decode(Path(recording.path))
        except UserError as error:
            decoded = error
        facts = measure_recording((recording, decoded))
        if isinstance(facts, Facts) and isinstance(decoded, tuple):
            self._put(Measured(recording, facts, self.settings.reason_to_skip(facts)), *decoded)
        return facts

    def _put(self, measured: Measured, wave: np.ndarray, source_rate: int) -> None:
        """Makes the records of a recording, if it is fit."""
        if measured.reason:
            return
        sample_rate, shortest = self.settings.sample_rate, self.settings.shortest
        for piece in cut(measured.row(sample_rate), sample_rate, shortest):
            source = trace(piece, measured, self.settings)
            sides = decoded_waves((source, cut_out(source, wave, source_rate)))
            path = self._path(source)
            try:
                path.write_bytes(shards.record(source.example(*sides)))
            except OSError:
                # Whether there is room for the dataset shows when its shards are written.
                path.unlink(missing_ok=True)

    def record(self, source: Source) -> bytes:
        """Returns the record of a piece, from the spool or made anew.

        Raises:
            UserError: as `waves`.
        """
        try:
            return self._path(source).read_bytes()
        except FileNotFoundError:
            return shards.record(source.example(*waves(source)))

    def remove(self, source: Source) -> None:
        """Removes the record of a piece from the spool, if it is there."""
        self._path(source).unlink(missing_ok=True)

    def _path(self, source: Source) -> Path:
        row, start_seconds, _ = source.piece
        return self.folder / hashlib.sha256(f"{start_seconds} {row.name}".encode()).hexdigest()


@contextmanager
def spool(output: Path, settings: Settings) -> Iterator[Spool]:
    """Makes the spool of a dataset, and removes it at the end; the next run, if this one is killed.

    Args:
        output: the folder of the dataset.
        settings: of the dataset.

    Raises:
        UserError: nothing can be written there.
    """
    with ExitStack() as stack:
        with writing(output):
            folder = stack.enter_context(hidden_folder(output))
        yield Spool(folder, settings)


def _decode(path: Path) -> Decoded | None:
    """Decodes a recording; returns None for one whose pieces `waves` has to make."""
    frames, sample_rate, channels = audio.info(path)
    if frames * channels > LONGEST:
        return None
    if frames > PIECE_SECONDS * sample_rate and not audio.subtype(path).startswith(_EXACT):
        return None
    return audio.read(path)
