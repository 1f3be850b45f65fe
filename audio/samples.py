"""Sample formats and channels of a wave."""

import numpy as np


def to_int16(wave: np.ndarray) -> np.ndarray:
    """Rounds a wave to 16 bits and clips samples beyond [-1, 1]."""
    return np.clip(np.rint(wave * 32768.0), -32768, 32767).astype(np.int16)


def from_int16(samples: np.ndarray) -> np.ndarray:
    """Converts 16-bit samples to a float32 wave."""
    return samples.astype(np.float32) / np.float32(32768)


def mono(wave: np.ndarray) -> np.ndarray:
    """Mixes (n, channels) down to (n,) with the mean over the channels."""
    if wave.ndim == 2 and wave.shape[1] == 1:
        return wave[:, 0]
    return wave.mean(axis=1) if wave.ndim == 2 else wave
