"""Upsampling of a wave that comes piece by piece."""

import math

import numpy as np

from .. import audio
from ..audio import Ratio
from ..command import UserError
from ..models.restorer import Restorer
from .stages import Crossover, Interpolator, Resampler
from .windows import Windows

# Low samples by which a wave is mirrored past its end: a spline that has nothing to follow there
# runs off.
END_SAMPLES = 32


class Stream:
    """Restores a wave that is pushed in pieces; made by `Upsampler.stream`.

    All pieces together are what `Upsampler.upsample` gives for the whole wave.

    Example:
        >>> stream = Upsampler.from_run("runs/demo").stream(4000)
        >>> for piece in pieces:
        ...     play(stream.push(piece))
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
        window: int,
    ) -> None:
        sample_rate, low_rate, high_rate = rates
        count = channels or 1
        self._rates, self._ratio, self._channels = (sample_rate, high_rate), ratio, channels
        self._down = Resampler(count, sample_rate, low_rate)
        self._interpolator = self._crossover = None
        rate = low_rate
        if network.wants == "interpolated":
            self._interpolator = Interpolator(count, interpolation, low_rate, ratio)
            rate = float(high_rate)
        self._windows = Windows(network, count, rate, window)
        if keep_hz is not None:
            # Both ways to the high rate end in a filter's slope below the low side's band.
            keep_hz = min(keep_hz or math.inf, 0.95 * low_rate / 2)
            self._direct = Resampler(count, sample_rate, high_rate)
            self._crossover = Crossover(count, high_rate, keep_hz, low_rate / 2)
        self._first, self._last_low = (np.zeros((count, 0), np.float32) for _ in range(2))
        self._taken = self._lows = 0

    @property
    def latency(self) -> float:
        """Seconds by which the output lags behind the input at most, computing time aside."""
        stages = (self._down, self._interpolator, self._windows)
        restoring = sum(stage.latency for stage in stages if stage is not None)
        if self._crossover is None:
            return restoring
        return max(restoring, self._direct.latency) + self._crossover.latency

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Restores a piece, as far as its future is known.

        Args:
            samples: float in [-1, 1], (n,) or (n, channels); n is free, and may be 0.

        Returns:
            float32 (m,) or (m, channels), at the model's high rate.

        Raises:
            UserError: the samples hold NaN or infinity, or have another number of channels.
        """
        wave = self._checked(samples)
        if self._taken == 0:
            self._first = wave[:, :1]
        self._taken += wave.shape[1]
        restored = self._restore(self._down.push(wave))
        if self._crossover is not None:
            restored = self._crossover.push(restored, self._direct.push(wave))
        return self._shaped(restored)

    def flush(self) -> np.ndarray:
        """Gives the rest; in all it is as long as what was pushed, to the sample.

        The stream is at its end then.
        """
        n = audio.resampled_length(self._taken, *self._rates)
        if n == 0:
            return self._shaped(np.zeros((len(self._first), 0), np.float32))
        low = self._down.flush()
        if self._lows + low.shape[1] == 0:
            low = self._first
        restored = self._restore_last(self._mirror(low, n), n)
        if self._crossover is not None:
            joined = self._crossover.push(restored, self._direct.flush())
            restored = np.concatenate([joined, self._crossover.flush()], axis=1)
        return self._shaped(restored)

    def _checked(self, samples: np.ndarray) -> np.ndarray:
        """Gives samples as (channels, n)."""
        expected = (len(samples),) if self._channels is None else (len(samples), self._channels)
        if samples.shape != expected:
            raise UserError(f"this stream takes samples of shape {expected}, not {samples.shape}")
        if not np.isfinite(samples).all():
            raise UserError("the recording holds NaN or infinity; repair it first")
        wave = np.asarray(samples, np.float32)
        return wave[np.newaxis] if self._channels is None else wave.T

    def _shaped(self, wave: np.ndarray) -> np.ndarray:
        """Gives (channels, n) as samples."""
        return wave[0] if self._channels is None else wave.T

    def _restore(self, low: np.ndarray) -> np.ndarray:
        self._lows += low.shape[1]
        self._last_low = np.concatenate([self._last_low, low], axis=1)[:, -END_SAMPLES:]
        high = low if self._interpolator is None else self._interpolator.push(low)
        return self._windows.push(high)

    def _mirror(self, low: np.ndarray, n: int) -> np.ndarray:
        """Adds to the last low samples what is missing of n high ones, and what a spline needs."""
        known = np.concatenate([self._last_low, low], axis=1)
        missing = max(0, math.ceil(n / self._ratio) - self._lows - low.shape[1])
        padding = ((0, 0), (0, missing + END_SAMPLES))
        return np.pad(known, padding, mode="symmetric")[:, self._last_low.shape[1] :]

    def _restore_last(self, low: np.ndarray, n: int) -> np.ndarray:
        """Restores the last low samples, up to n high ones since the start."""
        high = low
        if self._interpolator is not None:
            owed = n - self._interpolator.given
            parts = [self._interpolator.push(low), self._interpolator.flush()]
            high = np.concatenate(parts, axis=1)[:, :owed]
        owed = n - self._windows.given
        return np.concatenate([self._windows.push(high), self._windows.flush()], axis=1)[:, :owed]
