"""Metrics that compare waves sample by sample: signal-to-noise ratios and mean square errors.

Conventions
-----------
Those of `metrics`. These see a delay of a single sample and, but for `si_snr`, every gain.

Metrics
-------
- `snr`, `segmental_snr`, `si_snr`: decibels, higher is better.
- `mse`: of waves of full scale 1, lower is better.
- `nrmse`: the root of `mse` in units of the reference's mean, standard deviation, range or
  interquartile range, lower is better.

Sources
-------
Named in each function. Read from the code that made the published numbers: kuleshov/audio-super-res
(src/models/model.py), yxlu-0102/AP-BWE (cal_metrics.py), maum-ai/nuwave2 (for_test.py) and
sutgeorge/Audio-Super-Resolution (Project/metrics.py), all on GitHub.
"""

import functools
import math

import numpy as np

from .base import PATCH, Metric, mean_over_channels, patches


@mean_over_channels
def snr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Signal-to-noise ratio over the whole wave, in dB.

    10 log10(sum y^2 / sum (y - p)^2). AP-BWE and NU-Wave 2, whose code has this form, limit the
    error's norm to 1e-8 from below; that acts only where this function returns infinity.

    Returns:
        `inf` for a perfect estimate, also of silence; `-inf` for any other estimate of silence;
        0 for an estimate that is silent itself.
    """
    return _decibels(np.sum(reference**2), np.sum((reference - estimate) ** 2))


@mean_over_channels
def segmental_snr(reference: np.ndarray, estimate: np.ndarray, patch: int = PATCH) -> float:
    """Kuleshov's SNR: the mean over patches of a ratio whose error is padded, in dB.

    20 log10(rms(y) / sqrt(mean((y - p)^2 + 1e-6)) + 1e-8) for each patch, as in Kuleshov, Enam and
    Ermon 2017, Birnbaum et al. 2019 and Bini 2021. The padding hides errors far below -60 dB of
    full scale, so quiet recordings get lower numbers.

    What follows the last whole patch is left out, since the published preparation writes whole
    patches only. A wave shorter than one patch is one patch.

    Deviation: patches do not overlap here. The published ones overlap by a half (Kuleshov's single
    speaker) or three quarters (Bini), and the last ones, which do not fill a batch of 128, are
    dropped.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        patch: samples; the length of the wave gives the published code's "full SNR".

    Returns:
        for a perfect estimate 20 log10(rms(y)) + 60, so never infinity; -160 for a silent patch.
    """
    y, p = patches(reference, patch), patches(estimate, patch)
    noise = np.sqrt(np.mean((y - p) ** 2 + 1e-6, axis=1))
    return float(np.mean(20 * np.log10(np.sqrt(np.mean(y**2, axis=1)) / noise + 1e-8)))


@mean_over_channels
def si_snr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Scale-invariant signal-to-noise ratio, in dB: an estimate's gain and offset do not count.

    Both waves lose their means. Then t = y <p, y> / <y, y> is what the estimate holds of the
    reference, and the ratio is 10 log10(sum t^2 / sum (p - t)^2) (Luo and Mesgarani
    2018; with the means left in, Le Roux et al. 2019 call it SI-SDR).

    Returns:
        `inf` for a perfect estimate, also of silence; above 250 dB, by rounding, where only gain
        and offset differ; `-inf` for an estimate that holds nothing of the reference, such as
        silence, and for any other estimate of silence.
    """
    y, p = reference - np.mean(reference), estimate - np.mean(estimate)
    power = np.sum(y**2)
    target = y * (np.sum(p * y) / power) if power > 0 else y
    if power > 0 and not np.any(target):
        return -math.inf
    return _decibels(np.sum(target**2), np.sum((p - target) ** 2))


@mean_over_channels
def mse(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Mean square error, of waves of full scale 1.

    Returns:
        0 for a perfect estimate.
    """
    return float(np.mean((reference - estimate) ** 2))


_SPREADS = {
    "mean": lambda y: abs(np.mean(y)),
    "sd": np.std,
    "range": np.ptp,
    "iqr": lambda y: np.subtract(*np.quantile(y, [0.75, 0.25])),
}
NORMS = tuple(_SPREADS)


@mean_over_channels
def nrmse(reference: np.ndarray, estimate: np.ndarray, norm: str = "range") -> float:
    """Root mean square error over a size of the reference.

    The Keras project sutgeorge/Audio-Super-Resolution divides by the mean, the standard deviation
    (of the population) or the range of a chunk, or by the interquartile range.

    The mean of audio is near 0 and says nothing about its size: that norm is here to repeat
    published numbers, and so is the interquartile range, which grows with the share of silence.

    Deviations: its mean keeps its sign, so that an error can be negative; its magnitude is taken
    here. Its interquartile range is one constant for each split, that of all its samples; here it
    is the recording's own, by quantiles interpolated between samples.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        norm: one of `NORMS`: "mean", "sd", "range" or "iqr".

    Returns:
        0 for a perfect estimate, also of silence; `inf` for any other where the norm is 0.

    Raises:
        ValueError: there is no such norm.
    """
    if norm not in _SPREADS:
        raise ValueError(f"no norm is named {norm!r}; there are {', '.join(NORMS)}")
    error = math.sqrt(np.mean((reference - estimate) ** 2))
    spread = float(_SPREADS[norm](reference))
    if error == 0:
        return 0.0
    return error / spread if spread > 0 else math.inf


def _decibels(signal: float, error: float) -> float:
    if error == 0:
        return math.inf
    return 10 * math.log10(signal / error) if signal > 0 else -math.inf


METRICS: dict[str, Metric] = {
    "snr": Metric(
        snr, "SNR", "dB", True, 2, "Energy of the reference over energy of the error, whole file."
    ),
    "segmental_snr": Metric(
        segmental_snr,
        "SNR, segmental (Kuleshov)",
        "dB",
        True,
        2,
        "Mean over patches of 8192 samples; 1e-6 is added to the error's mean square.",
    ),
    "si_snr": Metric(
        si_snr,
        "SI-SNR",
        "dB",
        True,
        2,
        "SNR after the reference is scaled to fit the estimate, both without their means.",
    ),
    "mse": Metric(
        mse, "MSE", "full scale^2", False, 6, "Mean square error of waves of full scale 1."
    ),
} | {
    f"nrmse_{norm}": Metric(
        functools.partial(nrmse, norm=norm),
        f"NRMSE ({norm})",
        "ratio",
        False,
        4,
        f"Root mean square error over the reference's {words}. The Keras project.",
    )
    for norm, words in {
        "mean": "mean, without its sign",
        "sd": "standard deviation",
        "range": "range",
        "iqr": "interquartile range",
    }.items()
}
