"""Noise as recordings, which take as long to restore as any others."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from wideband.upsample import Upsampler


def noise_for(upsampler: "Upsampler", seconds: float) -> "np.ndarray":
    """Returns noise at the rate that a model takes, float32 (n,)."""
    import numpy as np

    wave = np.random.default_rng(0).normal(0, 0.1, round(seconds * upsampler.low_rate))
    return wave.astype(np.float32)


def write_noise(path: Path, minutes: float, sample_rate: int) -> None:
    """Writes a recording of noise, one minute at a time."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    left = round(60 * minutes * sample_rate)
    with soundfile.SoundFile(path, "w", sample_rate, 1) as file:
        while left > 0:
            count = min(left, 60 * sample_rate)
            file.write(rng.normal(0, 0.1, count))
            left -= count
