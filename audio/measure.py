"""Measures recordings and decides whether they are fit to train on.

The bandwidth is found from the mean level of each 31 Hz of the spectrum. Levels are averaged in
decibels over the seconds that are not silent, so that a click does not fill the high band. Two
signs mark the end of the content, and the lower one counts:

- a floor: no level from there up exceeds the rounding noise of 16 bits (`FLOOR_DB`). Content below
  it becomes silence in a dataset. The noise of a microphone lies above.
- a cliff: the level falls by `CLIFF_DB` within 320 Hz. Resampling and lossy coding leave cliffs,
  with rounding noise, dither or images of the lower band behind them. Voices do not: in 1900
  recordings of speech, the steepest fall was 30 dB, above vowels with little high band.

None of those recordings was classified as narrow. Upsampled from 8, 11.025 and 12 kHz with soxr or
an FFT, 99.9 % were, even after an attenuation of up to 40 dB. An interpolation that leaves images,
such as a spline, is detected from 8 kHz (99 %); from 12 kHz, in loud recordings only (82 %).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import audio
from .spectra import hann, stft

# -80 dB: three steps of 16 bits.
SILENT_RMS = 1e-4
# Recordings that reach full scale now and then have far fewer clipped samples.
CLIPPED_FRACTION = 1e-3
# The highest step of 16 bits, less rounding.
FULL_SCALE = 32766.5 / 32768
# A resampler passes 0.85 to 0.95 of the band. Recordings of the next lower common rate fill at
# most 0.75 (12 of 16 kHz, 16 of 22.05, 32 of 44.1), and a 44.1 kHz MP3 cut at 16 kHz fills 0.73.
NARROW_FRACTION = 0.8

# Powers are scaled so that white noise has its variance in each bin. Rounding to 16 bits adds
# noise of 1/12 of a squared step, or -101 dB; with triangular dither it is -96 dB.
FLOOR_DB = 10 * np.log10(2.0**-30 / 12) + 6
CLIFF_DB = 32.0
CLIFF_HALF_HZ = 160
LOWEST_CLIFF_HZ = 1000
BLOCK_SECONDS = 10


class Facts(NamedTuple):
    """Measured properties of a recording; `rms`, `dc` and `bandwidth_hz` are of the mono mix."""

    frames: int
    sample_rate: int
    channels: int
    peak: float
    rms: float
    dc: float
    clipped: float  # share of the samples at full scale
    finite: bool
    bandwidth_hz: float

    @property
    def seconds(self) -> float:
        """Duration of the recording."""
        return self.frames / self.sample_rate


def measure(path: Path) -> Facts:
    """Measures a recording in one pass, in memory that does not grow with its length.

    Raises:
        UserError: the file is missing, empty or not audio.
    """
    _, sample_rate, channels = audio.info(path)
    frames = clipped = 0
    peak = total = total_square = 0.0
    finite = True
    levels = _MeanLevels(sample_rate)
    for block in audio.blocks(path, BLOCK_SECONDS):
        bad = ~np.isfinite(block)
        if bad.any():
            finite = False
            block = np.where(bad, np.float32(0), block)
        wave = audio.mono(block).astype(np.float64)
        magnitude = np.abs(block)
        frames += len(block)
        peak = max(peak, float(magnitude.max(initial=0)))
        clipped += int(np.count_nonzero(magnitude >= FULL_SCALE))
        total += wave.sum()
        total_square += np.square(wave).sum()
        levels.add(wave)
    count = max(1, frames)
    return Facts(
        frames,
        sample_rate,
        channels,
        peak,
        float(np.sqrt(total_square / count)),
        float(total / count),
        clipped / (count * channels),
        finite,
        bandwidth_hz(levels.levels_db(), levels.bin_hz),
    )


def wave_bandwidth_hz(wave: np.ndarray, sample_rate: int) -> float:
    """Finds where the content of a mono wave (n,) ends, as `measure` does; 0 if there is none."""
    levels = _MeanLevels(sample_rate)
    step = BLOCK_SECONDS * sample_rate
    for start in range(0, len(wave), step):
        levels.add(wave[start : start + step])
    return bandwidth_hz(levels.levels_db(), levels.bin_hz)


def reason_to_skip(facts: Facts, sample_rate: int, patch: int) -> str:
    """Returns the reason not to train on a recording.

    Args:
        facts: of the recording.
        sample_rate: of the dataset, in Hz.
        patch: samples in a patch at that rate.

    Returns:
        the reason with the measured value, or "" for a recording that is fit.
    """
    samples = audio.resampled_length(facts.frames, facts.sample_rate, sample_rate)
    band = min(facts.sample_rate, sample_rate) / 2
    if not facts.finite:
        return "not finite: holds NaN or infinity"
    if samples < patch:
        return f"short: {samples} samples, a patch has {patch}"
    if np.sqrt(max(0.0, facts.rms**2 - facts.dc**2)) < SILENT_RMS:
        return f"silent: RMS {facts.rms:.5f}, DC {facts.dc:.5f}"
    if facts.clipped > CLIPPED_FRACTION:
        return f"clipped: {100 * facts.clipped:.1f} % of samples at full scale"
    if facts.sample_rate < sample_rate:
        return f"low rate: {facts.sample_rate} Hz, the dataset has {sample_rate} Hz"
    if facts.bandwidth_hz < NARROW_FRACTION * band:
        return f"narrow: bandwidth {facts.bandwidth_hz:.0f} Hz of {band:.0f} Hz"
    return ""


def power_spectra(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Computes the power spectra of Hann windows of about 32 ms that overlap by half.

    Args:
        wave: shape (n,), padded with zeros if it is shorter than a window.
        sample_rate: in Hz.

    Returns:
        shape (windows, bins), from 0 Hz to the Nyquist frequency. White noise has its variance in
        each bin.
    """
    n = window_length(sample_rate)
    wave = np.pad(wave, (0, max(0, n - len(wave))))
    return np.abs(stft(wave, n, n // 2)) ** 2 / np.sum(hann(n) ** 2)


def window_length(sample_rate: int) -> int:
    """Returns the samples in a window of `power_spectra`: the power of two nearest to 32 ms."""
    return max(2, 2 ** round(np.log2(0.032 * sample_rate)))


class _MeanLevels:
    """Mean level of each frequency in decibels, over the seconds that are not silent."""

    def __init__(self, sample_rate: int):
        self._sample_rate = sample_rate
        n = window_length(sample_rate)
        self.bin_hz = sample_rate / n
        self._windows_per_second = max(1, round(sample_rate / (n // 2)))
        self._sum = np.zeros(n // 2 + 1)
        self._count = 0

    def add(self, wave: np.ndarray) -> None:
        """Adds a block of the wave, shape (n,)."""
        power = power_spectra(wave, self._sample_rate)
        for start in range(0, len(power), self._windows_per_second):
            second = power[start : start + self._windows_per_second].mean(axis=0)
            # The mean over the bins is the variance. The first bin is DC.
            if second[1:].mean() > SILENT_RMS**2:
                self._sum += 10 * np.log10(np.maximum(second, 1e-20))
                self._count += 1

    def levels_db(self) -> np.ndarray:
        """Returns the levels, shape (bins,); all are -200 dB if everything was silent."""
        return self._sum / self._count if self._count else np.full_like(self._sum, -200.0)


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
    lower = np.quantile(wide, 0.25, axis=1)
    # The edge at bin k has bins [k - 4 half, k - half) below and [k + half, k + 2 half) above.
    edges = np.arange(4 * half, len(levels_db) - 2 * half + 1)
    fall = lower[edges - 4 * half] - median[edges + half]
    cliffs = np.flatnonzero((fall > CLIFF_DB) & (edges * bin_hz > LOWEST_CLIFF_HZ))
    if len(cliffs):
        # The cliff is the steepest edge of the first run of neighbouring edges.
        run = cliffs[: 1 + np.flatnonzero(np.diff(cliffs, append=np.inf) > 1)[0]]
        top = min(top, edges[run[np.argmax(fall[run])]])
    return float(top * bin_hz)
