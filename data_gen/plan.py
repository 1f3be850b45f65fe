"""The plan of a dataset: which pieces of which recordings go into which shard.

`plan` and `waves` are pure: the same recordings and settings result in the same shards, and any
process can make one.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import audio
from ..audio import Ratio
from ..audio.measure import narrow_end_hz
from ..command import UserError
from . import degrade
from .layout import PIECE_SECONDS, Piece, distribute
from .settings import Settings
from .shards import Example
from .survey import Measured
from .tfio import Decode, Decoded

# Read before and after a piece, so that resampling has no edges in it. soxr's longest filter
# spans 0.1 s at these rates. Whole seconds are whole samples at both rates.
MARGIN_SECONDS = 1


class Source(NamedTuple):
    """Where a piece comes from, and how to make its two sides."""

    piece: Piece
    path: Path | str
    source_rate: int
    sample_rate: int
    ratio: Ratio
    protocol: str
    # Where its band ends, in Hz; None if it is full.
    end_hz: float | None = None

    def example(self, high: np.ndarray, low: np.ndarray) -> Example:
        """Returns the example that its two sides make."""
        row = self.piece.row
        return Example(row.name, row.speaker, row.text, self.piece.start_seconds, high, low)


def plan(measured: Iterable[Measured], settings: Settings) -> dict[str, list[Source]]:
    """Distributes the pieces of the recordings that are not left out over shards.

    Args:
        measured: all recordings of the corpus.
        settings: of the dataset.

    Returns:
        the file name of each shard and the sources of its pieces.
    """
    kept_by_name = {each.recording.name: each for each in measured if not each.reason}
    rows = [each.row(settings.sample_rate) for each in kept_by_name.values()]

    shards = distribute(rows, settings.sample_rate, settings.shortest, settings.seed)
    return {
        name: [trace(piece, kept_by_name[piece.row.name], settings) for piece in pieces]
        for name, pieces in shards.items()
    }


def trace(piece: Piece, measured: Measured, settings: Settings) -> Source:
    """Returns where a piece of a recording comes from."""
    recording, facts, _ = measured
    assert facts is not None
    rates = facts.sample_rate, settings.sample_rate
    end_hz = narrow_end_hz(facts, settings.sample_rate) if settings.narrow else None
    return Source(piece, recording.path, *rates, settings.ratio, settings.protocol, end_hz)


def waves(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Reads a piece and makes its low side.

    Returns:
        high (n,) int16, n a multiple of the ratio, and low (n / ratio,) float32. The low side is
        made from the rounded high side, so that the two agree.

    Raises:
        UserError: the recording is not the one that was measured.
    """
    try:
        decoded = audio.read(Path(source.path), *_span(source))
    except UserError as error:
        raise _changed(source.path, str(error).removeprefix(f"{source.path}: ")) from error
    return decoded_waves((source, decoded))


def cut(sources: Sequence[Source], decode: Decode) -> "Iterator[tuple[Source, Decoded]]":
    """Decodes the recordings of pieces whole, and yields what `decoded_waves` needs of each."""
    decoded = decode([source.path for source in sources])
    for source, each in zip(sources, decoded, strict=True):
        yield source, each if isinstance(each, UserError) else cut_out(source, *each)


def cut_out(source: Source, wave: np.ndarray, source_rate: int) -> Decoded:
    """Returns what `decoded_waves` needs of a whole recording to make one of its pieces."""
    return wave[slice(*_span(source))], source_rate


def _span(source: Source) -> tuple[int, int]:
    """Returns the samples at the source rate, from and to, that a piece is made from."""
    start = source.piece.start_seconds
    first_second = max(0, start - MARGIN_SECONDS)
    last_second = start + PIECE_SECONDS + MARGIN_SECONDS
    return first_second * source.source_rate, last_second * source.source_rate


def decoded_waves(item: tuple[Source, Decoded]) -> tuple[np.ndarray, np.ndarray]:
    """Makes the two sides of a piece, as `waves` does, from the samples that `cut` yields."""
    source, decoded = item
    if isinstance(decoded, UserError):
        raise _changed(source.path, str(decoded))
    wave, source_rate = decoded
    if source_rate != source.source_rate:
        raise _changed(source.path, f"{source_rate} Hz, not {source.source_rate} Hz")
    wave = audio.resample(audio.mono(wave), source.source_rate, source.sample_rate)
    if source.end_hz is not None:
        wave = audio.remove_above(wave, source.sample_rate, source.end_hz)
    start_seconds = source.piece.start_seconds
    start = min(start_seconds, MARGIN_SECONDS) * source.sample_rate
    wave = wave[start : start + PIECE_SECONDS * source.sample_rate]
    if len(wave) != source.piece.samples:
        raise _changed(
            source.path,
            f"{len(wave)} samples at {source.sample_rate} Hz from {start_seconds} s on, not "
            f"{source.piece.samples}",
        )
    high = audio.to_int16(degrade.crop(wave, source.ratio))
    low = degrade.get(source.protocol).down(audio.from_int16(high), source.ratio)
    return high, low


def _changed(path: Path | str, difference: str) -> UserError:
    return UserError(
        f"{path}: has changed since it was measured ({difference}); restore it and run the same "
        "command again, or choose another --output"
    )
