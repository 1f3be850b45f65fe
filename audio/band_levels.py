"""The levels of a recording below and above a frequency."""

from pathlib import Path

import numpy as np

from .. import audio
from .bandwidth import power_spectra, window_length
from .measure import BLOCK_SECONDS


def levels_db(path: Path, cutoff_hz: float) -> tuple[float, float]:
    """Measures how loud a recording is below and above a frequency.

    Args:
        path: the recording.
        cutoff_hz: the frequency in Hz; what is exactly there is above it, as in `lsd_hf`.

    Returns:
        the RMS of the mono mix in each band, in dB relative to a full scale of 1; -inf for a band
        without energy, or beyond half the rate.

    Raises:
        UserError: the recording cannot be read.
    """
    _, sample_rate, _ = audio.info(path)
    n = window_length(sample_rate)
    power, windows = np.zeros(n // 2 + 1), 0
    for block in audio.blocks(path, BLOCK_SECONDS):
        mix = audio.mono(np.nan_to_num(block.astype(np.float64), posinf=0, neginf=0))
        powers = power_spectra(mix, sample_rate)
        power, windows = power + powers.sum(axis=0), windows + len(powers)
    # Each bin but the first and the last stands for two of the n bins of a whole transform.
    power[1:-1] *= 2
    is_below = np.arange(len(power)) * sample_rate / n < cutoff_hz
    shares = [power[is_below].sum(), power[~is_below].sum()]
    with np.errstate(divide="ignore"):
        below, above = 10 * np.log10(np.array(shares) / (n * max(1, windows)))
    return float(below), float(above)
