"""How far an estimate of the high-rate wave is from its reference: SNR and LSD, by convention.

The papers of this field publish numbers under two names, SNR and LSD, and mean many different
things by them. Each convention has its own function here, named after who published it. An LSD
without the name of its convention is worth nothing.

Conventions
-----------
Every metric takes (reference, estimate, ...) and returns one float. A wave is an array of shape
(n,) or (n, channels), of full scale 1; both waves have one shape. The metric of a wave with
several channels is the mean of its channels' metrics. Sums run in float64. Nothing is normalised:
gain matters. So does the sample format: writing a band-limited estimate as 16 bits fills its empty
band with rounding noise and lowers its LSD (for a spline at ratio 4, ssr_eval's from 5.3 to 3.5).

Short-time spectra (all but `lsd_tfnet`) take a periodic Hann window and frames centred on
multiples of the hop, with the wave mirrored at its ends, as torch.stft and librosa before 0.10 do
and as the published numbers were made. librosa from 0.10 pads zeros: other edges, other numbers.
The published code refuses waves shorter than half a window; here they are mirrored repeatedly.

Metrics
-------
- `snr`, `segmental_snr`: decibels, higher is better.
- `lsd`, `lsd_lf`, `lsd_hf`, `lsd_ssr_eval`, `lsd_tfnet`: log10 of power, lower is better. Times
  10, such an LSD is in decibels.
- `lsd_kuleshov`, `lsd_bini`, `lsd_frame_ln`: natural log of power, lower is better; ln 10 = 2.3
  times larger than in log10.

`METRICS` describes them for tables, `evaluate` computes several at once.

Sources
-------
Read from the code that made the published numbers: kuleshov/audio-super-res (src/models/model.py),
moodoki/tfnet (tfnet/ops.py), giorgiobini/Deep-Learning-for-Audio-Super-Resolution
(src/evaluation_ops.py), haoheliu/ssr_eval (ssr_eval/metrics.py), slp-rl/aero (src/metrics.py),
yxlu-0102/AP-BWE (cal_metrics.py), maum-ai/nuwave2 (for_test.py), all on GitHub.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

import numpy as np

PATCH = 8192  # samples, the patch of Kuleshov's, TFNet's and Bini's evaluation
WINDOW = 2048
HOP = 512
FLOOR = 1e-8  # of power, in every convention but ssr_eval's

_BLOCK = 256  # frames at once, so that memory does not grow with the recording

P = ParamSpec("P")


def validate(reference: np.ndarray, estimate: np.ndarray) -> None:
    """Checks that two waves can be compared.

    Raises:
        ValueError: a wave is not of shape (n,) or (n, channels), is empty or holds a value that is
            not finite, or the shapes differ.
    """
    for role, wave in (("reference", reference), ("estimate", estimate)):
        shape = np.shape(wave)
        if len(shape) not in (1, 2):
            raise ValueError(f"the {role} has shape {shape}; (n,) or (n, channels) is needed")
        if 0 in shape:
            raise ValueError(f"the {role} is empty: its shape is {shape}")
        if not np.isfinite(wave).all():
            raise ValueError(f"the {role} holds values that are not finite (inf or nan)")
    if np.shape(reference) != np.shape(estimate):
        raise ValueError(
            f"the reference has shape {np.shape(reference)}, the estimate {np.shape(estimate)}; "
            "they must be equal"
        )


def _mean_over_channels(
    metric: Callable[Concatenate[np.ndarray, np.ndarray, P], float],
) -> Callable[Concatenate[np.ndarray, np.ndarray, P], float]:
    """Validates the waves and applies a metric of (n,) waves channel by channel."""

    @functools.wraps(metric)
    def over_channels(
        reference: np.ndarray, estimate: np.ndarray, *args: P.args, **kwargs: P.kwargs
    ) -> float:
        validate(reference, estimate)
        channels = [
            np.ascontiguousarray(np.asarray(wave, np.float64).reshape(len(wave), -1).T)
            for wave in (reference, estimate)
        ]
        values = [metric(y, p, *args, **kwargs) for y, p in zip(*channels, strict=True)]
        return float(sum(values) / len(values))

    return over_channels


@_mean_over_channels
def snr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Signal-to-noise ratio over the whole wave, in dB.

    10 log10(sum y^2 / sum (y - p)^2). AP-BWE and NU-Wave 2, whose code has this form, limit the
    error's norm to 1e-8 from below; that acts only where this function returns infinity.

    Returns:
        `inf` for a perfect estimate, also of silence; `-inf` for any other estimate of silence;
        0 for an estimate that is silent itself.
    """
    signal, error = np.sum(reference**2), np.sum((reference - estimate) ** 2)
    if error == 0:
        return math.inf
    return 10 * math.log10(signal / error) if signal > 0 else -math.inf


