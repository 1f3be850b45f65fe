"""Metrics that predict the judgement of listeners, with optional packages.

Conventions
-----------
Those of `metrics`. Levels do not matter to those with a reference: PESQ and ViSQOL scale the
estimate to it, STOI does that in each band. PESQ and ViSQOL also undo a delay.

A metric that is not defined raises `NotApplicableError`: at another sample rate, for silence, for
waves that are too short. Only `visqol_audio` and `pesq` resample waves: to 48 kHz, and from higher
rates to 16 kHz.

Metrics
-------
- `pesq`: WB-PESQ (ITU-T P.862.2) at 16 kHz, 1.0 to 4.64, with the package pesq. Waves of higher
  rates are resampled, as in published results for 22.05 kHz.
- `stoi`: 0 to 1, at 8 kHz and above, with the package pystoi.
- `visqol_audio`: ViSQOL v3 in audio mode, 1 to 4.73, with the package visqol-python. The mode needs
  48 kHz; both waves are resampled to it, as AP-BWE did for speech at 16 kHz.
- `visqol_speech`: ViSQOL v3 in speech mode at 16 kHz, 1 to 5, with the same package. The polynomial
  maps the similarity to a score, scaled so that a perfect estimate has 5. The newer mapping, a
  lattice network, yields other numbers.
- `dnsmos_p808`, `dnsmos_ovrl`: DNSMOS at 16 kHz, about 1 to 5, with the package speechmos. Networks
  of Microsoft predict from the estimate alone what listeners said about noisy and denoised speech,
  in tests of ITU-T P.808 (overall quality) and of P.835 (overall quality after signal and noise).
  They do not know what was said: wrong sounds that are clear score well. A perfect estimate has the
  score of the reference, whatever that is. `dnsmos_ovrl` hardly notices a missing high band.

The package visqol-python is a port of Google's C++. According to its own report, audio mode has
equal scores for nine of ten of Google's conformance files, and differs by 1e-4 for the tenth.
"""

import functools
import hashlib
import importlib.util
import threading
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...command import UserError
from .base import Metric, NotApplicableError, mean_over_channels

# The packages are not thread-safe: PESQ's C code has globals, ViSQOL's loops start threads.
_ONE_AT_A_TIME = threading.Lock()
PESQ_RATE = 16000
_TOO_SHORT = "it has less than about 0.4 seconds of sound"
# speechmos does not name the packages that it needs.
_DNSMOS_PACKAGES = ("speechmos", "onnxruntime", "librosa")
# Checksum of a wave -> its scores. The package computes all of them at once, in seconds.
_dnsmos_scores: dict[bytes, dict[str, float]] = {}


def require(names: Iterable[str]) -> None:
    """Checks that the packages of these metrics are installed.

    Raises:
        UserError: one of them is not.
    """
    for metric in (METRICS[name] for name in names if name in METRICS):
        for package in metric.packages:
            if importlib.util.find_spec(package) is None:
                raise UserError(
                    f"{metric.label} needs the package {package}, which is not installed: "
                    "pip install '.[evaluate]' in wideband's folder"
                )


