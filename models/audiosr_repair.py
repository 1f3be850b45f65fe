"""What keeps AudioSR's output in place: stereo, levels and pauses. Waves have 48 kHz.

AudioSR restores one channel, scales it to a peak, and hisses in pauses. Here, one channel is
restored for both of a stereo recording, the generated band gets the level that the low band has,
and what is silent stays silent. None of this is in the paper.
"""

from typing import NamedTuple

import numpy as np

# Levels are measured in steps of this many samples, 10 ms.
STEP = 480
# Steps on either side over which the similarity of channels is averaged, and over which a sound
# keeps the gate open.
AVERAGED, HELD = 10, 5
# Below the former level, nothing is generated; from the latter on, everything. Dither has -96 dB.
CLOSED_DB, OPEN_DB = -90.0, -80.0
# The largest correction of a level, 6 dB.
LARGEST_GAIN = 2.0
# Mid is restored unless side has more than this many times its energy.
SIDE_ENERGY = 2.0
TINY = 1e-20


class Pair(NamedTuple):
    """Two channels as one and its share in the other.

    Args:
        main: mid or side, whichever is louder, (n,).
        share: what the other one has of it over time, (n,), from -1 to 1.
        is_mid: whether `main` is mid.
    """

    main: np.ndarray
    share: np.ndarray
    is_mid: bool

    def channels(self, restored: np.ndarray) -> np.ndarray:
        """Returns left and right, (2, n), for what was made of `main`."""
        other = self.share * restored
        mid, side = (restored, other) if self.is_mid else (other, restored)
        return np.stack([mid + side, mid - side])


def pair(left: np.ndarray, right: np.ndarray) -> Pair:
    """Splits two channels (n,), n a multiple of 480, so that the generated band keeps its place.

    The share is the correlation of mid and side in differences of neighbouring samples, in which
    high frequencies have more weight.
    """
    mid, side = (left + right) / 2, (left - right) / 2
    energies = [float((_rise(each) ** 2).sum()) for each in (mid, side)]
    is_mid = energies[1] <= SIDE_ENERGY * energies[0]
    main, other = (mid, side) if is_mid else (side, mid)
    common = _averaged(_rise(main) * _rise(other))
    share = np.clip(common / np.maximum(_averaged(_rise(main) ** 2), TINY), -1, 1)
    return Pair(main, _over_samples(share), is_mid)


def gate(wave: np.ndarray) -> np.ndarray:
    """Returns a gain (n,) from 0 to 1 for a generated band: 0 where the wave (n,) is silent.

    An offset is silent too. n is a multiple of 480.
    """
    power = wave.reshape(-1, STEP).var(axis=1)
    padded = np.pad(power, HELD)
    held = np.lib.stride_tricks.sliding_window_view(padded, 2 * HELD + 1).max(axis=1)
    level_db = 10 * np.log10(np.maximum(held, TINY))
    return _over_samples(np.clip((level_db - CLOSED_DB) / (OPEN_DB - CLOSED_DB), 0, 1))


def level_gain(wave: np.ndarray, original: np.ndarray, sample_rate: int, end_hz: float) -> float:
    """Returns the gain that brings a generated wave to the level of the original.

    It is measured over the octave below the end of the original's band.

    Args:
        wave: generated, (n,).
        original: (n,).
        sample_rate: of both, in Hz.
        end_hz: where the band of the original ends.
    """
    frequencies = np.fft.rfftfreq(len(wave), 1 / sample_rate)
    octave = (frequencies >= end_hz / 2) & (frequencies < end_hz)
    own, level = (np.sum(np.abs(np.fft.rfft(each)[octave]) ** 2) for each in (wave, original))
    if level < TINY:
        return 1.0
    return float(np.clip(np.sqrt(level / max(own, TINY)), 1 / LARGEST_GAIN, LARGEST_GAIN))


def _rise(wave: np.ndarray) -> np.ndarray:
    return np.diff(wave, prepend=wave[:1])


def _averaged(products: np.ndarray) -> np.ndarray:
    """Averages (n,) over steps and their neighbours, to (n / 480,)."""
    kernel = np.hanning(2 * AVERAGED + 3)[1:-1]
    return np.convolve(products.reshape(-1, STEP).mean(axis=1), kernel, mode="full")[
        AVERAGED:-AVERAGED
    ]


def _over_samples(values: np.ndarray) -> np.ndarray:
    """Interpolates values in the middles of steps to all samples."""
    middles = STEP * np.arange(len(values)) + STEP / 2
    return np.interp(np.arange(STEP * len(values)), middles, values)
