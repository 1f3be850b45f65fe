"""Finds where the content of a recording with the band of a telephone begins.

A telephone passes about 300 to 3400 Hz. Ordinary recordings have their content down to the
fundamental of the voice, and the noise of the room below it, which is strongest at low frequencies.
So two falls are added, from the middle of the voice (`MIDDLE_HZ`) to the band that a telephone
removes (`LOW_HZ`): that of the loud moments and that of the quiet ones. A high voice has the first
fall only, a filter for rumble at 80 Hz has neither, and hum hides both.

Measured on 370 recordings of speech (LibriSpeech, AN4, Picovoice, GCompris, LibriVox and others),
each of them also with rumble filters at 80 to 120 Hz of order 2 to 8, with hum, as MP3, and at
8 kHz: 2 % are taken for a telephone's. All of these are high voices after a filter near 180 Hz, and
their content is found to begin there. With Butterworth high-passes, A-law, mu-law or 16 bits, the
telephone is found in this share of the recordings:

| high-pass | found |
|---|---|
| 300 Hz, order 8 | 100 % |
| 400 Hz, order 4, both ways | 100 % |
| 300 Hz, order 4 | 94 % (69 % at 44.1 kHz, where bins are wider; 41 % after GSM) |
| 300 Hz, order 2, both ways | 94 % |
| 300 Hz, order 2, which leaves -12 dB at 150 Hz | 35 % |
| 200 Hz, order 4, which leaves -10 dB at 150 Hz | 17 % |
"""

import numpy as np

LOW_HZ, MIDDLE_HZ = (90.0, 240.0), (350.0, 1000.0)
# The sum of both falls from which on a recording is taken for a telephone's.
FALL_DB = 12.0
# The quantiles of the moments that make the loud and the quiet spectrum.
LOUD, QUIET = 0.9, 0.1
# The content begins where the loud spectrum stays within this of its middle.
EDGE_DB = 12.0
# It begins here at the latest.
HIGHEST_EDGE_HZ = 400.0
# Content that goes on further did not come through a telephone.
WIDEST_HZ = 4400.0
# A second: a shorter recording may be a single sound without low frequencies.
FEWEST_MOMENTS = 16


def lowest_hz(levels_db: np.ndarray, bin_hz: float) -> float:
    """Returns the frequency where the content begins, if it ends below `WIDEST_HZ`.

    Args:
        levels_db: shape (moments, bins), from 0 Hz on.
        bin_hz: spacing of the bins.

    Returns:
        the frequency in Hz; 0 for a recording without the band of a telephone.
    """
    if len(levels_db) < FEWEST_MOMENTS:
        return 0.0
    frequencies = bin_hz * np.arange(levels_db.shape[1])
    low, middle = (
        (lowest <= frequencies) & (frequencies <= highest)
        for lowest, highest in (LOW_HZ, MIDDLE_HZ)
    )
    loud, quiet = np.quantile(levels_db, (LOUD, QUIET), axis=0)
    if sum(each[middle].mean() - each[low].mean() for each in (loud, quiet)) < FALL_DB:
        return 0.0
    threshold = np.quantile(loud[middle], 0.75) - EDGE_DB
    below = np.flatnonzero((loud < threshold) & (frequencies < HIGHEST_EDGE_HZ))
    return float(min(frequencies[below[-1] + 1], HIGHEST_EDGE_HZ)) if len(below) else 0.0
