"""Finds where the content of a recording ends.

Each channel has a spectrum of 31 Hz steps: the level that it exceeds in a tenth of the moments of
60 ms that are not silent. So a wide voice counts if it speaks more than a tenth of the time, and a
click does not. The widest channel counts. Two signs mark the end of the content, and the lower one
counts:

- a floor: no level from there up exceeds the rounding noise of 16 bits (`FLOOR_DB`). Content below
  it becomes silence in a dataset. The noise of a microphone lies above. A quiet recording with
  finer steps is judged as if it were louder (`LOUD_DB`).
- a cliff: the level falls by `CLIFF_DB` within 320 Hz. Resampling and lossy coding leave cliffs,
  with rounding noise, dither or images of the lower band behind them. Voices do not: in 1900
  recordings of speech, the steepest fall below 6.4 kHz was 29 dB, above vowels with little high
  band.

None of those recordings was classified as narrow. Upsampled from 8, 11.025 and 12 kHz with soxr or
an FFT, all of them were, even after an attenuation of 40 dB; with triangular dither after it, all
but 3 were. An interpolation that leaves images, such as a spline, is detected from 8 kHz (100 %;
99 % at -20 dB); from 12 kHz, mostly in loud recordings (89 %; 52 % at -20 dB).
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import pass_band
from .spectra import frames, hann

# Powers are scaled so that white noise has its variance in each bin. Rounding to 16 bits adds
# noise of 1/12 of a squared step, or -101 dB; with triangular dither it is -96 dB. The level that
# a tenth of the moments exceed is 2.3 dB higher, so 8.5 dB leave a margin of 1.4 dB.
FLOOR_DB = 10 * np.log10(2.0**-30 / 12) + 8.5
# Three steps of 16 bits; in quiet recordings, a step of 16 bits or eight steps of 24 bits.
SILENT_DB = -80.0
STEP_DB, INAUDIBLE_DB = -88.0, -120.0
# The loudest moments of speech with a peak of -20 dB.
LOUD_DB = -30.0
QUANTILE = 0.9
CLIFF_DB = 32.0
CLIFF_HALF_HZ = 160
LOWEST_CLIFF_HZ = 1000
# Powers beyond are those of no wave.
_WEAKEST, _STRONGEST = 1e-20, 1e30
# Samples from one to the next that is looked at for steps finer than 16 bits: a recording that has
# them has them nearly everywhere.
_SPACING = 8
# Windows per block: as many as fit in the processor's cache.
_BLOCK_WINDOWS = 64
# Overlapping windows in a moment.
_WINDOWS = 4
# Moments of a channel that are kept; there are half as many at least if the recording is long.
_MOMENTS = 2048

# Computes the Fourier transforms of real windows, (..., n) to (..., bins).
Transform = Callable[[np.ndarray], NDArray[np.complexfloating]]


def power_spectra(wave: np.ndarray, sample_rate: float) -> np.ndarray:
    """Computes the power spectra of Hann windows of about 32 ms that overlap by half.

    Args:
        wave: shape (n,), padded with zeros if it is shorter than a window.
        sample_rate: in Hz.

    Returns:
        shape (windows, bins), from 0 Hz to the Nyquist frequency. White noise has its variance in
        each bin.
    """
    return _powers(_windows(wave.astype(np.float64), window_length(sample_rate)))


def _windows(wave: np.ndarray, n: int) -> np.ndarray:
    """Returns the overlapping windows of a wave, without copying it: (windows, n)."""
    return frames(wave if len(wave) >= n else np.pad(wave, (0, n - len(wave))), n, n // 2)


def _powers(windows: np.ndarray, rfft: Transform = np.fft.rfft) -> np.ndarray:
    """Returns the power spectra of windows: (..., n) to (..., bins)."""
    spectra = rfft(windows * _window(windows.shape[-1], windows.dtype))
    powers = np.square(spectra.real)
    powers += np.square(spectra.imag)
    return powers


@functools.lru_cache
def _window(n: int, dtype: np.dtype) -> np.ndarray:
    """Returns the Hann window of n samples, scaled so that white noise keeps its variance."""
    window = hann(n)
    return (window / np.sqrt(np.sum(window**2))).astype(dtype)


def window_length(sample_rate: float) -> int:
    """Returns the samples in a window of `power_spectra`: the power of two nearest to 32 ms."""
    return max(2, 2 ** round(np.log2(0.032 * sample_rate)))


class Band(NamedTuple):
    """The band of a recording, in Hz; all are 0 for silence.

    The pass band, which no filter weakened, begins at `lowest_hz` (0 without the band of a
    telephone) and ends at `highest_hz` (see `pass_band`). The content ends at `end_hz`: at the last
    bin for a full band.
    """

    lowest_hz: float
    highest_hz: float
    end_hz: float


class Bandwidth:
    """Finds the highest frequency with content in any channel, from blocks of a recording.

    Args:
        sample_rate: in Hz.
        channels: their number.
        rfft: `np.fft.rfft`, or `scipy.fft.rfft`, which takes half the time in float32.
    """

    def __init__(self, sample_rate: float, channels: int, rfft: Transform = np.fft.rfft):
        self._channels = [_Moments(sample_rate, rfft) for _ in range(channels)]
        self._bin_hz = sample_rate / window_length(sample_rate)
        self._sixteen_bits = True

    @np.errstate(over="ignore", invalid="ignore")
    def add(self, block: np.ndarray) -> None:
        """Adds the next block, float of shape (n, channels)."""
        if self._sixteen_bits:
            steps = block[::_SPACING] * np.float32(32768)
            self._sixteen_bits = np.array_equal(steps, np.rint(steps))
        for moments, wave in zip(self._channels, block.T, strict=True):
            moments.add(np.ascontiguousarray(wave, np.float32))

    def band(self) -> Band:
        """Returns the band of the recording: of its channels, the widest counts."""
        lowest, highest, end = [math.inf], [0.0], [0.0]
        for levels in self._levels:
            loud = _quantile(levels.T, QUANTILE)
            end.append(bandwidth_hz(loud, self._bin_hz))
            highest.append(pass_band.highest_hz(loud, self._bin_hz, end[-1]))
            lowest.append(pass_band.lowest_hz(levels, self._bin_hz, highest[-1]))
        return Band(min(lowest) if len(lowest) > 1 else 0.0, max(highest), max(end))

    def usual_hz(self) -> float:
        """Returns the frequency at which the mean levels end: that of most of the recording."""
        ends = [bandwidth_hz(each.mean(axis=0), self._bin_hz) for each in self._levels]
        return max(ends, default=0.0)

    @functools.cached_property
    def _levels(self) -> list[np.ndarray]:
        """The levels (moments, bins) of each channel that is not silent, once all is added."""
        levels = [moments.audible_db(self._sixteen_bits) for moments in self._channels]
        return [each for each in levels if len(each)]


class _Moments:
    """The spectra of a channel's moments. Of long recordings, every second, fourth ... is kept."""

    def __init__(self, sample_rate: float, rfft: Transform):
        self._length = window_length(sample_rate)
        self._rfft = rfft
        self._next = 0
        self._stride = 1
        # float32 (moments,) and float16 (moments, bins), in parts
        self._loudness: list[np.ndarray] = []
        self._levels: list[np.ndarray] = []
        self._kept = 0

    def add(self, wave: np.ndarray) -> None:
        """Adds the next block of the channel, shape (n,)."""
        if self._next and len(wave) < self._length:
            return
        windows = _windows(wave, self._length)
        whole = len(windows) - len(windows) % _WINDOWS
        for start in range(0, whole, _BLOCK_WINDOWS):
            block = windows[start : min(whole, start + _BLOCK_WINDOWS)]
            self._add(block.reshape(-1, _WINDOWS, self._length))
        if whole < len(windows):
            self._add(windows[np.newaxis, whole:])

    def _add(self, moments: np.ndarray) -> None:
        """Adds moments, shape (k, windows, samples in a window)."""
        turn = moments[-self._next % self._stride :: self._stride]
        self._next += len(moments)
        power = _powers(turn, self._rfft).mean(axis=1)
        # The sums of huge samples are infinite, or no numbers.
        power = np.fmin(np.fmax(power, _WEAKEST), _STRONGEST)
        # The mean over the bins is the variance. The first bin is DC.
        self._loudness.append(10 * np.log10(power[:, 1:].mean(axis=1)))
        self._levels.append((10 * np.log10(power)).astype(np.float16))
        self._kept += len(turn)
        if self._kept >= _MOMENTS:
            self._stride *= 2
            self._loudness = [np.concatenate(self._loudness)[::2]]
            self._levels = [np.concatenate(self._levels)[::2]]
            self._kept = len(self._loudness[0])

    def audible_db(self, sixteen_bits: bool) -> np.ndarray:
        """Returns the levels of the moments that are not silent.

        Args:
            sixteen_bits: whether the recording has steps of 16 bits; otherwise a quiet one is made
                louder.

        Returns:
            shape (moments, bins).
        """
        if not self._kept:
            return np.zeros((0, 0), np.float32)
        loudness = np.concatenate(self._loudness)
        levels = np.concatenate(self._levels, dtype=np.float32)
        gain = max(0.0, LOUD_DB - float(np.quantile(loudness, 0.99)))
        if sixteen_bits:
            return levels[loudness > max(SILENT_DB - gain, STEP_DB)]
        return levels[loudness > max(SILENT_DB - gain, INAUDIBLE_DB)] + np.float32(gain)


