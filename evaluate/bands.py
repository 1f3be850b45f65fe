"""Where along frequency an estimate errs.

Spectra are those of the modern LSD (`metrics.lsd`): window 2048, hop 512, frames centred on
multiples of the hop, power limited to 1e-8 from below.
"""

import librosa
import numpy as np

from .metric_base import validate
from .spectral_metrics import FLOOR, HOP, WINDOW

# Lower and upper end in Hz, and what mostly lies there in speech. Sounds spread over several
# bands, and speakers differ: these are bands, not phonemes.
BANDS = (
    (0, 500, "pitch"),
    (500, 1000, "1st formant"),
    (1000, 2000, "2nd formant"),
    (2000, 4000, "3rd formant"),
    (4000, 6000, "sh, s"),
    (6000, 8000, "s, f"),
    (8000, 12000, "breath"),
    (12000, 24000, "air"),
)


def _levels(wave: np.ndarray) -> np.ndarray:
    """Powers in log10, shape (WINDOW // 2 + 1, frames)."""
    padded = np.pad(np.asarray(wave, np.float64), WINDOW // 2, mode="reflect")
    spectrum = librosa.stft(padded, n_fft=WINDOW, hop_length=HOP, center=False)
    return np.log10(np.maximum(np.abs(spectrum) ** 2, FLOOR))


def level_differences(reference: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """The mean over frames of how much louder the estimate is, at each frequency.

    Args:
        reference: shape (n,).
        estimate: the same shape.

    Returns:
        dB, shape (1025,), from 0 to the Nyquist frequency; below zero where energy is missing.

    Raises:
        ValueError: the waves cannot be compared.
    """
    validate(reference, estimate)
    return 10 * (_levels(estimate) - _levels(reference)).mean(axis=1)


def lsd_by_band(
    reference: np.ndarray, estimate: np.ndarray, sample_rate: int
) -> dict[tuple[int, int, str], float]:
    """The modern LSD within each of `BANDS`.

    Args:
        reference: shape (n,).
        estimate: the same shape.
        sample_rate: of both waves, in Hz.

    Returns:
        band -> distance in log10 of power, for the bands that begin below the Nyquist frequency.
        A band begins with the first bin at its lower end, and ends before the one at its upper
        end; the last band holds the bin at the Nyquist frequency.

    Raises:
        ValueError: the waves cannot be compared.
    """
    validate(reference, estimate)
    squares = (_levels(reference) - _levels(estimate)) ** 2
    hz = np.linspace(0, sample_rate / 2, len(squares))
    distances = {}
    for band in BANDS:
        low, high, _ = band
        if low < hz[-1]:
            inside = (hz >= low) & ((hz < high) | (hz[-1] <= high) & (hz == hz[-1]))
            distances[band] = float(np.mean(np.sqrt(squares[inside].mean(axis=0))))
    return distances
