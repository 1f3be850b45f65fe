"""Metrics that compare short-time power spectra: the conventions of the log-spectral distance.

Conventions
-----------
Those of `metrics`. An LSD without the name of its convention is worthless. Gain matters, and so
does the sample format: writing a band-limited estimate in 16 bits fills its empty band with
rounding noise and lowers its LSD (for a spline at ratio 4, ssr_eval's from 5.3 to 3.5).

Short-time spectra (all but `lsd_tfnet`) use a periodic Hann window and frames centred on multiples
of the hop, with the wave mirrored at its ends. torch.stft and librosa before 0.10 do the same, and
the published numbers were made that way. librosa from 0.10 on pads zeros, which changes the edges
and the numbers. The published code refuses waves shorter than half a window; here they are mirrored
repeatedly.

Metrics
-------
- `lsd`, `lsd_lf`, `lsd_hf`, `lsd_band`, `lsd_ssr_eval`, `lsd_tfnet`: log10 of power, lower is
  better. Multiplied by 10, such an LSD is in decibels.
- `lsd_kuleshov`, `lsd_bini`, `lsd_frame_ln`: natural log of power, lower is better; ln 10 = 2.3
  times as large as in log10.

Sources
-------
The code that made the published numbers: kuleshov/audio-super-res (src/models/model.py),
moodoki/tfnet (tfnet/ops.py), giorgiobini/Deep-Learning-for-Audio-Super-Resolution
(src/evaluation_ops.py), haoheliu/ssr_eval (ssr_eval/metrics.py), slp-rl/aero (src/metrics.py),
yxlu-0102/AP-BWE (cal_metrics.py), maum-ai/nuwave2 (for_test.py), all on GitHub.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ...command import UserError
from .base import PATCH, Metric, mean_over_channels, patches

WINDOW = 2048
HOP = 512
FLOOR = 1e-8  # of power, in every convention except ssr_eval's


@mean_over_channels
def lsd(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the modern log-spectral distance, in log10 of power.

    Window 2048 and hop 512 at every sample rate; power floored at 1e-8; the root mean square over
    frequency, then the mean over time. This is what AERO, AP-BWE and NU-Wave 2 compute.

    Returns:
        0 for a perfect estimate, also of silence.
    """
    return _frame_distance(reference, estimate, log10_ratio)


@mean_over_channels
def lsd_lf(
    reference: np.ndarray, estimate: np.ndarray, cutoff_hz: float, sample_rate: int
) -> float:
    """Computes the modern LSD below the input's cutoff: the band that should stay unchanged.

    The bins are split as in NU-Wave 2: the first int(1025 * cutoff / Nyquist) are low, the others
    high; a bin exactly at the cutoff is high.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        cutoff_hz: the input's highest frequency, half its sample rate.
        sample_rate: of both waves, in Hz.

    Raises:
        UserError: the cutoff leaves one of the bands empty.
    """
    band = slice(None, first_high_bin(cutoff_hz, sample_rate))
    return _frame_distance(reference, estimate, log10_ratio, band=band)


@mean_over_channels
def lsd_hf(
    reference: np.ndarray, estimate: np.ndarray, cutoff_hz: float, sample_rate: int
) -> float:
    """Computes the modern LSD above the input's cutoff: the restored band. See `lsd_lf`."""
    band = slice(first_high_bin(cutoff_hz, sample_rate), None)
    return _frame_distance(reference, estimate, log10_ratio, band=band)


