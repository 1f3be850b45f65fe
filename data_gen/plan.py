"""The plan of a dataset: which pieces of which recordings go into which shard.

`plan` and `waves` are pure: the same recordings and settings result in the same shards, and any
process can make one.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import audio
from ..audio import Ratio
from ..audio.measure import narrow_end_hz
from ..command import UserError
from . import degrade
from .layout import PIECE_SECONDS, Piece, distribute, shortest_piece
from .shards import Example
from .survey import Measured
from .tfio import Decode, Decoded

# What reads recordings: libsndfile, or tensorflow-io.
DECODERS = ("soundfile", "tfio")
# Settings that dataset.json leaves out if they have this value.
DEFAULTS = {"decoder": DECODERS[0], "narrow": False, "narrow_from": 0}
# Read before and after a piece, so that resampling has no edges in it. soxr's longest filter
# spans 0.1 s at these rates. Whole seconds are whole samples at both rates.
MARGIN_SECONDS = 1


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings that, together with the recordings, determine the bytes of a dataset.

    Args:
        corpus: one of `corpora.NAMES`.
        split_rule: key of `splits.RULES`.
        valid_fraction: see `splits.assign`.
        test_fraction: see `splits.assign`.
        seed: seeds the split and the order of the training shards.
        sample_rate: the high rate in Hz.
        ratio: the high rate over the low rate.
        protocol: key of `degrade.PROTOCOLS`.
        patch: shorter recordings are left out; in samples at the high rate.
        decoder: one of `DECODERS`.
        narrow: whether recordings of limited band, or of a lower rate, are kept. What is above
            their band is removed.
        narrow_from: of these, only those whose band reaches this frequency in Hz are kept.
    """

    corpus: str
    split_rule: str
    valid_fraction: float
    test_fraction: float
    seed: int
    sample_rate: int
    ratio: Ratio
    protocol: str
    patch: int
    decoder: str = "soundfile"
    narrow: bool = False
    narrow_from: int = 0

    @property
    def least_band_hz(self) -> float | None:
        """Where the band of a recording must end at least; None for a full one."""
        return self.narrow_from if self.narrow else None

    @property
    def shortest(self) -> int:
        """The samples of the shortest recording that is not left out."""
        return shortest_piece(self.patch, self.ratio)

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as dataset.json stores them: a quotient as text."""
        ratio = self.ratio if isinstance(self.ratio, int) else str(self.ratio)
        settings = dataclasses.asdict(self) | {"ratio": ratio}
        # Datasets from before there was a choice have neither.
        for key, default in DEFAULTS.items():
            if settings[key] == default:
                del settings[key]
        return settings


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

    def source(piece: Piece) -> Source:
        recording, facts, _ = kept_by_name[piece.row.name]
        assert facts is not None
        rates = facts.sample_rate, settings.sample_rate
        end_hz = narrow_end_hz(facts, settings.sample_rate) if settings.narrow else None
        return Source(piece, recording.path, *rates, settings.ratio, settings.protocol, end_hz)

    shards = distribute(rows, settings.sample_rate, settings.shortest, settings.seed)
    return {name: [source(piece) for piece in pieces] for name, pieces in shards.items()}


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
        if not isinstance(each, UserError):
            wave, source_rate = each
            each = wave[slice(*_span(source))], source_rate
        yield source, each


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
