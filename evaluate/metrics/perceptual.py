"""Metrics that stand for listeners: WB-PESQ, STOI and ViSQOL, each by a package that is optional.

Conventions
-----------
Those of `metrics`. Levels do not matter: PESQ and ViSQOL bring the estimate to the reference's,
STOI does so band by band. PESQ and ViSQOL also mend a delay themselves.

Where a metric is not defined it raises `NotApplicableError`: at another sample rate, for silence,
for waves that are too short. Nothing is resampled to make a metric fit, but for `visqol_audio`.

Metrics
-------
- `pesq`: WB-PESQ (ITU-T P.862.2) at 16 kHz, 1.0 to 4.64, by the package pesq.
- `stoi`: 0 to 1, from 8 kHz up, by the package pystoi.
- `visqol_audio`: ViSQOL v3 in audio mode, 1 to 4.73, by the package visqol-python. The mode wants
  48 kHz, to which both waves are resampled, as AP-BWE did for speech at 16 kHz.
- `visqol_speech`: ViSQOL v3 in speech mode at 16 kHz, 1 to 5, by the same package. The similarity
  is mapped by the polynomial, scaled so that a perfect estimate gets 5; the lattice network, the
  newer mapping, gives other numbers.

The package visqol-python is a port of Google's C++. Its own report says that audio mode gives equal
scores in nine of ten of Google's conformance files, and differs by 1e-4 in the tenth.
"""

import functools
import importlib.util
import threading
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...command import UserError
from .base import Metric, NotApplicableError, mean_over_channels

# The packages keep state of their own: PESQ's C code has globals, ViSQOL's loops start threads.
_ONE_AT_A_TIME = threading.Lock()


def require(names: Iterable[str]) -> None:
    """Checks that the packages of some metrics are installed.

    Raises:
        UserError: one is not.
    """
    for metric in (METRICS[name] for name in names if name in METRICS):
        if importlib.util.find_spec(metric.package) is None:
            raise UserError(
                f"{metric.label} needs the package {metric.package}, which is not installed: "
                "pip install 'wideband[evaluate]'"
            )


@mean_over_channels
def pesq(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """WB-PESQ, ITU-T P.862.2, as a mean opinion score.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: 16000.

    Returns:
        1.0 to 4.64, which a perfect estimate gets.

    Raises:
        NotApplicableError: another sample rate, silence, less than a quarter of a second, or
            nothing that is as loud as speech.
        UserError: the package is not installed.
    """
    _check_rate(sample_rate, 16000)
    _check_sound(reference, estimate)
    require(["pesq"])
    import pesq as package

    try:
        with _ONE_AT_A_TIME:
            return float(package.pesq(sample_rate, reference, estimate, "wb"))
    except package.PesqError as error:
        # The message is bytes.
        words = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise NotApplicableError(words[:1].lower() + words[1:]) from error


@mean_over_channels
def stoi(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Short-time objective intelligibility (Taal et al. 2011).

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: in Hz, 8000 at least; the highest of its bands ends at 4.3 kHz.

    Returns:
        1 for a perfect estimate, about 0 for one that cannot be understood.

    Raises:
        NotApplicableError: a lower sample rate, a silent reference, or less than about 0.4 seconds
            of sound.
        UserError: the package is not installed.
    """
    if sample_rate < 8000:
        raise NotApplicableError(f"it needs 8000 Hz at least, not {sample_rate} Hz")
    if not reference.any():
        raise NotApplicableError("the reference is silent")
    require(["stoi"])
    import pystoi

    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(pystoi.stoi(reference, estimate, sample_rate))
        except RuntimeWarning as error:
            raise NotApplicableError("less than about 0.4 seconds of it are not silent") from error


@mean_over_channels
def visqol_audio(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """ViSQOL v3 in audio mode, a mean opinion score, at 48 kHz.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: in Hz; other rates than 48000 are resampled.

    Returns:
        1 to 4.73, which a perfect estimate gets.

    Raises:
        NotApplicableError: silence, or less than a second.
        UserError: the package is not installed.
    """
    # Reading audio is imported here, so that the commands' --help does without.
    from ... import audio

    _check_sound(reference, estimate)
    y, p = (audio.resample(wave, sample_rate, 48000) for wave in (reference, estimate))
    return _visqol("audio", y, p, 48000)


@mean_over_channels
def visqol_speech(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """ViSQOL v3 in speech mode, a mean opinion score, with the polynomial mapping.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: 16000; the highest of its bands ends at 8 kHz.

    Returns:
        1 to 5, which a perfect estimate gets.

    Raises:
        NotApplicableError: another sample rate, silence, no speech, or less than half a second.
        UserError: the package is not installed.
    """
    _check_rate(sample_rate, 16000)
    _check_sound(reference, estimate)
    return _visqol("speech", reference, estimate, sample_rate)


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
            # What the package raises where its detector leaves no patch at all.
            raise NotApplicableError("it finds no speech in the reference") from error
    return float(result.moslqo)


@functools.cache
def _visqol_api(mode: str) -> Any:
    require([f"visqol_{mode}"])
    import visqol

    api = visqol.VisqolApi()
    # Left to choose, the package takes the lattice where it finds a runtime for it.
    api.create(mode=mode, use_lattice_model=False)
    return api


METRICS: dict[str, Metric] = {
    "pesq": Metric(
        pesq,
        "WB-PESQ",
        "MOS",
        True,
        2,
        "Perceptual quality of speech, ITU-T P.862.2, at 16 kHz; at most 4.64.",
        ("sample_rate",),
        "pesq",
    ),
    "stoi": Metric(
        stoi,
        "STOI",
        "0 to 1",
        True,
        3,
        "Short-time objective intelligibility, of the bands up to 4.3 kHz.",
        ("sample_rate",),
        "pystoi",
    ),
    "visqol_audio": Metric(
        visqol_audio,
        "ViSQOL (audio mode)",
        "MOS",
        True,
        2,
        "ViSQOL v3 at 48 kHz, to which the waves are resampled; at most 4.73.",
        ("sample_rate",),
        "visqol",
    ),
    "visqol_speech": Metric(
        visqol_speech,
        "ViSQOL (speech mode)",
        "MOS",
        True,
        2,
        "ViSQOL v3 at 16 kHz with the polynomial mapping; at most 5.",
        ("sample_rate",),
        "visqol",
    ),
}
