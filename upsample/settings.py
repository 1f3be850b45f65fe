"""Defaults and settings of restoration, in one place for the command and for Python."""

from dataclasses import dataclass

# Rates of an interpolation where the user names none: the high rate in Hz, and high over low.
SAMPLE_RATE, RATIO = 16000, 4

# How to write peaks above 1, the first by default.
PEAKS = ("clip", "normalize", "float")


@dataclass(frozen=True)
class Settings:
    """How recordings are restored.

    Attributes:
        keep_low_band: take the band that the recording has from the recording itself, through a
            linear-phase crossover, instead of from the network.
        peak: one of `PEAKS`.
        subtype: sample format such as PCM_24; None for that of the recording.
        force: restore a recording even if its band does not end where the model begins.
    """

    keep_low_band: bool = True
    peak: str = PEAKS[0]
    subtype: str | None = None
    force: bool = False