@_mean_over_channels
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
    y, p = _patches(reference, patch), _patches(estimate, patch)
    noise = np.sqrt(np.mean((y - p) ** 2 + 1e-6, axis=1))
    return float(np.mean(20 * np.log10(np.sqrt(np.mean(y**2, axis=1)) / noise + 1e-8)))


@_mean_over_channels
def lsd(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Log-spectral distance, the modern one, in log10 of power.

    Window 2048, hop 512 at every sample rate; power limited to 1e-8 from below; the root of the
    mean over frequency, then the mean over time. AERO, AP-BWE and NU-Wave 2 compute it so.

    Returns:
        0 for a perfect estimate, also of silence.
    """
    return _frame_distance(reference, estimate, _log10_ratio)


@_mean_over_channels
def lsd_lf(
    reference: np.ndarray, estimate: np.ndarray, cutoff_hz: float, sample_rate: int
) -> float:
    """The modern LSD below the input's cutoff: what should have been left as it was.

    The bins are divided as in NU-Wave 2: the first int(1025 * cutoff / Nyquist) are low, the
    others high; a bin at the cutoff itself is high.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        cutoff_hz: the input's highest frequency, half its sample rate.
        sample_rate: of both waves, in Hz.

    Raises:
        ValueError: the cutoff leaves one of the bands empty.
    """
    band = slice(None, _first_high_bin(cutoff_hz, sample_rate))
    return _frame_distance(reference, estimate, _log10_ratio, band=band)


@_mean_over_channels
def lsd_hf(
    reference: np.ndarray, estimate: np.ndarray, cutoff_hz: float, sample_rate: int
) -> float:
    """The modern LSD above the input's cutoff: what had to be invented. See `lsd_lf`."""
    band = slice(_first_high_bin(cutoff_hz, sample_rate), None)
    return _frame_distance(reference, estimate, _log10_ratio, band=band)


@_mean_over_channels
def lsd_frame_ln(reference: np.ndarray, estimate: np.ndarray) -> float:
    """The LSD of Kuleshov's text: natural log, the root of the mean over frequency, frame by frame.

    Kuleshov, Enam and Ermon 2017 define it so in their text; the code of the same paper takes the
    means in the other order (`lsd_kuleshov`). Logarithm, epsilon, window and hop are the code's.

    Returns:
        0 for a perfect estimate, also of silence.
    """
    return _frame_distance(reference, estimate, _ln_ratio)


@_mean_over_channels
def lsd_kuleshov(reference: np.ndarray, estimate: np.ndarray) -> float:
    """The LSD of Kuleshov's code: natural log, the mean over *time* first, capped at 10.

    ln(power + 1e-8), window 2048, hop 512; for each frequency the root of the mean over time of
    (difference^2 + 1e-8), then the mean over frequency. Kuleshov, Enam and Ermon 2017 and Birnbaum
    et al. 2019 published such numbers.

    Deviation: their code measures once, over all patches of the split joined in random order; this
    is the distance of one recording. Since the mean over time stands inside the root, the two
    differ even on the same waves. Bini 2021 applied the formula to single patches: `lsd_bini`.

    Returns:
        1e-4, not 0, for a perfect estimate, also of silence; 10 at most.
    """
    return _kuleshov(reference, estimate)


@_mean_over_channels
def lsd_bini(reference: np.ndarray, estimate: np.ndarray, patch: int = PATCH) -> float:
    """Kuleshov's LSD patch by patch, then the mean: the thesis's numbers.

    Bini 2021 (src/evaluation_ops.py) takes `lsd_kuleshov` of each patch of 8192 samples, mirrored
    at the patch's ends. Patches are cut as in `segmental_snr`.

    Returns:
        1e-4, not 0, for a perfect estimate, also of silence; 10 at most.
    """
    pairs = zip(_patches(reference, patch), _patches(estimate, patch), strict=True)
    return float(np.mean([_kuleshov(y, p) for y, p in pairs]))


@_mean_over_channels
def lsd_ssr_eval(reference: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float:
    """The LSD of ssr_eval, which NVSR reports: window and hop follow the sample rate.

    Window int(2048 sample_rate / 44100), hop sample_rate // 100, log10(y^2 / (p + 1e-12)^2 + 1e-12)
    of the magnitudes y and p, the root of the mean over frequency, then the mean over time. The
    epsilons stand on different sides: the distance is not symmetric, and digital silence in either
    wave counts heavily (12 per bin where the reference alone is silent).

    Deviation: their code computes in float32, and cuts the longer of two waves when they differ by
    less than 100 samples.

    Args:
        reference: shape (n,) or (n, channels).
        estimate: the same shape.
        sample_rate: of both waves, in Hz.

    Returns:
        0 for a perfect estimate (up to the epsilons); 12 for silence, even when it is perfect.
    """
    window, hop = int(2048 / (44100 / sample_rate)), sample_rate // 100
    if hop < 1 or window < 2:
        raise ValueError(f"a sample rate of {sample_rate} Hz is too low for ssr_eval's window")
    return _frame_distance(reference, estimate, _ssr_eval_ratio, window=window, hop=hop)


@_mean_over_channels
def lsd_tfnet(reference: np.ndarray, estimate: np.ndarray, patch: int = PATCH) -> float:
    """The LSD of TFNet: one Fourier transform of a whole patch, without a window, in log10.

    The root of the mean over all bins, negative frequencies too, of the squared difference of
    log10 power, then the mean over patches (Lim et al. 2018). Patches are cut as in
    `segmental_snr`.

    Deviation: their code has no floor, so one empty bin gives infinity; power is limited to 1e-8
    from below here.

    Returns:
        0 for a perfect estimate, also of silence.
    """
    spectra = (np.fft.fft(_patches(wave, patch)) for wave in (reference, estimate))
    ratio = _log10_ratio(*(_power(spectrum) for spectrum in spectra))
    return float(np.mean(np.sqrt(np.mean(ratio**2, axis=1))))


def _patches(wave: np.ndarray, patch: int) -> np.ndarray:
    """Cuts (n,) into whole patches (n // patch, patch); a shorter wave is one patch."""
    count = len(wave) // patch
    return wave[: count * patch].reshape(count, patch) if count else wave[np.newaxis]


def _power(spectrum: np.ndarray) -> np.ndarray:
    return spectrum.real**2 + spectrum.imag**2


def _power_spectra(
    reference: np.ndarray, estimate: np.ndarray, window: int, hop: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields both short-time power spectra in blocks of shape (frames, window // 2 + 1)."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    y, p = (
        np.lib.stride_tricks.sliding_window_view(np.pad(wave, window // 2, mode="reflect"), window)[
            ::hop
        ]
        for wave in (reference, estimate)
    )
    for block in (slice(start, start + _BLOCK) for start in range(0, len(y), _BLOCK)):
        yield _power(np.fft.rfft(y[block] * hann)), _power(np.fft.rfft(p[block] * hann))


def _log10_ratio(y: np.ndarray, p: np.ndarray) -> np.ndarray:
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
    """The root of the mean square over frequency, then the mean over time."""
    roots = [
        np.sqrt(np.mean(log_ratio(y[:, band], p[:, band]) ** 2, axis=1))
        for y, p in _power_spectra(reference, estimate, window, hop)
    ]
    return float(np.mean(np.concatenate(roots)))


def _kuleshov(reference: np.ndarray, estimate: np.ndarray) -> float:
    frames, squares = 0, np.zeros(WINDOW // 2 + 1)
    for y, p in _power_spectra(reference, estimate, WINDOW, HOP):
        squares += np.sum(_ln_ratio(y, p) ** 2, axis=0)
        frames += len(y)
    return min(float(np.mean(np.sqrt(squares / frames + 1e-8))), 10.0)


def _first_high_bin(cutoff_hz: float, sample_rate: int) -> int:
    bins = WINDOW // 2 + 1
    first = int(bins * 2 * cutoff_hz / sample_rate)
    if not 0 < first < bins:
        raise ValueError(
            f"a cutoff of {cutoff_hz:g} Hz leaves an empty band at {sample_rate} Hz; it must lie "
            f"between {sample_rate / 2 / bins:.1f} Hz and {sample_rate / 2:g} Hz"
        )
    return first


@dataclass(frozen=True)
class Metric:
    """A metric as a table needs it."""

    function: Callable[..., float]
    label: str  # with the convention's name, short enough to head a column
    unit: str
    higher_is_better: bool
    digits: int  # worth printing after the point
    definition: str  # one plain sentence
    needs: tuple[str, ...] = ()  # keyword arguments beside the waves


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
    "lsd": Metric(
        lsd,
        "LSD (modern)",
        "log10",
        False,
        3,
        "log10 of power, window 2048, hop 512; root of the mean over frequency, then mean over "
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
    "lsd_kuleshov": Metric(
        lsd_kuleshov,
        "LSD (Kuleshov)",
        "ln",
        False,
        3,
        "Natural log of power, mean over time inside the root, then mean over frequency, capped "
        "at 10; of the whole file. Kuleshov 2017, TFiLM.",
    ),
    "lsd_bini": Metric(
        lsd_bini,
        "LSD (Kuleshov, patches)",
        "ln",
        False,
        3,
        "Kuleshov's LSD of each patch of 8192 samples, then the mean. Bini 2021.",
    ),
    "lsd_frame_ln": Metric(
        lsd_frame_ln,
        "LSD (frames, ln)",
        "ln",
        False,
        3,
        "Natural log of power, root of the mean over frequency, then mean over time: the formula "
        "in Kuleshov's text.",
    ),
    "lsd_ssr_eval": Metric(
        lsd_ssr_eval,
        "LSD (ssr_eval)",
        "log10",
        False,
        3,
        "log10 of power, window 2048 at 44.1 kHz and in proportion elsewhere, hop 10 ms. NVSR.",
        ("sample_rate",),
    ),
    "lsd_tfnet": Metric(
        lsd_tfnet,
        "LSD (TFNet)",
        "log10",
        False,
        3,
        "log10 of power of one Fourier transform of each patch of 8192 samples. TFNet.",
    ),
}


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
        cutoff_hz: the input's highest frequency, for `lsd_lf` and `lsd_hf`.
        names: keys of `METRICS`; by default all, less those that need a cutoff when there is none.

    Returns:
        name -> value, in the order of `names`.

    Raises:
        ValueError: the waves cannot be compared, or a metric needs a cutoff and there is none.
    """
    given = {"sample_rate": sample_rate} | ({} if cutoff_hz is None else {"cutoff_hz": cutoff_hz})
    values = {}
    for name in names or [n for n, metric in METRICS.items() if set(metric.needs) <= set(given)]:
        metric = METRICS[name]
        if missing := set(metric.needs) - set(given):
            raise ValueError(f"{name} needs {', '.join(missing)}")
        values[name] = metric.function(
            reference, estimate, **{need: given[need] for need in metric.needs}
        )
    return values
