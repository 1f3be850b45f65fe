"""The stages that bring a wave to the high rate, chunk by chunk.

`push` takes a chunk (channels, n) of any length and returns a chunk (channels, m); `flush` returns
the rest at the end. The output does not depend on how the wave was chunked. `latency` is the
maximum lag of a stage's output behind its input, in seconds.
"""

import math

import numpy as np
import soxr

from .. import audio
from ..audio import Ratio, interpolate

# Each interpolation's block and margin in low-rate samples. A block is interpolated together, and
# blocks are on a grid that starts at sample zero; the samples of a margin on either side influence
# it. A sample changes a spline 16 samples away by 1e-9 of its value, and one of degree 5 32 samples
# away by 1e-12; soxr's filter spans fewer than 256 samples; a Fourier transform spans the whole
# wave, so it is computed over long blocks. The others depend on no more samples than their margin.
_SPANS = {
    "hold": (1, 0),
    "nearest": (1, 1),
    "linear": (1, 1),
    "quadratic": (1, 16),
    "spline": (1, 16),
    "quintic": (1, 32),
    "pchip": (1, 2),
    "akima": (1, 3),
    "makima": (1, 3),
    "catmull_rom": (1, 2),
    "lanczos3": (1, 3),
    "lanczos8": (1, 8),
    "kaiser": (1, 10),
    "sinc": (1, 256),
    "hann_sinc": (1, 7),
    "fft": (4096, 4096),
}

# Stop-band attenuation of a crossover in dB, the width of its upper slope as a fraction of the low
# band, and that of its lower slope.
_ATTENUATION_DB = 80
_SLOPE = 0.1
_LOWER_SLOPE_HZ = 100.0


class Resampler:
    """Resamples like `audio.resample`.

    Args:
        channels: number of channels of the wave.
        from_hz: rate of the wave.
        to_hz: rate of the output.
    """

    def __init__(self, channels: int, from_hz: float, to_hz: float) -> None:
        self._rates = from_hz, to_hz
        self._channels = channels
        self._taken = self._emitted = 0
        self._soxr = None if from_hz == to_hz else _soxr(from_hz, to_hz, channels)

    @property
    def latency(self) -> float:
        """The maximum lag in seconds, measured on access, since most callers do not need it."""
        return 0.0 if self._soxr is None else _soxr_latency(*self._rates)

    def push(self, wave: np.ndarray) -> np.ndarray:
        """Resamples a chunk (channels, n)."""
        self._taken += wave.shape[1]
        return wave if self._soxr is None else self._resample(self._soxr, wave)

    def flush(self) -> np.ndarray:
        """Returns the rest, which makes the whole output `audio.resampled_length` samples long."""
        nothing = np.zeros((self._channels, 0), np.float32)
        if self._soxr is None:
            return nothing
        missing = audio.resampled_length(self._taken, *self._rates) - self._emitted
        rest = self._resample(self._soxr, nothing, last=True)
        return audio.fit_length(rest.T, missing).T

    def _resample(
        self, stream: soxr.ResampleStream, wave: np.ndarray, last: bool = False
    ) -> np.ndarray:
        out = stream.resample_chunk(np.ascontiguousarray(wave.T), last=last).T
        self._emitted += out.shape[1]
        return out


def _soxr(from_hz: float, to_hz: float, channels: int = 1) -> soxr.ResampleStream:
    return soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality="VHQ")


def _soxr_latency(from_hz: float, to_hz: float) -> float:
    """Measures soxr's maximum lag in seconds, since it filters in blocks of unknown sizes."""
    stream = _soxr(from_hz, to_hz)
    chunk = np.zeros((max(1, round(from_hz / 1000)), 1), np.float32)
    taken = emitted = 0
    latency = 0.0
    while taken < 2 * from_hz:
        taken += len(chunk)
        latency = max(latency, taken / from_hz - emitted / to_hz)
        emitted += len(stream.resample_chunk(chunk))
    return latency


