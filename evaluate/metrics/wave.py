"""Metrics that compare waves sample by sample: signal-to-noise ratios and mean square errors.

Conventions
-----------
Those of `metrics`. A delay of a single sample changes these metrics; so does any gain, except for
`si_snr`.

Metrics
-------
- `snr`, `segmental_snr`, `si_snr`: decibels, higher is better.
- `snr_ln`: ten times the natural log of the ratio of amplitudes, 1.151 times the decibels; higher
  is better.
- `mse`: for waves with full scale 1, lower is better.
- `nrmse`: the root of `mse`, divided by the reference's mean, standard deviation, range or
  interquartile range; lower is better.
- `nmae_iqr`: the mean *absolute* error, divided by the interquartile range; lower is better.

Sources
-------
Named in each function; the code that made the published numbers is on GitHub:
kuleshov/audio-super-res (src/models/model.py), yxlu-0102/AP-BWE (cal_metrics.py),
maum-ai/nuwave2 (for_test.py) and sutgeorge/Audio-Super-Resolution (Project/metrics.py).
"""

import functools
import math

import numpy as np

from ...command.errors import lookup
from .base import PATCH, Metric, mean_over_channels, patches


@mean_over_channels
def snr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the signal-to-noise ratio over the whole wave, in dB.

    10 log10(sum y^2 / sum (y - p)^2). AP-BWE and NU-Wave 2, whose code has this form, floor the
    norm of the error at 1e-8; that matters only where this function returns infinity.

    Returns:
        `inf` for a perfect estimate, also of silence; `-inf` for any other estimate of silence;
        0 for a silent estimate.
    """
    return _decibels(np.sum(reference**2), np.sum((reference - estimate) ** 2))


@mean_over_channels
def snr_ln(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the "SNR" of the Keras project: 10 ln(rms(y) / rms(y - p)), not decibels.

    It is ln(10) / 2 = 1.151 times the SNR in dB. The numbers that sutgeorge/Audio-Super-Resolution
    prints have this form.

    Deviation: the project takes the ratio over each batch of 16 chunks, and the mean over batches.

    Returns:
        as `snr`.
    """
    decibels = _decibels(np.sum(reference**2), np.sum((reference - estimate) ** 2))
    return decibels * math.log(10) / 2


@mean_over_channels
def segmental_snr(reference: np.ndarray, estimate: np.ndarray, patch: int = PATCH) -> float:
    """Computes Kuleshov's SNR: the mean over patches of a ratio with a padded error, in dB.

    20 log10(rms(y) / sqrt(mean((y - p)^2 + 1e-6)) + 1e-8) for each patch, as in Kuleshov, Enam and
    Ermon 2017, Birnbaum et al. 2019 and Bini 2021. The padding hides errors far below -60 dB of
    full scale; quiet recordings therefore get lower numbers.

    Samples after the last whole patch are ignored, since the published preparation writes whole
    patches only. A wave shorter than one patch is one patch.

    Deviation: patches do not overlap here. The published ones overlap by a half (Kuleshov's single
    speaker) or three quarters (Bini), and the last ones are dropped if they do not fill a batch of
    128.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        patch: in samples; the length of the wave yields the published code's "full SNR".

    Returns:
        20 log10(rms(y)) + 60 for a perfect estimate, never infinity; -160 for a silent patch.
    """
    y, p = patches(reference, patch), patches(estimate, patch)
    noise = np.sqrt(np.mean((y - p) ** 2 + 1e-6, axis=1))
    return float(np.mean(20 * np.log10(np.sqrt(np.mean(y**2, axis=1)) / noise + 1e-8)))


