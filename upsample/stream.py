"""Upsampling of a wave that arrives in chunks."""

import math

import numpy as np

from .. import audio
from ..audio import Ratio
from ..command import UserError
from ..models.restorer import Restorer
from .checks import check_band, check_channels, check_samples
from .stages import Crossover, Interpolator, Resampler
from .windows import Windows

# The wave is mirrored past its end by this many low-rate samples, because a spline diverges at its
# last samples.
END_SAMPLES = 32


class Stream:
    """Restores a wave chunk by chunk; `Upsampler.stream` makes one.

    The concatenated outputs do not depend on the chunks. They equal the output of
    `Upsampler.upsample` for the whole wave if both keep the same band: `keep_hz=None` equals
    `keep_low_band=False`. With `keep_low_band=True`, `upsample` measures the band of the whole
    wave, and only a stream that keeps this band equals it.

    Args:
        network: a network or an interpolation.
        interpolation: a key of `audio.interpolate.METHODS`.
        rates: the wave's rate, the low rate and the high rate in Hz.
        ratio: the high rate over the low rate.
        channels: as in `Upsampler.stream`.
        keep_hz: as in `Upsampler.stream`.
        keep_from_hz: as in `Upsampler.stream`.
        window: as in `Upsampler.stream`.
        peak: as in `Upsampler.stream`.
        band_hz: as in `Upsampler`.
        output_rate: as in `Upsampler.stream`.

    Example:
        >>> stream = load("runs/demo").stream(4000)
        >>> for chunk in chunks:
        ...     play(stream.push(chunk))
        >>> play(stream.flush())
    """

    def __init__(
        self,
        network: Restorer,
        interpolation: str,
        *,
        rates: tuple[float, float, int],
        ratio: Ratio,
        channels: int | None,
        keep_hz: float | None,
        keep_from_hz: float,
        window: int | None,
        peak: float | None = None,
        band_hz: tuple[float, float] | None = None,
        output_rate: int | None = None,
    ) -> None:
        check_channels(channels)
        check_band(keep_hz, keep_from_hz)
        sample_rate, low_rate, high_rate = rates
        count = channels or 1
        self._rates, self._ratio, self._channels = (sample_rate, high_rate), ratio, channels
        self._down = Resampler(count, sample_rate, low_rate)
        self._interpolator = self._crossover = None
        rate = low_rate
        if network.wants == "interpolated":
            self._interpolator = Interpolator(count, interpolation, low_rate, ratio)
            rate = float(high_rate)
        if keep_hz is not None:
            # Both paths to the high rate roll off just below half the lower rate.
            keep_hz = min(keep_hz or math.inf, 0.95 * min(sample_rate, low_rate) / 2)
        self._windows = Windows(network, count, rate, window, peak, keep_hz)
        if keep_hz is not None:
            self._direct = Resampler(count, sample_rate, high_rate)
            low_band_hz = low_rate / 2
            if band_hz is not None:
                low_band_hz = max(keep_hz, band_hz[0])
            self._crossover = Crossover(count, high_rate, keep_hz, low_band_hz, keep_from_hz)
        self._output = Resampler(count, high_rate, output_rate or high_rate)
        self._first, self._last_low = (np.zeros((count, 0), np.float32) for _ in range(2))
        self._taken = self._low_count = 0
        self._ended = False

    @property
    def latency(self) -> float:
        """The maximum lag of the output behind the input in seconds, without computing time.

        It is the sum of the lags of resampling, interpolation, windows, the crossover if there is a
        `keep_hz`, and resampling to the output's rate.
        """
        stages = (self._down, self._interpolator, self._windows)
        latency = sum(stage.latency for stage in stages if stage is not None)
        if self._crossover is not None:
            latency = max(latency, self._direct.latency) + self._crossover.latency
        return latency + self._output.latency

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Takes the next chunk and returns what can be restored so far.

        Args:
            samples: float in [-1, 1], (n,) or (n, channels) with any n, also 0.

        Returns:
            float32 (m,) or (m, channels), at the output's rate.

        Raises:
            UserError: the samples contain integers, NaN, infinity or values far above 1, or have
                another number of channels; the stream has ended; or the network's output is not
                finite.
        """
        self._check_open()
        wave = self._check(samples)
        if self._taken == 0:
            self._first = wave[:, :1]
        self._taken += wave.shape[1]
        restored = self._restore(self._down.push(wave))
        if self._crossover is not None:
            restored = self._crossover.push(restored, self._direct.push(wave))
        return self._shaped_like_input(self._output.push(restored))

    def flush(self) -> np.ndarray:
        """Ends the stream and returns the rest.

        The concatenated outputs last exactly as long as the input.

        Raises:
            UserError: the stream has ended already, or the network's output is not finite.
        """
        self._check_open()
        self._ended = True
        n = audio.resampled_length(self._taken, *self._rates)
        if n == 0:
            return self._shaped_like_input(np.zeros((len(self._first), 0), np.float32))
        low = self._down.flush()
        if self._low_count + low.shape[1] == 0:
            low = self._first
        restored = self._restore_end(self._mirror(low, n), n)
        if self._crossover is not None:
            joined = self._crossover.push(restored, self._direct.flush())
            restored = np.concatenate([joined, self._crossover.flush()], axis=1)
        rest = [self._output.push(restored), self._output.flush()]
        return self._shaped_like_input(np.concatenate(rest, axis=1))

    def _check_open(self) -> None:
        if self._ended:
            raise UserError("this stream has ended with flush(); start another one")

    def _check(self, samples: np.ndarray) -> np.ndarray:
        """Checks samples and returns them as (channels, n)."""
        samples = check_samples(samples)
        channels = () if self._channels is None else (self._channels,)
        if samples.ndim == 0 or samples.shape[1:] != channels:
            expected = "(n,)" if self._channels is None else f"(n, {self._channels})"
            raise UserError(f"this stream takes samples of shape {expected}, not {samples.shape}")
        wave = samples.astype(np.float32, copy=False)
        return wave[np.newaxis] if self._channels is None else wave.T

    def _shaped_like_input(self, wave: np.ndarray) -> np.ndarray:
        """Brings (channels, n) into the shape of the input."""
        return wave[0] if self._channels is None else wave.T

    def _restore(self, low: np.ndarray) -> np.ndarray:
        self._low_count += low.shape[1]
        self._last_low = np.concatenate([self._last_low, low], axis=1)[:, -END_SAMPLES:]
        wave = low if self._interpolator is None else self._interpolator.push(low)
        return self._windows.push(wave)

    def _mirror(self, low: np.ndarray, n: int) -> np.ndarray:
        """Extends the last low-rate samples by reflection.

        With the samples before, they cover n high-rate samples, and END_SAMPLES more.
        """
        known = np.concatenate([self._last_low, low], axis=1)
        missing = max(0, math.ceil(n / self._ratio) - self._low_count - low.shape[1])
        padding = ((0, 0), (0, missing + END_SAMPLES))
        return np.pad(known, padding, mode="symmetric")[:, self._last_low.shape[1] :]

    def _restore_end(self, low: np.ndarray, n: int) -> np.ndarray:
        """Restores the last low-rate samples, up to high-rate sample n of the wave."""
        wave = low
        if self._interpolator is not None:
            missing = n - self._interpolator.emitted
            chunks = [self._interpolator.push(low), self._interpolator.flush()]
            wave = np.concatenate(chunks, axis=1)[:, :missing]
        missing = n - self._windows.emitted
        chunks = [self._windows.push(wave), self._windows.flush()]
        return np.concatenate(chunks, axis=1)[:, :missing]
