"""The errors of an estimate over frequency.

The spectra are those of the modern LSD (`metrics.lsd`): window 2048, hop 512, frames centred on
multiples of the hop, power floored at 1e-8.
"""

from collections.abc import Iterator

import numpy as np

from .base import validate
from .spectral import WINDOW, log10_ratio, power_spectra

# Lower and upper end in Hz, and what the band mostly contains in speech. Sounds spread over several
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


def _log_ratios(reference: np.ndarray, estimate: np.ndarray) -> Iterator[np.ndarray]:
    """Yields log10 of the estimate's power over the reference's, in blocks (frames, 1025)."""
    validate(reference, estimate)
    powers = power_spectra(np.asarray(reference, np.float64), np.asarray(estimate, np.float64))
    for y, p in powers:
        yield log10_ratio(p, y)


def level_differences(reference: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """Computes the level of the estimate relative to the reference, averaged over frames.

    Args:
        reference: shape (n,).
        estimate: the same shape.

    Returns:
        dB, shape (1025,), from 0 Hz to the Nyquist frequency; negative where energy is missing.

    Raises:
        UserError: the waves cannot be compared.
    """
    frames, total = 0, np.zeros(WINDOW // 2 + 1)
    for block in _log_ratios(reference, estimate):
        frames += len(block)
        total += block.sum(axis=0)
    return 10 * total / frames


def lsd_by_band(
    reference: np.ndarray, estimate: np.ndarray, sample_rate: int
) -> dict[tuple[int, int, str], float]:
    """Computes the modern LSD within each of `BANDS`.

    Args:
        reference: shape (n,).
        estimate: the same shape.
        sample_rate: of both waves, in Hz.

    Returns:
        band -> distance in log10 of power, for the bands that begin below the Nyquist frequency.
        A band includes the bin at its lower end and excludes the one at its upper end; the last
        band includes the bin at the Nyquist frequency.

    Raises:
        UserError: the waves cannot be compared.
    """
    hz = np.linspace(0, sample_rate / 2, WINDOW // 2 + 1)
    inside = {
        (low, high, name): (hz >= low) & ((hz < high) | (hz[-1] <= high) & (hz == hz[-1]))
        for low, high, name in BANDS
        if low < hz[-1]
    }
    roots = {band: [] for band in inside}
    for block in _log_ratios(reference, estimate):
        for band, bins in inside.items():
            roots[band].append(np.sqrt(np.mean(block[:, bins] ** 2, axis=1)))
    return {band: float(np.mean(np.concatenate(each))) for band, each in roots.items()}
