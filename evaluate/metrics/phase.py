"""Metrics that compare short-time phases: the anti-wrapped phase distances of AP-BWE.

Conventions
-----------
Those of `metrics`, and the short-time spectra of `spectral`. A phase difference d is anti-wrapped
to d - 2 pi round(d / 2 pi), between -pi and pi. Every bin has the same weight, however faint:
independent waves get pi / sqrt(3) = 1.81 for the phase itself. A bin with power 0 has phase 0.

Metrics
-------
- `apd_ip`: instantaneous phase, in radians, lower is better.
- `apd_gd`: group delay, the phase's difference along frequency.
- `apd_iaf`: instantaneous angular frequency, the phase's difference along time.

`apd_ip` and `apd_iaf` are the root mean square over frequency, averaged over time. `apd_gd` is the
root mean square over *time*, averaged over frequency. The order of the means changes the numbers.

Source
------
yxlu-0102/AP-BWE (cal_metrics.py) on GitHub, which made the paper's numbers. Its three lines take
the mean over the same axis number, but the group delay's matrix is transposed. There and here the
differences have as many entries as the phase: the first bin (or frame) is kept without
differencing.
"""

from collections.abc import Iterator

import numpy as np

from .base import Metric, mean_over_channels
from .spectral import WINDOW, spectra

_BY_FRAME = "root mean square over frequency, then mean over time"


@mean_over_channels
def apd_ip(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the anti-wrapped distance of the instantaneous phase, in radians, at most pi.

    Returns:
        0 for a perfect estimate, also of silence.
    """
    return _frame_distance(_phase_differences(reference, estimate))


@mean_over_channels
def apd_gd(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the anti-wrapped distance of the group delay, in radians per bin, at most pi.

    The root mean square over time, then the mean over frequency. A pure delay of d samples yields
    about 2 pi d / 2048.

    Returns:
        0 for a perfect estimate, also of silence.
    """
    frames, squares = 0, np.zeros(WINDOW // 2 + 1)
    for block in _phase_differences(reference, estimate):
        squares += np.sum(_wrap(np.diff(block, axis=1, prepend=0)) ** 2, axis=0)
        frames += len(block)
    return float(np.mean(np.sqrt(squares / frames)))


@mean_over_channels
def apd_iaf(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the anti-wrapped distance of the angular frequency, in radians per hop, at most pi.

    Returns:
        0 for a perfect estimate, also of silence.
    """

    def along_time() -> Iterator[np.ndarray]:
        before = 0.0
        for block in _phase_differences(reference, estimate):
            yield block - np.vstack([np.broadcast_to(before, block[:1].shape), block[:-1]])
            before = block[-1:]

    return _frame_distance(along_time())


def _phase_differences(reference: np.ndarray, estimate: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the reference's phase minus the estimate's, in blocks (frames, bins)."""
    for y, p in spectra(reference, estimate):
        yield np.angle(y) - np.angle(p)


def _wrap(angles: np.ndarray) -> np.ndarray:
    return angles - 2 * np.pi * np.round(angles / (2 * np.pi))


def _frame_distance(differences: Iterator[np.ndarray]) -> float:
    """Returns the root mean square over frequency, averaged over time."""
    roots = [np.sqrt(np.mean(_wrap(block) ** 2, axis=1)) for block in differences]
    return float(np.mean(np.concatenate(roots)))


METRICS: dict[str, Metric] = {
    name: Metric(
        function,
        f"{name.upper().replace('_', '-')} (AP-BWE)",
        "rad",
        False,
        3,
        f"Anti-wrapped distance of {quantity}, window 2048, hop 512; {order}.",
    )
    for name, function, quantity, order in (
        ("apd_ip", apd_ip, "phases", _BY_FRAME),
        (
            "apd_gd",
            apd_gd,
            "the phases' differences along frequency (group delay)",
            "root mean square over time, then mean over frequency",
        ),
        (
            "apd_iaf",
            apd_iaf,
            "the phases' differences along time (instantaneous frequency)",
            _BY_FRAME,
        ),
    )
}
