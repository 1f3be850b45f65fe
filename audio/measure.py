"""Facts of a recording, and whether it is fit to train on.

Bandwidth. The level of each 31 Hz of the spectrum is averaged in decibels over the seconds of the
recording that are not silent, so that a click does not fill the treble. Two signs tell where the
content ends, and the lower one counts:

- a floor: from there up, nothing stands above the rounding noise of 16 bits (`FLOOR_DB`). What
  lies below it is silence once it is stored in a dataset. A microphone's noise lies above.
- a cliff: the level falls by `CLIFF_DB` within 320 Hz. Resampling and lossy coding leave such
  cliffs, with rounding noise, dither or images of the lower band behind them. Voices do not: in
  1900 recordings of speech the steepest fall was 30 dB, above vowels with little treble.

On those recordings, none was found narrow; brought up from 8, 11.025 and 12 kHz by soxr or by
FFT, 99.9 % were, also when made quieter by up to 40 dB. An interpolation that leaves images, such
as a spline, is found from 8 kHz (99 %) but from 12 kHz only in loud recordings (82 %).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import audio

# -80 dB: three steps of 16 bits.
SILENT_RMS = 1e-4
# Of all samples. A recording that touches full scale here and there has far fewer.
CLIPPED_FRACTION = 1e-3
# The highest step of 16 bits, less rounding.
FULL_SCALE = 32766.5 / 32768
# Resampling leaves 0.85 to 0.95 of the band. The common lower rates leave at most 0.75 of it (12 of
# 16 kHz, 16 of 22.05, 32 of 44.1), as does a 44.1 kHz MP3 cut at 16 kHz (0.73).
NARROW_FRACTION = 0.8

# Power of a frame's bin is scaled so that white noise reads its variance in each. Rounding to 16
# bits adds a variance of 1/12 step squared, or -101 dB; with triangular dither it is -96 dB.
FLOOR_DB = 10 * np.log10(2.0**-30 / 12) + 6
CLIFF_DB = 32.0
CLIFF_HALF_HZ = 160
LOWEST_CLIFF_HZ = 1000
BLOCK_SECONDS = 10


class Facts(NamedTuple):
    """What a recording is like; `rms`, `dc` and `bandwidth_hz` are those of its mono mix."""

    frames: int
    sample_rate: int
    channels: int
    peak: float
    rms: float
    dc: float
    clipped: float  # fraction of the samples at full scale
    finite: bool
    bandwidth_hz: float

    @property
    def seconds(self) -> float:
        """Length of the recording."""
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


def unfit(facts: Facts, sample_rate: int, patch: int) -> str:
    """Tells why a recording should not be trained on.

    Args:
        facts: of the recording.
        sample_rate: of the dataset, in Hz.
        patch: samples of a patch at that rate.

    Returns:
        the reason with its figure, or "" for a fit recording.
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


def spectra(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Power of overlapping windows of some 32 ms (Hann), half a window apart.

    Args:
        wave: shape (n,), padded with zeros if it is shorter than a window.
        sample_rate: in Hz.

    Returns:
        shape (windows, bins), from 0 to the Nyquist frequency, scaled so that white noise reads
        its variance in each bin.
    """
    n = window_length(sample_rate)
    window = np.hanning(n + 1)[:-1]
    window /= np.sqrt(np.sum(window**2))
    wave = np.pad(wave, (0, max(0, n - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(wave, n)[:: n // 2]
    return np.abs(np.fft.rfft(frames * window)) ** 2


def window_length(sample_rate: int) -> int:
    """Samples of a window of `spectra`: the power of two nearest to 32 ms."""
    return max(2, 2 ** round(np.log2(0.032 * sample_rate)))


class _MeanLevels:
    """Mean level of each frequency, in decibels, over the seconds that are not silent."""

    def __init__(self, sample_rate: int):
        self._sample_rate = sample_rate
        n = window_length(sample_rate)
        self.bin_hz = sample_rate / n
        self._windows_a_second = max(1, round(sample_rate / (n // 2)))
        self._sum = np.zeros(n // 2 + 1)
        self._count = 0

    def add(self, wave: np.ndarray) -> None:
        power = spectra(wave, self._sample_rate)
        for start in range(0, len(power), self._windows_a_second):
            second = power[start : start + self._windows_a_second].mean(axis=0)
            # The mean over the bins is the variance; the first bin is DC.
            if second[1:].mean() > SILENT_RMS**2:
                self._sum += 10 * np.log10(np.maximum(second, 1e-20))
                self._count += 1

    def levels_db(self) -> np.ndarray:
        """Shape (bins,); -200 dB throughout if all is silent."""
        return self._sum / self._count if self._count else np.full_like(self._sum, -200.0)


def bandwidth_hz(levels_db: np.ndarray, bin_hz: float) -> float:
    """Finds where the content of a spectrum ends, by the two signs of the module's description.

    Args:
        levels_db: shape (bins,), scaled so that white noise reads its variance in each bin.
        bin_hz: distance of the bins.

    Returns:
        the frequency in Hz: 0 if there is no content, that of the last bin if it goes all the way.
    """
    half = round(CLIFF_HALF_HZ / bin_hz)
    if len(levels_db) < 6 * half:
        # Too low a rate for either sign; speech needs all of it.
        return float((len(levels_db) - 1) * bin_hz)
    # Medians and quartiles, so that a whistle or a hum is no content and no cliff. A tone takes
    # four bins.
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
        # The middle of the first run of bins that see the cliff.
        run = cliffs[: 1 + np.flatnonzero(np.diff(cliffs, append=np.inf) > 1)[0]]
        top = min(top, edges[run[np.argmax(fall[run])]])
    return float(top * bin_hz)
