"""The low-pass filters of AudioSR, which make its training data and prepare its input.

Sources: Liu et al. 2023 (arXiv:2309.07314), section 4.1: Chebyshev, elliptic, Butterworth and
boxcar filters of order 2 to 10, which end between 2 and 16 kHz, for training. Its code,
audiosr/lowpass.py and audiosr/utils.py in haoheliu/versatile_audio_super_resolution at commit
034db6c, has no training; at inference, it draws one of four families of order 8, filters, resamples
to twice the cutoff and back, and filters again.
"""

import numpy as np
import scipy  # loads scipy.signal, which takes most of a second, when it is used

from ..audio import remove_above

RIPPLE_DB, STOP_DB = 0.1, 60.0
# Of the recursive filters at inference, and their order.
INFERENCE, INFERENCE_ORDER = ("butter", "cheby1", "ellip", "bessel"), 8
# Of training: the families, the cutoffs in Hz, and the orders.
TRAINING = ("cheby1", "ellip", "butter", "boxcar")
SHORTEST = 64  # samples of a wave; others are followed by silence
CUTOFFS_HZ, ORDERS = (2000.0, 16000.0), (2, 10)


def filter_at_inference(
    wave: np.ndarray, cutoff_hz: float, sample_rate: int, family: str
) -> np.ndarray:
    """Limits the band of a recording as AudioSR's code does before it restores it.

    The kernel of the resampler grows with the numerator of the quotient of the rates: a cutoff that
    is a round number is faster by orders of magnitude.

    Args:
        wave: shape (n,), n at least 60.
        cutoff_hz: from 1 to below half the rate; fractions are dropped.
        sample_rate: in Hz.
        family: one of `INFERENCE`.

    Returns:
        float32 of shape (n,).
    """
    sos = _design(family, INFERENCE_ORDER, int(cutoff_hz), sample_rate)
    filtered = scipy.signal.sosfiltfilt(sos, wave.astype(np.float64))
    low_rate = 2 * int(cutoff_hz)
    low = scipy.signal.resample_poly(filtered, low_rate, sample_rate)
    back = scipy.signal.resample_poly(low, sample_rate, low_rate)[: len(wave)]
    back = np.pad(back, (0, len(wave) - len(back)))
    return scipy.signal.sosfiltfilt(sos, back).astype(np.float32)


def filter_for_training(wave: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Limits the band of a recording by a random filter of the paper.

    The recursive filters run forwards and backwards. A boxcar sets all bins of the Fourier
    transform above the cutoff to zero.

    Args:
        wave: shape (n,).
        sample_rate: in Hz, above 32000.
        rng: draws the family, the order and the cutoff.

    Returns:
        float32 of shape (n,).
    """
    family = str(rng.choice(TRAINING))
    cutoff_hz = rng.uniform(*CUTOFFS_HZ)
    order = int(rng.integers(*ORDERS, endpoint=True))
    n = len(wave)
    # Filters in both directions need some samples.
    wave = np.pad(wave.astype(np.float64), (0, max(0, SHORTEST - n)))
    if family == "boxcar":
        filtered = remove_above(wave, sample_rate, cutoff_hz)
    else:
        filtered = scipy.signal.sosfiltfilt(_design(family, order, cutoff_hz, sample_rate), wave)
    return filtered[:n].astype(np.float32)


def _design(family: str, order: int, cutoff_hz: float, sample_rate: int) -> np.ndarray:
    """Returns the second-order sections of a recursive low-pass filter."""
    ripple = {"cheby1": (RIPPLE_DB,), "ellip": (RIPPLE_DB, STOP_DB)}.get(family, ())
    design = getattr(scipy.signal, family)
    return design(order, *ripple, cutoff_hz, fs=sample_rate, output="sos")
