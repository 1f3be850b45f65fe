"""Metrics of loudness: the level of the restored band against the reference.

Conventions
-----------
Those of `metrics`, and the short-time power spectra of the modern LSD: window 2048, hop 512, frames
centred on multiples of the hop, power floored at 1e-8. The high band has the bins of
`spectral.lsd_hf`, from the input's cutoff to the Nyquist frequency. The energy of a frame is the
sum over these bins.

A level is 10 log10 of the estimate's energy over the reference's, in dB. Energies are summed over
frames before the logarithm, as a level meter does; loud frames therefore decide. 0 dB is best; the
level is negative where the high band is too weak and positive where it is too strong.

Metrics
-------
- `level_hf`: over all frames.
- `level_hf_loud`: over the tenth of the frames in which the high band of the *reference* is
  loudest. In speech, these are mostly fricatives, which a network that blurs what it cannot predict
  makes too weak. Other frames, which may be too strong, hide a part of this in `level_hf`.

A level says nothing about where in the band the energy is, or how it sounds: noise of the right
level has 0 dB. `spectral.lsd_hf` weighs all frequencies and all frames, pauses too, alike.
"""

import numpy as np

from .base import Metric, mean_over_channels
from .spectral import FLOOR, first_high_bin, power_spectra

_NEEDS = ("cutoff_hz", "sample_rate")


@mean_over_channels
def level_hf(
    reference: np.ndarray, estimate: np.ndarray, cutoff_hz: float, sample_rate: int
) -> float:
    """Computes the level of the high band against the reference, in dB.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        cutoff_hz: the input's highest frequency, half its sample rate.
        sample_rate: of both waves, in Hz.

    Returns:
        0 for a perfect estimate, also of silence.

    Raises:
        UserError: the cutoff leaves one of the bands empty.
    """
    y, p = _energies(reference, estimate, cutoff_hz, sample_rate)
    return _decibels(y, p)


@mean_over_channels
def level_hf_loud(
    reference: np.ndarray, estimate: np.ndarray, cutoff_hz: float, sample_rate: int
) -> float:
    """Computes `level_hf` over the tenth of the frames in which the reference's band is loudest.

    The number of frames is rounded up; among equally loud frames, the earlier ones are taken.
    """
    y, p = _energies(reference, estimate, cutoff_hz, sample_rate)
    loudest = np.argsort(-y, kind="stable")[: -(-len(y) // 10)]
    return _decibels(y[loudest], p[loudest])


def _energies(
    reference: np.ndarray, estimate: np.ndarray, cutoff_hz: float, sample_rate: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the energies of the high band of both (n,) waves, (frames,)."""
    band = slice(first_high_bin(cutoff_hz, sample_rate), None)
    y, p = zip(
        *(
            [np.maximum(power[:, band], FLOOR).sum(axis=1) for power in block]
            for block in power_spectra(reference, estimate)
        ),
        strict=True,
    )
    return np.concatenate(y), np.concatenate(p)


def _decibels(reference: np.ndarray, estimate: np.ndarray) -> float:
    return float(10 * np.log10(estimate.sum() / reference.sum()))


METRICS: dict[str, Metric] = {
    "level_hf": Metric(
        level_hf,
        "Level-HF",
        "dB",
        None,
        1,
        "Energy above the input's cutoff over that of the reference; negative if the restored band "
        "is too weak.",
        _NEEDS,
    ),
    "level_hf_loud": Metric(
        level_hf_loud,
        "Level-HF (loudest tenth)",
        "dB",
        None,
        1,
        "The same in the tenth of the frames in which the reference is loudest there: in speech, "
        "mostly fricatives such as s.",
        _NEEDS,
    ),
}
