"""Metrics of an estimate of the high-rate wave against its reference, in every convention in use.

The papers of this field publish numbers under two names, SNR and LSD, but compute many different
things. Each convention has its own function, named after the people who published it.

Conventions
-----------
Every metric takes (reference, estimate, ...) and returns one float. A wave is an array of shape
(n,) or (n, channels) with full scale 1; both waves have the same shape. The metric of a wave with
several channels is the mean over its channels. Sums run in float64. Nothing is normalised or
aligned: gain and delay matter (`audio.alignment` finds a delay).

Metrics
-------
- `wave`: SNR, segmental SNR, SI-SNR, mean square errors.
- `spectral`: the log-spectral distances.
- `level`: the level of the high band, overall and where it is loudest.
- `phase`: the anti-wrapped phase distances.
- `perceptual`: WB-PESQ, STOI, ViSQOL and DNSMOS, with optional packages.
- `bands`: the modern LSD and level differences, band by band, for figures.
- `statistics`: means over files with intervals, and paired comparisons of systems.

`METRICS` describes all of them for tables; `evaluate` computes several at once. A metric that is
added to its module's table appears in the commands, the tables and the report.
"""

from collections.abc import Sequence

import numpy as np

from ...command import UserError
from . import level, perceptual, phase, spectral, wave
from .base import Metric, NotApplicableError, validate
from .level import level_hf, level_hf_loud
from .perceptual import dnsmos_ovrl, dnsmos_p808, pesq, require, stoi, visqol_audio, visqol_speech
from .phase import apd_gd, apd_iaf, apd_ip
from .spectral import (
    lsd,
    lsd_band,
    lsd_bini,
    lsd_frame_ln,
    lsd_hf,
    lsd_kuleshov,
    lsd_lf,
    lsd_ssr_eval,
    lsd_tfnet,
)
from .wave import mse, nmae_iqr, nrmse, segmental_snr, si_snr, snr, snr_ln

__all__ = [
    "METRICS",
    "Metric",
    "NotApplicableError",
    "apd_gd",
    "apd_iaf",
    "apd_ip",
    "dnsmos_ovrl",
    "dnsmos_p808",
    "evaluate",
    "level_hf",
    "level_hf_loud",
    "lsd",
    "lsd_band",
    "lsd_bini",
    "lsd_frame_ln",
    "lsd_hf",
    "lsd_kuleshov",
    "lsd_lf",
    "lsd_ssr_eval",
    "lsd_tfnet",
    "measure",
    "mse",
    "nmae_iqr",
    "nrmse",
    "pesq",
    "require",
    "segmental_snr",
    "si_snr",
    "snr",
    "snr_ln",
    "stoi",
    "validate",
    "visqol_audio",
    "visqol_speech",
]

METRICS: dict[str, Metric] = {
    **wave.METRICS,
    **spectral.METRICS,
    **level.METRICS,
    **phase.METRICS,
    **perceptual.METRICS,
}


def measure(
    name: str,
    reference: np.ndarray,
    estimate: np.ndarray,
    sample_rate: int,
    cutoff_hz: float | None = None,
) -> float:
    """Computes one metric of one pair of waves.

    Args:
        name: a key of `METRICS`.
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: of both waves, in Hz.
        cutoff_hz: the input's highest frequency, for the metrics of its low and high band.

    Raises:
        NotApplicableError: the metric is not defined for these waves.
        UserError: the waves cannot be compared, the metric needs a cutoff and there is none, or
            its package is not installed.
    """
    given = {"sample_rate": sample_rate} | ({} if cutoff_hz is None else {"cutoff_hz": cutoff_hz})
    metric = METRICS[name]
    if missing := set(metric.needs) - set(given):
        raise UserError(f"{name} needs {', '.join(missing)}")
    return metric.function(reference, estimate, **{need: given[need] for need in metric.needs})


def evaluate(
    reference: np.ndarray,
    estimate: np.ndarray,
    sample_rate: int,
    cutoff_hz: float | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """Computes several metrics of one pair of waves.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: of both waves, in Hz.
        cutoff_hz: the input's highest frequency, for the metrics of its low and high band.
        names: keys of `METRICS`; by default all but those that need an optional package, or a
            cutoff if there is none.

    Returns:
        name -> value, in the order of `names`; nan if a metric is not defined for these waves.

    Raises:
        UserError: the waves cannot be compared, a metric needs a cutoff and there is none, or an
            optional package is not installed.
    """
    if names is None:
        names = [
            name
            for name, metric in METRICS.items()
            if not metric.packages and (cutoff_hz is not None or "cutoff_hz" not in metric.needs)
        ]
    values = {}
    for name in names:
        try:
            values[name] = measure(name, reference, estimate, sample_rate, cutoff_hz)
        except NotApplicableError:
            values[name] = float("nan")
    return values
