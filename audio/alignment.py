"""Finds the delay of an estimate by cross-correlation, and removes it.

A zero-phase low-pass, an interpolation through the samples, noise and hum leave the peak of the
correlation at lag 0. A delay moves the peak, and undoing it makes the waves fit better. A delay
counts only if both hold, because the peak of a low-pitched wave is flat, and the peak of unrelated
waves may be at any lag.
"""

import numpy as np
from scipy import fft

MAX_SECONDS = 1.0  # the longest delay to search for, in either direction

# A shift counts if it lowers the error after the best gain by this much. Measured on speech at
# 16 kHz, ratios 2 to 8: at most 0.01 dB for aligned estimates, also in noise 10 dB above them;
# 0.6 dB for unrelated sentences; from 0.75 dB (noisy recordings) to 16 dB for Kuleshov's one-way
# filter. The zero-order hold, which lags by half a low-rate sample, reaches 3.5 dB.
_CLEAR_DB = 0.7
# Relative errors below this are beyond the precision of float32.
_ERROR_FLOOR = 1e-6


def delay(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> int:
    """Estimates by how many samples the estimate lags the reference.

    Gain and polarity do not matter. All channels are assumed to have the same delay.

    Args:
        reference: shape (n, channels), finite.
        estimate: shape (m, channels), finite.
        sample_rate: of both, in Hz.

    Returns:
        a delay of at most `MAX_SECONDS`, negative for an estimate that is early; 0 if no shift
        makes the waves fit clearly better, for instance if less than a fifth of them overlaps.
    """
    reference, estimate = _scaled(reference), _scaled(estimate)
    energy = np.sqrt(float(np.vdot(reference, reference)) * float(np.vdot(estimate, estimate)))
    if energy == 0:
        return 0
    max_lag = min(round(MAX_SECONDS * sample_rate), max(len(reference), len(estimate)) - 1)
    error = 1 - (_cross_correlation(reference, estimate, max_lag) / energy) ** 2
    error = np.maximum(error, _ERROR_FLOOR)
    best = int(np.argmin(error))
    clear = 10 * np.log10(error[max_lag] / error[best]) > _CLEAR_DB
    return best - max_lag if clear else 0


def _scaled(wave: np.ndarray) -> np.ndarray:
    """Scales huge and tiny samples, whose squares do not fit into float32, to a peak of 1."""
    peak = max(wave.max(initial=0), -wave.min(initial=0))
    return wave if peak == 0 or 1e-9 < peak < 1e9 else wave / peak


def align(reference: np.ndarray, estimate: np.ndarray, delay: int) -> tuple[np.ndarray, np.ndarray]:
    """Removes a delay and cuts both waves to the samples that both have.

    Args:
        reference: shape (n, channels).
        estimate: shape (m, channels).
        delay: samples by which the estimate lags.

    Returns:
        the two waves, of equal length.
    """
    reference, estimate = reference[max(0, -delay) :], estimate[max(0, delay) :]
    n = min(len(reference), len(estimate))
    return reference[:n], estimate[:n]


def _cross_correlation(reference: np.ndarray, estimate: np.ndarray, max_lag: int) -> np.ndarray:
    """Sums reference[i] * estimate[i + lag] over all channels, for lags up to max_lag either way.

    The reference is processed in pieces, so that memory does not grow with the spectrum of a long
    recording.

    Returns:
        shape (2 * max_lag + 1,), from lag -max_lag to max_lag.
    """
    piece = min(len(reference), max(2 * max_lag, 1))
    size = fft.next_fast_len(piece + 2 * max_lag, real=True)
    missing = max(0, len(reference) - len(estimate))
    padded = np.pad(estimate, ((max_lag, max_lag + piece + missing), (0, 0)))
    total = np.zeros(size // 2 + 1, np.complex128)
    for start in range(0, len(reference), piece):
        y = fft.rfft(reference[start : start + piece], size, axis=0)
        p = fft.rfft(padded[start : start + piece + 2 * max_lag], size, axis=0)
        total += np.sum(np.conj(y) * p, axis=1)
    return fft.irfft(total, size)[: 2 * max_lag + 1]