class Interpolator:
    """Interpolates a wave from its low rate to `ratio` times that rate.

    Args:
        channels: number of channels of the wave.
        method: a key of `audio.interpolate.METHODS`.
        low_rate: rate of the wave in Hz.
        ratio: the high rate over the low rate; 1 changes nothing.
    """

    def __init__(self, channels: int, method: str, low_rate: float, ratio: Ratio) -> None:
        self._interpolate = interpolate.get(method)
        block, margin = _SPANS[method]
        if ratio == 1:
            self._interpolate, block, margin = _unchanged, 1, 0
        self._ratio = ratio
        # With a ratio a/b, a low-rate and a high-rate sample coincide every b low-rate samples.
        # Chunks can be cut only there.
        self._period = ratio.denominator
        self._block, self._margin = self._round_up(block), self._round_up(margin)
        # Methods that depend on neighbours only can interpolate any number of blocks at once.
        self._on_grid = block > 1
        # Samples not interpolated yet, preceded by `_before` samples that influence them.
        self._low = np.zeros((channels, 0), np.float32)
        self._before = 0
        self.emitted = 0
        self.latency = (self._block - 1 + self._margin) / low_rate

    def push(self, low: np.ndarray) -> np.ndarray:
        """Takes a chunk (channels, n) and returns all samples whose surroundings are known."""
        self._low = np.concatenate([self._low, low], axis=1)
        ready = self._low.shape[1] - self._before - self._margin
        return self._run(max(0, ready) // self._block * self._block)

    def flush(self) -> np.ndarray:
        """Returns the rest."""
        return self._run(self._low.shape[1] - self._before)

    def _run(self, count: int) -> np.ndarray:
        """Interpolates the next `count` low-rate samples."""
        chunks = [np.zeros((len(self._low), 0), np.float32)]
        size = self._block if self._on_grid else count
        while count > 0:
            n = min(size, count)
            seen = self._low[:, : self._before + n + self._margin]
            # Silence completes the last period at the end of the wave.
            seen = np.pad(seen, ((0, 0), (0, self._round_up(seen.shape[1]) - seen.shape[1])))
            high = np.stack([self._interpolate(channel, self._ratio) for channel in seen])
            start = int(self._ratio * self._before)
            chunks.append(high[:, start : start + math.ceil(self._ratio * n)])
            done = self._before + n
            self._before = min(done, self._margin)
            self._low = self._low[:, done - self._before :]
            count -= n
            self.emitted += chunks[-1].shape[1]
        return np.concatenate(chunks, axis=1)

    def _round_up(self, n: int) -> int:
        """Rounds up to a multiple of the period."""
        return math.ceil(n / self._period) * self._period


def _unchanged(low: np.ndarray, ratio: Ratio) -> np.ndarray:
    """Interpolates a wave with ratio 1."""
    return low


class Crossover:
    """Keeps the band of one wave, and takes the rest from another.

    The filters have linear phase and add up to one, so waves that agree pass unchanged. The upper
    slope, a tenth of the low band wide, ends at `keep_hz`. The lower slope begins at
    `keep_from_hz`; there is none at 0.

    Args:
        channels: number of channels of both waves.
        sample_rate: rate of both waves in Hz.
        keep_hz: where the band that is kept ends.
        band_hz: the width of the low band.
        keep_from_hz: where the band that is kept begins.
    """

    def __init__(
        self,
        channels: int,
        sample_rate: int,
        keep_hz: float,
        band_hz: float,
        keep_from_hz: float = 0.0,
    ) -> None:
        slope_hz = _SLOPE * band_hz
        self._taps = _low_pass(keep_hz - slope_hz / 2, slope_hz, sample_rate)
        if keep_from_hz:
            middle_hz = min(keep_from_hz + _LOWER_SLOPE_HZ / 2, keep_hz - slope_hz / 2)
            self._taps = _subtract(self._taps, _low_pass(middle_hz, _LOWER_SLOPE_HZ, sample_rate))
        self._half = half = len(self._taps) // 2
        # Samples of the wave that is ahead of the other.
        self._upper, self._lower = (np.zeros((channels, 0), np.float32) for _ in range(2))
        # The last samples of both waves that still influence the output.
        self._past = np.zeros((2, channels, half), np.float32)
        self.latency = half / sample_rate

    def push(self, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Joins the chunks (channels, n) and (channels, m), as far as both are known."""
        upper = np.concatenate([self._upper, upper], axis=1)
        lower = np.concatenate([self._lower, lower], axis=1)
        n = min(upper.shape[1], lower.shape[1])
        self._upper, self._lower = upper[:, n:], lower[:, n:]
        return self._join(np.stack([upper[:, :n], lower[:, :n]]))

    def flush(self) -> np.ndarray:
        """Returns the rest."""
        return self._join(np.zeros((*self._past.shape[:2], self._half), np.float32))

    def _join(self, both: np.ndarray) -> np.ndarray:
        seen = np.concatenate([self._past, both], axis=2)
        self._past = seen[:, :, -2 * self._half :]
        n = seen.shape[2] - 2 * self._half
        if n <= 0:
            return np.zeros((seen.shape[1], 0), np.float32)
        upper, lower = seen
        size = 1 << (seen.shape[2] - 1).bit_length()
        spectrum = np.fft.rfft(lower - upper, size) * np.fft.rfft(self._taps, size)
        # The first 2 * half samples of the circular convolution wrap around.
        change = np.fft.irfft(spectrum, size)[:, 2 * self._half : 2 * self._half + n]
        return (upper[:, self._half : self._half + n] + change).astype(np.float32)


def _low_pass(middle_hz: float, slope_hz: float, sample_rate: int) -> np.ndarray:
    """Returns the odd number of taps of a low-pass filter, which passes nothing below 0 Hz."""
    half = math.ceil((_ATTENUATION_DB - 8) * sample_rate / (2.285 * 4 * math.pi * slope_hz))
    instants = np.arange(-half, half + 1) / sample_rate
    if middle_hz <= 0:
        return np.zeros(2 * half + 1)
    # Source: Kaiser's formulas for length and beta, Oppenheim and Schafer, section 7.5.
    window = np.kaiser(2 * half + 1, 0.1102 * (_ATTENUATION_DB - 8.7))
    taps = np.sinc(2 * middle_hz * instants) * window
    return taps / taps.sum()


def _subtract(taps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Subtracts taps that are centred on the same sample, and may be more or fewer."""
    half = max(len(taps), len(others)) // 2
    first, second = (np.pad(each, half - len(each) // 2) for each in (taps, others))
    return first - second
