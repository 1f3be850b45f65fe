"""The stages through which a wave flows on its way up, piece by piece.

A stage takes pieces (channels, n) of any length by `push` and gives pieces (channels, m); `flush`
gives what it still owes at the end. What comes out does not depend on how the wave was cut.
`latency` tells by how many seconds at most a stage's output lags behind its input.
"""

import math

import numpy as np
import soxr

from .. import audio
from ..audio import interpolate

# name: low samples that are interpolated at once, on a grid that starts at sample zero, and those
# on either side that go into it. 16 samples off, a sample moves a spline by 1e-9 of itself; soxr's
# filter spans fewer than 256; a Fourier transform spans all, and is taken of pieces.
_SPANS = {
    "hold": (1, 0),
    "linear": (1, 1),
    "spline": (1, 16),
    "sinc": (1, 256),
    "fft": (4096, 4096),
}

# Attenuation of a crossover's stop band in dB, and the width of its slope as a part of the band
# of the low side.
_ATTENUATION = 80
_SLOPE = 0.1


class Resampler:
    """Resamples as `audio.resample` does, from `from_hz` to `to_hz`."""

    def __init__(self, channels: int, from_hz: float, to_hz: float) -> None:
        self._rates = from_hz, to_hz
        self._channels = channels
        self._taken = self._given = 0
        self._soxr = None if from_hz == to_hz else _soxr(from_hz, to_hz, channels)

    @property
    def latency(self) -> float:
        """Seconds; measured when it is asked for, which most waves are restored without."""
        return 0.0 if self._soxr is None else _soxr_latency(*self._rates)

    def push(self, wave: np.ndarray) -> np.ndarray:
        """Resamples a piece (channels, n)."""
        self._taken += wave.shape[1]
        return wave if self._soxr is None else self._resample(wave)

    def flush(self) -> np.ndarray:
        """Gives the rest: in all, `audio.resampled_length` of what was pushed."""
        nothing = np.zeros((self._channels, 0), np.float32)
        if self._soxr is None:
            return nothing
        owed = audio.resampled_length(self._taken, *self._rates) - self._given
        rest = self._resample(nothing, last=True)
        # soxr rounds its length by rules of its own, up to a sample off.
        return np.pad(rest, ((0, 0), (0, max(0, owed - rest.shape[1]))))[:, :owed]

    def _resample(self, wave: np.ndarray, last: bool = False) -> np.ndarray:
        assert self._soxr is not None
        out = self._soxr.resample_chunk(np.ascontiguousarray(wave.T), last=last).T
        self._given += out.shape[1]
        return out


def _soxr(from_hz: float, to_hz: float, channels: int = 1) -> soxr.ResampleStream:
    return soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality="VHQ")


def _soxr_latency(from_hz: float, to_hz: float) -> float:
    """Measures by how many seconds soxr lags: it filters in blocks whose sizes it does not tell."""
    stream = _soxr(from_hz, to_hz)
    piece = np.zeros((max(1, round(from_hz / 1000)), 1), np.float32)
    taken = given = 0
    latency = 0.0
    while taken < 2 * from_hz:
        taken += len(piece)
        latency = max(latency, taken / from_hz - given / to_hz)
        given += len(stream.resample_chunk(piece))
    return latency


class Interpolator:
    """Brings a wave from its low rate to `ratio` times it, by one of `interpolate.METHODS`."""

    def __init__(self, channels: int, method: str, low_rate: float, ratio: int) -> None:
        self._interpolate = interpolate.get(method)
        self._block, self._margin = _SPANS[method]
        self._ratio = ratio
        # Low samples not interpolated yet, behind the `_before` samples that precede them.
        self._low = np.zeros((channels, 0), np.float32)
        self._before = 0
        self.given = 0
        self.latency = (self._block - 1 + self._margin) / low_rate

    def push(self, low: np.ndarray) -> np.ndarray:
        """Interpolates a piece (channels, n) as far as what follows it is known."""
        self._low = np.concatenate([self._low, low], axis=1)
        ready = self._low.shape[1] - self._before - self._margin
        return self._run(max(0, ready) // self._block * self._block)

    def flush(self) -> np.ndarray:
        """Interpolates up to the end."""
        return self._run(self._low.shape[1] - self._before)

    def _run(self, count: int) -> np.ndarray:
        pieces = [np.zeros((len(self._low), 0), np.float32)]
        # Where every sample depends on its neighbours alone, the grid need not be kept.
        step = count if self._block == 1 else self._block
        while count > 0:
            n = min(step, count)
            seen = self._low[:, : self._before + n + self._margin]
            high = np.stack([self._interpolate(each, self._ratio) for each in seen])
            start = self._ratio * self._before
            pieces.append(high[:, start : start + self._ratio * n])
            done = self._before + n
            self._before = min(done, self._margin)
            self._low = self._low[:, done - self._before :]
            count -= n
            self.given += self._ratio * n
        return np.concatenate(pieces, axis=1)


class Crossover:
    """Takes all below `keep_hz` from one wave and all above it from another, both at one rate.

    The filter is of linear phase, and the two sides add up to one: waves that agree pass as they
    are. Its slope of a tenth of the low side's band lies below `keep_hz`.

    Args:
        channels: of both waves.
        sample_rate: of both waves, in Hz.
        keep_hz: where the slope ends.
        band_hz: the low side's band, half of its rate.
    """

    def __init__(self, channels: int, sample_rate: int, keep_hz: float, band_hz: float) -> None:
        slope_hz = _SLOPE * band_hz
        half = math.ceil((_ATTENUATION - 8) * sample_rate / (2.285 * 4 * math.pi * slope_hz))
        at = np.arange(-half, half + 1) / sample_rate
        cutoff_hz = max(0.0, keep_hz - slope_hz / 2)
        # Source: Kaiser's formulas for length and beta, Oppenheim and Schafer, section 7.5.
        taps = np.sinc(2 * cutoff_hz * at) * np.kaiser(2 * half + 1, 0.1102 * (_ATTENUATION - 8.7))
        self._taps = taps / taps.sum() if cutoff_hz else np.zeros_like(taps)
        self._half = half
        # What either wave is ahead of the other, and the last samples of both that still count.
        self._upper, self._lower = (np.zeros((channels, 0), np.float32) for _ in range(2))
        self._past = np.zeros((2, channels, half), np.float32)
        self.latency = half / sample_rate

    def push(self, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Joins two pieces (channels, n), (channels, m), as far as both are known."""
        upper = np.concatenate([self._upper, upper], axis=1)
        lower = np.concatenate([self._lower, lower], axis=1)
        n = min(upper.shape[1], lower.shape[1])
        self._upper, self._lower = upper[:, n:], lower[:, n:]
        return self._join(np.stack([upper[:, :n], lower[:, :n]]))

    def flush(self) -> np.ndarray:
        """Joins the last samples."""
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
        # The first 2 half samples of the circular convolution are wrapped.
        change = np.fft.irfft(spectrum, size)[:, 2 * self._half : 2 * self._half + n]
        return (upper[:, self._half : self._half + n] + change).astype(np.float32)
