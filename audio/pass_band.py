"""Finds the pass band of a recording: the frequencies that its filters did not weaken.

Upper edge. The content of a recording goes on through the slope of a filter until it drowns in
noise (see `bandwidth`). The slope is no part of the pass band: its level is more than `SLOPE_DB`
below the mean level of the octave below it.

Lower edge. A telephone passes about 300 to 3400 Hz. Ordinary recordings have their content down to
the fundamental of the voice, and the noise of the room below it, which is strongest at low
frequencies. So two falls are added, from the middle of the voice (`MIDDLE_HZ`) to the band that a
telephone removes (`LOW_HZ`): that of the loud moments and that of the quiet ones. A high voice has
the first fall only, a filter for rumble at 80 Hz has neither, and hum hides both.

Measured on 364 recordings of speech (LibriSpeech, AN4, Picovoice, GCompris, LibriVox and others),
each of them also with rumble filters at 80 to 120 Hz of order 2 to 8, with hum, as MP3, and at
8 kHz, as if all had a narrow band: 2 to 3 % are taken for a telephone's. These are high voices
after a filter near 180 Hz, and their pass band is found to begin there. Of music and sounds, 10 %
are. With Butterworth high-passes, A-law, mu-law or 16 bits, the telephone is found in this share of
the recordings of speech:

| high-pass | found |
|---|---|
| 300 Hz, order 8 | 100 % |
| 400 Hz, order 4, both ways | 94 % |
| 300 Hz, order 4 | 93 % (69 % at 44.1 kHz, where bins are wider; 42 % after GSM) |
| 300 Hz, order 2, both ways | 93 % |
| 300 Hz, order 2, which leaves -12 dB at 150 Hz | 37 % |
| 200 Hz, order 4, which leaves -10 dB at 150 Hz | 18 % |
"""

import numpy as np

SLOPE_DB = 18.0
# Bins around a frequency whose median is its level.
SMOOTH_HZ = 160
LOW_HZ, MIDDLE_HZ = (90.0, 240.0), (350.0, 1000.0)
# The sum of both falls from which on a recording is taken for a telephone's.
FALL_DB = 12.0
# The quantiles of the moments that make the loud and the quiet spectrum.
LOUD, QUIET = 0.9, 0.1
# The content begins where the loud spectrum stays within this of its middle.
EDGE_DB = 12.0
# The pass band of a telephone begins between these frequencies.
EDGES_HZ = (120.0, 400.0)
# A telephone passes a band that ends between these frequencies.
NARROWEST_HZ, WIDEST_HZ = 2000.0, 4400.0
# A second: a shorter recording may be a single sound without low frequencies.
FEWEST_MOMENTS = 16


def highest_hz(levels_db: np.ndarray, bin_hz: float, end_hz: float) -> float:
    """Returns the frequency where the pass band ends.

    Args:
        levels_db: of the loud moments, shape (bins,), from 0 Hz on.
        bin_hz: spacing of the bins.
        end_hz: the frequency where the content ends, in Hz.
    """
    smooth = round(SMOOTH_HZ / bin_hz)
    end = round(end_hz / bin_hz)
    if end <= 2 * smooth:
        return end * bin_hz
    below = np.lib.stride_tricks.sliding_window_view(levels_db[:end], smooth)
    medians = np.median(below, axis=1)
    while end > 2 * smooth:
        if medians[end - smooth] >= levels_db[end // 2 : round(0.9 * end)].mean() - SLOPE_DB:
            break
        end -= 1
    return end * bin_hz


def lowest_hz(levels_db: np.ndarray, bin_hz: float, end_hz: float) -> float:
    """Returns the frequency where the pass band begins.

    Args:
        levels_db: shape (moments, bins), from 0 Hz on.
        bin_hz: spacing of the bins.
        end_hz: the frequency where the pass band ends, in Hz.

    Returns:
        the frequency in Hz; 0 for a recording without the band of a telephone.
    """
    if len(levels_db) < FEWEST_MOMENTS or not NARROWEST_HZ <= end_hz <= WIDEST_HZ:
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
    below = np.flatnonzero((loud < threshold) & (frequencies < EDGES_HZ[1]))
    edge_hz = float(frequencies[below[-1] + 1]) if len(below) else 0.0
    return edge_hz if EDGES_HZ[0] <= edge_hz < EDGES_HZ[1] else 0.0
