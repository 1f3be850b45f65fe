"""Measures recordings and decides whether they are fit to train on."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import audio
from .bandwidth import Band, Bandwidth, Transform

# -80 dB: three steps of 16 bits.
SILENT_RMS = 1e-4
# Recordings that reach full scale now and then have far fewer clipped samples.
CLIPPED_FRACTION = 1e-3
# The highest step of 16 bits, less rounding.
FULL_SCALE = 32766.5 / 32768
# A resampler passes 0.85 to 0.95 of the band. Recordings of the next lower common rate fill at
# most 0.75 (12 of 16 kHz, 16 of 22.05, 32 of 44.1), and a 44.1 kHz MP3 cut at 16 kHz fills 0.73.
NARROW_FRACTION = 0.8
# Up to here, something above the content of a recording may be left by a codec or a filter.
FULL_FRACTION = 0.97
# Beyond this, a float file holds no wave, and networks and filters overflow.
LARGEST_PEAK = 2.0**31
BLOCK_SECONDS = 10


class Facts(NamedTuple):
    """Measured properties of a recording.

    `rms` and `dc` are of the mono mix, the bandwidths of the widest channel: `bandwidth_hz` of a
    tenth of the recording or more, `usual_bandwidth_hz` of most of it. The pass band is
    from `lowest_hz` to `highest_hz` (see `bandwidth.Band`).
    """

    frames: int
    sample_rate: int
    channels: int
    peak: float
    rms: float
    dc: float
    clipped: float  # share of the samples at full scale
    finite: bool
    bandwidth_hz: float
    usual_bandwidth_hz: float
    lowest_hz: float = 0.0
    highest_hz: float = 0.0

    @property
    def seconds(self) -> float:
        """Duration of the recording."""
        return self.frames / self.sample_rate

    @property
    def band(self) -> Band:
        """The band of the recording."""
        return Band(self.lowest_hz, self.highest_hz, self.bandwidth_hz)


def measure(
    path: Path,
    progress: Callable[[float], None] = lambda seconds: None,
    rfft: Transform = np.fft.rfft,
) -> Facts:
    """Measures a recording in one pass, in memory that does not grow with its length.

    Args:
        path: the recording.
        progress: called with the seconds of each block.
        rfft: see `Bandwidth`.

    Raises:
        UserError: the recording cannot be read.
    """
    _, sample_rate, channels = audio.info(path)
    bandwidth = Bandwidth(sample_rate, channels, rfft)
    return _measure(audio.blocks(path, BLOCK_SECONDS), sample_rate, channels, bandwidth, progress)


def measure_wave(wave: np.ndarray, sample_rate: int, rfft: Transform = np.fft.rfft) -> Facts:
    """Measures a wave, as `measure` does.

    Args:
        wave: shape (n, channels).
        sample_rate: in Hz.
        rfft: see `Bandwidth`.
    """
    bandwidth = Bandwidth(sample_rate, wave.shape[1], rfft)
    return _measure(_blocks(wave, sample_rate), sample_rate, wave.shape[1], bandwidth)


def _measure(
    blocks: Iterable[np.ndarray],
    sample_rate: int,
    channels: int,
    bandwidth: Bandwidth,
    progress: Callable[[float], None] = lambda seconds: None,
) -> Facts:
    frames = clipped = 0
    peak = total = total_square = 0.0
    finite = True
    for block in blocks:
        good = np.isfinite(block)
        if not good.all():
            finite = False
            block = np.where(good, block, np.float32(0))
        loudest = float(max(block.max(), -block.min()))
        if loudest >= FULL_SCALE:
            clipped += int(np.count_nonzero(np.abs(block) >= FULL_SCALE))
        wave = audio.mono(block.astype(np.float64))
        frames += len(block)
        peak = max(peak, loudest)
        total += wave.sum()
        total_square += np.einsum("n,n->", wave, wave)
        bandwidth.add(block)
        progress(len(block) / sample_rate)
    count = max(1, frames)
    band = bandwidth.band()
    return Facts(
        frames,
        sample_rate,
        channels,
        peak,
        float(np.sqrt(total_square / count)),
        float(total / count),
        clipped / (count * channels),
        finite,
        band.end_hz,
        bandwidth.usual_hz(),
        band.lowest_hz,
        band.highest_hz,
    )


def wave_band(wave: np.ndarray, sample_rate: float) -> Band:
    """Measures the band of a wave, as `measure` does.

    Args:
        wave: shape (n,) or (n, channels).
        sample_rate: in Hz.
    """
    wave = wave.reshape(len(wave), -1)
    bandwidth = Bandwidth(sample_rate, wave.shape[1])
    for block in _blocks(wave, sample_rate):
        bandwidth.add(block)
    return bandwidth.band()


def _blocks(wave: np.ndarray, sample_rate: float) -> Iterator[np.ndarray]:
    """Cuts a wave into the blocks that are measured."""
    step = round(BLOCK_SECONDS * sample_rate)
    return (wave[start : start + step] for start in range(0, len(wave), step))


def narrow_end_hz(facts: Facts, sample_rate: int) -> float | None:
    """Returns where the band of a recording ends, in Hz; None if it is full at this rate."""
    full = FULL_FRACTION * min(facts.sample_rate, sample_rate) / 2
    return facts.bandwidth_hz if facts.bandwidth_hz < full else None


def reason_to_skip(
    facts: Facts, sample_rate: int, patch: int, least_band_hz: float | None = None
) -> str:
    """Returns the reason not to train on a recording.

    Args:
        facts: of the recording.
        sample_rate: of the dataset, in Hz.
        patch: samples in a patch at that rate.
        least_band_hz: where the band of a recording must end at least; None for a full one.

    Returns:
        the reason with the measured value, or "" for a recording that is fit.
    """
    samples = audio.resampled_length(facts.frames, facts.sample_rate, sample_rate)
    band = min(facts.sample_rate, sample_rate) / 2
    if not facts.finite:
        return "not finite: holds NaN or infinity"
    if facts.peak > LARGEST_PEAK:
        return f"damaged: peak of {facts.peak:.3g}, full scale is 1"
    if samples < patch:
        return f"short: {samples} samples, a patch has {patch}"
    if np.sqrt(max(0.0, facts.rms**2 - facts.dc**2)) < SILENT_RMS:
        return f"silent: RMS {facts.rms:.5f}, DC {facts.dc:.5f}"
    if facts.clipped > CLIPPED_FRACTION:
        return f"clipped: {100 * facts.clipped:.1f} % of samples at full scale"
    # A recording that is narrow for the most part would teach a network to leave bands empty.
    bandwidth = min(facts.bandwidth_hz, facts.usual_bandwidth_hz)
    if least_band_hz is not None:
        short = f"narrow: bandwidth {bandwidth:.0f} Hz, below {least_band_hz:g} Hz"
        return short if bandwidth < least_band_hz else ""
    if facts.sample_rate < sample_rate:
        return f"low rate: {facts.sample_rate} Hz, the dataset has {sample_rate} Hz"
    if bandwidth < NARROW_FRACTION * band:
        return f"narrow: bandwidth {bandwidth:.0f} Hz of {band:.0f} Hz"
    return ""