@mean_over_channels
def lsd_band(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Computes the modern LSD up to where the content of the reference ends (`audio.bandwidth`).

    For references that were lossy files: what an estimate has above the band that a codec kept is
    neither right nor wrong. Arguments and returns as in `lsd_hf` and `lsd`.
    """
    from ...audio.measure import wave_band

    end_hz = wave_band(reference, sample_rate).end_hz
    first = int((WINDOW // 2 + 1) * 2 * end_hz / sample_rate)
    return _frame_distance(reference, estimate, log10_ratio, band=slice(first or None))


@mean_over_channels
def lsd_frame_ln(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the LSD of Kuleshov's text: natural log, the root mean square of each frame.

    Kuleshov, Enam and Ermon 2017 define it this way in their text; the code of the same paper takes
    the means in the other order (`lsd_kuleshov`). Logarithm, epsilon, window and hop are the
    code's.

    Returns:
        0 for a perfect estimate, also of silence.
    """
    return _frame_distance(reference, estimate, _ln_ratio)


@mean_over_channels
def lsd_kuleshov(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Computes the LSD of Kuleshov's code: natural log, the mean over *time* first, capped at 10.

    ln(power + 1e-8), window 2048, hop 512; for each frequency the root of the mean over time of
    (difference^2 + 1e-8), then the mean over frequency. Kuleshov, Enam and Ermon 2017 and Birnbaum
    et al. 2019 published such numbers.

    Deviation: their code measures once, over all patches of the split joined in random order; this
    is the distance of one recording. Since the mean over time is inside the root, the two differ
    even for the same waves. Bini 2021 applied the formula to single patches: `lsd_bini`.

    Returns:
        1e-4, not 0, for a perfect estimate, also of silence; at most 10.
    """
    return _kuleshov(reference, estimate)


@mean_over_channels
def lsd_bini(reference: np.ndarray, estimate: np.ndarray, patch: int = PATCH) -> float:
    """Computes the mean over patches of Kuleshov's LSD: the numbers of Bini's thesis.

    Bini 2021 (src/evaluation_ops.py) applies `lsd_kuleshov` to each patch of 8192 samples, mirrored
    at the ends of the patch. Patches are cut as in `segmental_snr`.

    Returns:
        1e-4, not 0, for a perfect estimate, also of silence; at most 10.
    """
    pairs = zip(patches(reference, patch), patches(estimate, patch), strict=True)
    return float(np.mean([_kuleshov(y, p) for y, p in pairs]))


@mean_over_channels
def lsd_ssr_eval(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """Computes the LSD of ssr_eval, which NVSR reports; window and hop depend on the sample rate.

    Window int(2048 sample_rate / 44100), hop sample_rate // 100, log10(y^2 / (p + 1e-12)^2 + 1e-12)
    of the magnitudes y and p, the root mean square over frequency, then the mean over time. The two
    epsilons make the distance asymmetric, and digital silence in either wave counts heavily (12 per
    bin if only the reference is silent).

    Deviation: their code computes in float32, and cuts the longer of two waves if they differ by
    less than 100 samples.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: of both waves, in Hz.

    Returns:
        0 for a perfect estimate (up to the epsilons); 12 for silence, even if it is perfect.
    """
    window, hop = int(2048 / (44100 / sample_rate)), sample_rate // 100
    if hop < 1 or window < 2:
        raise UserError(
            f"a sample rate of {sample_rate} Hz is too low for ssr_eval's window; use another LSD"
        )
    return _frame_distance(reference, estimate, _ssr_eval_ratio, window=window, hop=hop)


@mean_over_channels
def lsd_tfnet(reference: np.ndarray, estimate: np.ndarray, patch: int = PATCH) -> float:
    """Computes the LSD of TFNet: one Fourier transform per patch, without a window, in log10.

    The root mean square over all bins, including negative frequencies, of the difference of log10
    power, then the mean over patches (Lim et al. 2018). Patches are cut as in `segmental_snr`.

    Deviation: their code has no floor, and one empty bin makes the distance infinite; here power is
    floored at 1e-8.

    Returns:
        0 for a perfect estimate, also of silence.
    """
    spectra = (np.fft.fft(patches(wave, patch)) for wave in (reference, estimate))
    ratio = log10_ratio(*(_power(spectrum) for spectrum in spectra))
    return float(np.mean(np.sqrt(np.mean(ratio**2, axis=1))))


def _power(spectrum: np.ndarray) -> np.ndarray:
    return np.real(spectrum) ** 2 + np.imag(spectrum) ** 2


def spectra(
    reference: np.ndarray, estimate: np.ndarray, window: int = WINDOW, hop: int = HOP
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the short-time spectra of both (n,) waves, in blocks (frames, window // 2 + 1)."""
    # Imported here to keep --help fast.
    from ...audio.spectra import centre, stft_blocks

    y, p = (stft_blocks(centre(wave, window), window, hop) for wave in (reference, estimate))
    yield from zip(y, p, strict=True)


def power_spectra(
    reference: np.ndarray, estimate: np.ndarray, window: int = WINDOW, hop: int = HOP
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the squared magnitudes of `spectra`."""
    for y, p in spectra(reference, estimate, window, hop):
        yield _power(y), _power(p)


def log10_ratio(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Returns log10 of the ratio of two powers, both floored at `FLOOR`."""
    return np.log10(np.maximum(y, FLOOR) / np.maximum(p, FLOOR))


def _ln_ratio(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.log((y + FLOOR) / (p + FLOOR))


def _ssr_eval_ratio(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.log10(y / (np.sqrt(p) + 1e-12) ** 2 + 1e-12)


def _frame_distance(
    reference: np.ndarray,
    estimate: np.ndarray,
    log_ratio: Callable[[np.ndarray, np.ndarray], np.ndarray],
    window: int = WINDOW,
    hop: int = HOP,
    band: slice = slice(None),
) -> float:
    """Returns the root mean square over frequency, averaged over time."""
    roots = [
        np.sqrt(np.mean(log_ratio(y[:, band], p[:, band]) ** 2, axis=1))
        for y, p in power_spectra(reference, estimate, window, hop)
    ]
    return float(np.mean(np.concatenate(roots)))


def _kuleshov(reference: np.ndarray, estimate: np.ndarray) -> float:
    frames, squares = 0, np.zeros(WINDOW // 2 + 1)
    for y, p in power_spectra(reference, estimate):
        squares += np.sum(_ln_ratio(y, p) ** 2, axis=0)
        frames += len(y)
    return min(float(np.mean(np.sqrt(squares / frames + 1e-8))), 10.0)


def first_high_bin(cutoff_hz: float, sample_rate: int) -> int:
    """Returns the first bin at or above a cutoff; see `lsd_lf`.

    Raises:
        UserError: the cutoff leaves one of the bands empty.
    """
    bins = WINDOW // 2 + 1
    first = int(bins * 2 * cutoff_hz / sample_rate)
    if not 0 < first < bins:
        raise UserError(
            f"a cutoff of {cutoff_hz:g} Hz leaves an empty band at {sample_rate} Hz; it must be "
            f"between {sample_rate / 2 / bins:.1f} Hz and {sample_rate / 2:g} Hz"
        )
    return first


METRICS: dict[str, Metric] = {
    "lsd": Metric(
        lsd,
        "LSD (modern)",
        "log10",
        False,
        3,
        "log10 of power, window 2048, hop 512; root mean square over frequency, then mean over "
        "time. AERO, AP-BWE, NU-Wave 2.",
    ),
    "lsd_lf": Metric(
        lsd_lf,
        "LSD-LF (modern)",
        "log10",
        False,
        3,
        "The modern LSD below the input's cutoff.",
        ("cutoff_hz", "sample_rate"),
    ),
    "lsd_hf": Metric(
        lsd_hf,
        "LSD-HF (modern)",
        "log10",
        False,
        3,
        "The modern LSD above the input's cutoff.",
        ("cutoff_hz", "sample_rate"),
    ),
    "lsd_band": Metric(
        lsd_band,
        "LSD (band)",
        "log10",
        False,
        3,
        "The modern LSD up to where the content of the reference ends.",
        ("sample_rate",),
    ),
    "lsd_kuleshov": Metric(
        lsd_kuleshov,
        "LSD (Kuleshov)",
        "ln",
        False,
        3,
        "Natural log of power over the whole file; mean over time inside the root, then mean over "
        "frequency, capped at 10. Kuleshov 2017, TFiLM.",
    ),
    "lsd_bini": Metric(
        lsd_bini,
        "LSD (Kuleshov, patches)",
        "ln",
        False,
        3,
        "Mean over patches of 8192 samples of Kuleshov's LSD. Bini 2021.",
    ),
    "lsd_frame_ln": Metric(
        lsd_frame_ln,
        "LSD (frames, ln)",
        "ln",
        False,
        3,
        "Natural log of power; root mean square over frequency, then mean over time: the formula "
        "in Kuleshov's text.",
    ),
    "lsd_ssr_eval": Metric(
        lsd_ssr_eval,
        "LSD (ssr_eval)",
        "log10",
        False,
        3,
        "log10 of power; window 2048 at 44.1 kHz, scaled for other rates; hop 10 ms. NVSR.",
        ("sample_rate",),
    ),
    "lsd_tfnet": Metric(
        lsd_tfnet,
        "LSD (TFNet)",
        "log10",
        False,
        3,
        "log10 of power; one Fourier transform of each patch of 8192 samples. TFNet.",
    ),
}