@mean_over_channels
def si_snr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the scale-invariant signal-to-noise ratio, in dB; gain and offset do not matter.

    The means of both waves are removed. t = y <p, y> / <y, y> is the projection of the estimate on
    the reference, and the ratio is 10 log10(sum t^2 / sum (p - t)^2) (Luo and Mesgarani 2018).
    Without removing the means, Le Roux et al. 2019 call it SI-SDR.

    Returns:
        `inf` for a perfect estimate, also of silence; above 250 dB, due to rounding, if only gain
        and offset differ; `-inf` for an estimate orthogonal to the reference, such as silence, and
        for any other estimate of silence.
    """
    y, p = reference - np.mean(reference), estimate - np.mean(estimate)
    power = np.sum(y**2)
    target = y * (np.sum(p * y) / power) if power > 0 else y
    if power > 0 and not np.any(target):
        return -math.inf
    return _decibels(np.sum(target**2), np.sum((p - target) ** 2))


@mean_over_channels
def mse(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the mean square error of waves with full scale 1.

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


@mean_over_channels
def nrmse(reference: np.ndarray, estimate: np.ndarray, norm: str = "range") -> float:
    """Computes the root mean square error relative to a norm of the reference.

    The Keras project sutgeorge/Audio-Super-Resolution defines it with the mean, the standard
    deviation (of the population) or the range of a chunk, and with the interquartile range. Its
    figures of single chunks show such numbers; what its trainings print under this name is
    `nmae_iqr`.

    The mean of audio is near 0 and says nothing about its level. That norm is included for
    comparison, like the interquartile range, which depends on the fraction of silence.

    Deviations: the project's mean keeps its sign, which makes errors negative; here its magnitude
    is used. The interquartile range is as in `nmae_iqr`.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        norm: "mean", "sd", "range" or "iqr".

    Returns:
        0 for a perfect estimate, also of silence; `inf` for any other if the norm is 0.

    Raises:
        UserError: there is no such norm.
    """
    error = math.sqrt(np.mean((reference - estimate) ** 2))
    return _relative(error, float(lookup(_SPREADS, norm, "norm")(reference)))


@mean_over_channels
def nmae_iqr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the mean absolute error relative to the reference's interquartile range.

    What the trainings of the Keras project print as "normalised root mean squared error": their
    error is the root of a mean over the last axis, which has one entry, so that only the absolute
    value is left.

    Deviation: the project's interquartile range is one constant per split, over all its samples;
    here it is that of the recording, with quantiles interpolated between samples.

    Returns:
        as `nrmse`.
    """
    return _relative(
        float(np.mean(np.abs(reference - estimate))), float(_SPREADS["iqr"](reference))
    )


def _relative(error: float, spread: float) -> float:
    if error == 0:
        return 0.0
    return error / spread if spread > 0 else math.inf


def _decibels(signal: float, error: float) -> float:
    if error == 0:
        return math.inf
    return 10 * math.log10(signal / error) if signal > 0 else -math.inf


METRICS: dict[str, Metric] = (
    {
        "snr": Metric(
            snr,
            "SNR",
            "dB",
            True,
            2,
            "Energy of the reference over that of the error, whole file.",
        ),
        "snr_ln": Metric(
            snr_ln,
            "SNR, 10 ln (Keras project)",
            "10 ln",
            True,
            2,
            "Ten times the natural log of the ratio of amplitudes, 1.151 times the SNR in dB.",
        ),
        "segmental_snr": Metric(
            segmental_snr,
            "SNR, segmental (Kuleshov)",
            "dB",
            True,
            2,
            "Mean SNR of patches of 8192 samples, with 1e-6 added to the mean square of the error.",
        ),
        "si_snr": Metric(
            si_snr,
            "SI-SNR",
            "dB",
            True,
            2,
            "SNR after the means are removed and the reference is scaled to fit the estimate.",
        ),
        "mse": Metric(
            mse, "MSE", "full scale^2", False, 6, "Mean square error of waves with full scale 1."
        ),
    }
    | {
        f"nrmse_{norm}": Metric(
            functools.partial(nrmse, norm=norm),
            f"NRMSE ({norm})",
            "ratio",
            False,
            4,
            f"Root mean square error divided by the reference's {norm_name}.",
        )
        for norm, norm_name in {
            "mean": "mean, without its sign",
            "sd": "standard deviation",
            "range": "range",
            "iqr": "interquartile range",
        }.items()
    }
    | {
        "nmae_iqr": Metric(
            nmae_iqr,
            "NMAE (iqr, Keras project)",
            "ratio",
            False,
            4,
            "Mean absolute error divided by the reference's interquartile range, which the Keras "
            "project prints as its NRMSE.",
        )
    }
)