@mean_over_channels
def pesq(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Computes WB-PESQ, ITU-T P.862.2, as a mean opinion score.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: in Hz, at least 16000; higher rates are resampled to 16000.

    Returns:
        1.0 to 4.64, the score of a perfect estimate.

    Raises:
        NotApplicableError: a lower sample rate, silence, less than a quarter of a second, or
            nothing as loud as speech.
        UserError: the package is not installed.
    """
    # Imported here to keep --help fast.
    from ... import audio

    if sample_rate < PESQ_RATE:
        raise NotApplicableError(f"it needs at least {PESQ_RATE} Hz, not {sample_rate} Hz")
    _check_sound(reference, estimate)
    require(["pesq"])
    import pesq as package

    y, p = (audio.resample(wave, sample_rate, PESQ_RATE) for wave in (reference, estimate))
    try:
        with _ONE_AT_A_TIME:
            return float(package.pesq(PESQ_RATE, y, p, "wb"))
    except package.PesqError as error:
        # The message is bytes.
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise NotApplicableError(reason[:1].lower() + reason[1:]) from error


@mean_over_channels
def stoi(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Computes the short-time objective intelligibility (Taal et al. 2011).

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: in Hz, at least 8000; the highest band of the metric ends at 4.3 kHz.

    Returns:
        1 for a perfect estimate, about 0 for one that cannot be understood.

    Raises:
        NotApplicableError: a lower sample rate, a silent reference, or less than about 0.4 seconds
            of sound.
        UserError: the package is not installed.
    """
    if sample_rate < 8000:
        raise NotApplicableError(f"it needs at least 8000 Hz, not {sample_rate} Hz")
    if not reference.any():
        raise NotApplicableError("the reference is silent")
    # pystoi cannot handle waves shorter than its windows of 26 ms.
    if len(reference) < sample_rate / 10:
        raise NotApplicableError(_TOO_SHORT)
    require(["stoi"])
    import pystoi

    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(pystoi.stoi(reference, estimate, sample_rate))
        except RuntimeWarning as error:
            raise NotApplicableError(_TOO_SHORT) from error


@mean_over_channels
def visqol_audio(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Computes ViSQOL v3 in audio mode at 48 kHz, as a mean opinion score.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: in Hz; other rates than 48000 are resampled.

    Returns:
        1 to 4.73, the score of a perfect estimate.

    Raises:
        NotApplicableError: silence, or less than a second.
        UserError: the package is not installed.
    """
    # Imported here to keep --help fast.
    from ... import audio

    _check_sound(reference, estimate)
    y, p = (audio.resample(wave, sample_rate, 48000) for wave in (reference, estimate))
    return _visqol("audio", y, p, 48000)


@mean_over_channels
def visqol_speech(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Computes ViSQOL v3 in speech mode, as a mean opinion score, with the polynomial mapping.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: 16000; the highest band of the metric ends at 8 kHz.

    Returns:
        1 to 5, the score of a perfect estimate.

    Raises:
        NotApplicableError: another sample rate, silence, no speech, or less than half a second.
        UserError: the package is not installed.
    """
    _check_rate(sample_rate, 16000)
    _check_sound(reference, estimate)
    return _visqol("speech", reference, estimate, sample_rate)


def dnsmos_p808(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Computes DNSMOS P.808 of the estimate (Reddy et al. 2021), as a mean opinion score.

    The network hears windows of 9.01 seconds, one each second, and the score is their mean. A
    shorter wave is repeated. Samples beyond full scale are clipped, as in a file of 16 bits. Levels
    do not matter.

    Args:
        reference: shape (n,) or (n, channels); without influence.
        estimate: the same shape.
        sample_rate: 16000.

    Raises:
        NotApplicableError: another sample rate, or a silent estimate.
        UserError: the package is not installed.
    """
    return _dnsmos(reference, estimate, sample_rate, "p808_mos")


def dnsmos_ovrl(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Computes the overall score of DNSMOS P.835 (Reddy et al. 2022).

    Level matters. For everything else, see `dnsmos_p808`.
    """
    return _dnsmos(reference, estimate, sample_rate, "ovrl_mos")


@mean_over_channels
def _dnsmos(reference: np.ndarray, estimate: np.ndarray, sample_rate: int, key: str) -> float:
    _check_rate(sample_rate, 16000)
    if not estimate.any():
        raise NotApplicableError("the estimate is silent")
    require(["dnsmos_p808"])
    from speechmos import dnsmos

    checksum = hashlib.sha256(estimate.tobytes()).digest()
    with _ONE_AT_A_TIME:
        if checksum not in _dnsmos_scores:
            _dnsmos_scores[checksum] = dnsmos.run(np.clip(estimate, -1, 1), sample_rate)
    return float(_dnsmos_scores[checksum][key])


def _check_rate(sample_rate: int, needed: int) -> None:
    if sample_rate != needed:
        raise NotApplicableError(f"it needs {needed} Hz, not {sample_rate} Hz")


def _check_sound(reference: np.ndarray, estimate: np.ndarray) -> None:
    for role, wave in (("reference", reference), ("estimate", estimate)):
        if not wave.any():
            raise NotApplicableError(f"the {role} is silent")


def _visqol(mode: str, reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    with _ONE_AT_A_TIME:
        api = _visqol_api(mode)
        try:
            result = api.measure_from_arrays(reference, estimate, sample_rate)
        except ValueError as error:
            raise NotApplicableError("the recording is too short for its patches") from error
        except IndexError as error:
            # Raised if the speech detector leaves no patch.
            raise NotApplicableError("it finds no speech in the reference") from error
    return float(result.moslqo)


@functools.cache
def _visqol_api(mode: str) -> Any:
    require([f"visqol_{mode}"])
    import visqol

    api = visqol.VisqolApi()
    # By default, the package uses the lattice if it finds a runtime for it.
    api.create(mode=mode, use_lattice_model=False)
    return api


METRICS: dict[str, Metric] = {
    "pesq": Metric(
        pesq,
        "WB-PESQ",
        "MOS",
        True,
        2,
        "Perceptual quality of speech at 16 kHz, ITU-T P.862.2; at most 4.64. Waves of higher "
        "rates are resampled.",
        ("sample_rate",),
        ("pesq",),
    ),
    "stoi": Metric(
        stoi,
        "STOI",
        "0 to 1",
        True,
        3,
        "Short-time objective intelligibility in the bands up to 4.3 kHz.",
        ("sample_rate",),
        ("pystoi",),
    ),
    "visqol_audio": Metric(
        visqol_audio,
        "ViSQOL (audio mode)",
        "MOS",
        True,
        2,
        "ViSQOL v3 of both waves resampled to 48 kHz; at most 4.73.",
        ("sample_rate",),
        ("visqol",),
    ),
    "visqol_speech": Metric(
        visqol_speech,
        "ViSQOL (speech mode)",
        "MOS",
        True,
        2,
        "ViSQOL v3 at 16 kHz with the polynomial mapping; at most 5.",
        ("sample_rate",),
        ("visqol",),
    ),
    "dnsmos_p808": Metric(
        dnsmos_p808,
        "DNSMOS (P.808)",
        "MOS",
        True,
        2,
        "Quality of speech at 16 kHz, predicted from the estimate alone; compare it with that of "
        "the reference.",
        ("sample_rate",),
        _DNSMOS_PACKAGES,
        needs_reference=False,
    ),
    "dnsmos_ovrl": Metric(
        dnsmos_ovrl,
        "DNSMOS (P.835, overall)",
        "MOS",
        True,
        2,
        "The same for noisy speech; it hardly notices a missing high band.",
        ("sample_rate",),
        _DNSMOS_PACKAGES,
        needs_reference=False,
    ),
}
