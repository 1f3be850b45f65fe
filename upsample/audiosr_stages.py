"""What AudioSR does to a recording before and after its networks, exactly as its code does.

Source: haoheliu/versatile_audio_super_resolution at commit 034db6c, audiosr/utils.py and
audiosr/latent_diffusion/models/ddpm.py. `faithful` puts the stages together.
"""

import numpy as np

from ..command import UserError
from ..models.low_band import cutoff_index

SAMPLE_RATE, PEAK = 48000, 0.5
# Recordings are padded to a multiple of this many seconds, which is 512 frames.
GRAIN_SECONDS = 5.12
# The band of the mel spectrogram ends at half the rate; its code counts 1024 bins up to there.
BINS = 1024


def normalize(wave: np.ndarray) -> np.ndarray:
    """Removes the mean of a wave (n,), and scales it to a peak of 0.5."""
    wave = wave - wave.mean()
    return PEAK * wave / (np.abs(wave).max(initial=0) + 1e-8)


def padded_length(samples: int) -> int:
    """Returns the length to which AudioSR pads a recording, in samples at 48 kHz.

    It computes with seconds in floating point, so some multiples of 5.12 s get 5.12 s more: 25.6 s
    become 30.72 s.
    """
    seconds = samples / SAMPLE_RATE
    if seconds % GRAIN_SECONDS != 0:
        seconds += GRAIN_SECONDS - seconds % GRAIN_SECONDS
    return round(seconds * SAMPLE_RATE)


def cutoff_hz(magnitudes: np.ndarray) -> float:
    """Returns where the band of a recording ends, in Hz.

    Args:
        magnitudes: of the transform of the mel spectrogram, (frames, bins).

    Raises:
        UserError: it ends below 1000 Hz, as that of silence; the code fails there.
    """
    found = cutoff_index(magnitudes[:, :BINS]) / BINS * SAMPLE_RATE / 2
    if found < 1000:
        raise UserError(
            f"AudioSR's code finds a band up to {found:.0f} Hz, and takes recordings from 1000 Hz "
            "on; restore it with wideband-upsample"
        )
    return found


def finish(wave: np.ndarray) -> np.ndarray:
    """Scales a wave (n,) to a peak of 0.5, then removes its mean."""
    wave = PEAK * wave / np.abs(wave).max(initial=1e-30)
    return wave - wave.mean()
