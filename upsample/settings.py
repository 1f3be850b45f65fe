"""Settings of a restoration, with the defaults that the command and Python share."""

from dataclasses import dataclass

# The defaults of an interpolation: the high rate in Hz, and the high rate over the low rate.
SAMPLE_RATE, RATIO = 16000, 4

# How to write peaks above 1; the first is the default.
PEAKS = ("clip", "normalize", "float")


@dataclass(frozen=True)
class Settings:
    """How recordings are restored.

    Attributes:
        keep_low_band: keep the recording's own band unchanged, through a linear-phase crossover,
            instead of taking it from the network.
        peak: one of `PEAKS`.
        subtype: sample format such as PCM_24; None keeps the recording's.
        force: restore a recording even if its band does not end where the model begins.
        output_rate: rate of the restored recording in Hz; None for the model's high rate.
    """

    keep_low_band: bool = True
    peak: str = PEAKS[0]
    subtype: str | None = None
    force: bool = False
    output_rate: int | None = None
