"""The plan of a dataset: which pieces of which recordings go into which shard.

`plan` and `waves` are pure: the same recordings and settings result in the same shards, and any
process can make a piece.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import audio
from ..audio import Ratio
from ..audio.measure import Facts
from . import degrade
from .corpora import SPLITS, Recording
from .dataset import PIECE_SECONDS, piece_lengths
from .survey import Measured

# Ten minutes at 16 kHz: a small corpus still fills several shards, a large one not too many.
SHARD_SAMPLES = 600 * 16000
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

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as dataset.json stores them: a quotient as text."""
        ratio = self.ratio if isinstance(self.ratio, int) else str(self.ratio)
        return dataclasses.asdict(self) | {"ratio": ratio}


class Piece(NamedTuple):
    """A minute of a recording, or all of a shorter one, and how to make its two sides."""

    recording: Recording
    source_rate: int
    start_seconds: int
    sample_rate: int
    ratio: Ratio
    protocol: str


def plan(kept: Iterable[Measured], settings: Settings) -> dict[str, list[Piece]]:
    """Distributes the pieces of recordings over shards.

    Pieces of the train split are shuffled with the seed of the settings. `pipeline.patches` reads
    all shards in parallel; a shard of long recordings only would be exhausted before the others.

    Args:
        kept: the recordings that are not left out.
        settings: of the dataset.

    Returns:
        the file name of each shard and its pieces.
    """
    shards: dict[str, list[Piece]] = {}
    for split in SPLITS:
        pieces = [
            piece_and_length
            for recording, facts, _ in kept
            if recording.split == split and facts is not None
            for piece_and_length in _cut(recording, facts, settings)
        ]
        if split == "train":
            np.random.default_rng(settings.seed).shuffle(pieces)
        # The first piece opens shard 0.
        number, room = -1, 0
        for piece, length in pieces:
            if length > room:
                number, room = number + 1, SHARD_SAMPLES
            room -= length
            shards.setdefault(f"{split}-{number:05d}.tfrecord", []).append(piece)
    return shards


def _cut(recording: Recording, facts: Facts, settings: Settings) -> Iterator[tuple[Piece, int]]:
    """Cuts a recording into pieces; yields each with its number of samples."""
    n = audio.resampled_length(facts.frames, facts.sample_rate, settings.sample_rate)
    for number, length in enumerate(piece_lengths(n, settings.sample_rate, settings.patch)):
        piece = Piece(
            recording,
            facts.sample_rate,
            number * PIECE_SECONDS,
            settings.sample_rate,
            settings.ratio,
            settings.protocol,
        )
        yield piece, length


def waves(piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Reads a piece and makes its low side.

    Returns:
        high (n,) int16, n a multiple of the ratio, and low (n / ratio,) float32. The low side is
        made from the rounded high side, so that the two agree.
    """
    first_second = max(0, piece.start_seconds - MARGIN_SECONDS)
    last_second = piece.start_seconds + PIECE_SECONDS + MARGIN_SECONDS
    wave, _ = audio.read(
        piece.recording.path, first_second * piece.source_rate, last_second * piece.source_rate
    )
    wave = audio.resample(audio.mono(wave), piece.source_rate, piece.sample_rate)
    start = (piece.start_seconds - first_second) * piece.sample_rate
    wave = wave[start : start + PIECE_SECONDS * piece.sample_rate]
    high = audio.to_int16(degrade.crop(wave, piece.ratio))
    low = degrade.get(piece.protocol).down(audio.from_int16(high), piece.ratio)
    return high, low