def _quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Returns `np.quantile(values, share, axis=-1)`, which takes five times as long."""
    ranks = np.sort(np.ascontiguousarray(values), axis=-1)
    place = share * (values.shape[-1] - 1)
    below, above = ranks[..., math.floor(place)], ranks[..., math.ceil(place)]
    return below + np.float32(place % 1) * (above - below)


def bandwidth_hz(levels_db: np.ndarray, bin_hz: float) -> float:
    """Finds the floor or the cliff where the content of a spectrum ends (see the module).

    Args:
        levels_db: shape (bins,). White noise has its variance in each bin.
        bin_hz: spacing of the bins.

    Returns:
        the frequency in Hz: 0 without content, that of the last bin for a full band.
    """
    half = round(CLIFF_HALF_HZ / bin_hz)
    if len(levels_db) < 6 * half:
        # The rate is too low for either sign; speech fills the whole band.
        return float((len(levels_db) - 1) * bin_hz)
    # Medians and quartiles ignore a whistle or a hum, which fills four bins.
    windows = np.lib.stride_tricks.sliding_window_view(levels_db, half)
    median = np.median(windows, axis=1)
    content = np.flatnonzero(median > FLOOR_DB)
    if len(content) == 0:
        return 0.0
    top = content[-1] + half - 1
    wide = np.lib.stride_tricks.sliding_window_view(levels_db, 3 * half)
    lower = _quantile(wide, 0.25)
    # The edge at bin k has bins [k - 4 half, k - half) below and [k + half, k + 2 half) above.
    edges = np.arange(4 * half, len(levels_db) - 2 * half + 1)
    fall = lower[edges - 4 * half] - median[edges + half]
    cliffs = np.flatnonzero((fall > CLIFF_DB) & (edges * bin_hz > LOWEST_CLIFF_HZ))
    if len(cliffs):
        # The cliff is the steepest edge of the first run of neighbouring edges.
        run = cliffs[: 1 + np.flatnonzero(np.diff(cliffs, append=np.inf) > 1)[0]]
        top = min(top, edges[run[np.argmax(fall[run])]])
    return float(top * bin_hz)
