"""The settings of a dataset."""

import dataclasses
from typing import Any

from ..audio import Ratio
from ..audio.measure import Facts, reason_to_skip
from .layout import shortest_piece

# What reads recordings: libsndfile, or tensorflow-io.
DECODERS = ("soundfile", "tfio")
# Settings that dataset.json leaves out if they have this value.
DEFAULTS = {"decoder": DECODERS[0], "narrow": False, "narrow_from": 0}


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

    def reason_to_skip(self, facts: Facts) -> str:
        """Returns the reason why a recording is left out, "" for one that is kept."""
        return reason_to_skip(facts, self.sample_rate, self.shortest, self.least_band_hz)

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as dataset.json stores them: a quotient as text."""
        ratio = self.ratio if isinstance(self.ratio, int) else str(self.ratio)
        settings = dataclasses.asdict(self) | {"ratio": ratio}
        # Datasets from before there was a choice have neither.
        for key, default in DEFAULTS.items():
            if settings[key] == default:
                del settings[key]
        return settings
