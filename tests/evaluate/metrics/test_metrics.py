"""The metrics, compared with a plain implementation and each other, and at their limits."""

import json
import math
import runpy
from pathlib import Path

import librosa
import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from wideband import audio
from wideband.evaluate import metrics
from wideband.evaluate.metrics import METRICS

SAMPLE_RATE = 16000
CUTOFF_HZ = 2000
# Metrics of optional packages have their own test file.
NUMPY = [name for name, metric in METRICS.items() if not metric.packages]
NEEDS = {"sample_rate": SAMPLE_RATE, "cutoff_hz": CUTOFF_HZ}
HERE = Path(__file__).parent


def measure(name, reference, estimate):
    needs = {need: NEEDS[need] for need in METRICS[name].needs}
    return METRICS[name].function(reference, estimate, **needs)


def waves(n=20000, amplitude=0.3, seed=0):
    """Noise of varying level, and a copy with its high band 40 dB lower: no LSD is capped."""
    rng = np.random.default_rng(seed)
    level = amplitude * (1.1 + np.sin(np.arange(n) / 3000))
    reference = level * rng.standard_normal(n)
    low_pass = butter(8, CUTOFF_HZ, fs=SAMPLE_RATE, output="sos")
    return reference, 0.99 * sosfiltfilt(low_pass, reference) + 0.01 * reference


def power(wave, window=2048, hop=512):
    """Shape (frequencies, frames), from librosa."""
    return np.abs(librosa.stft(wave, n_fft=window, hop_length=hop, pad_mode="reflect")) ** 2


def modern(reference, estimate, bins=slice(None)):
    y, p = (np.log10(np.clip(power(w), 1e-8, None))[bins] for w in (reference, estimate))
    return np.sqrt(((y - p) ** 2).mean(axis=0)).mean()


def kuleshov(reference, estimate):
    y, p = (np.log(power(w) + 1e-8) for w in (reference, estimate))
    return min(np.sqrt(((y - p) ** 2 + 1e-8).mean(axis=1)).mean(), 10)


def ssr_eval(reference, estimate):
    y, p = (np.sqrt(power(w, 743, 160)) for w in (reference, estimate))
    return np.sqrt((np.log10(y**2 / (p + 1e-12) ** 2 + 1e-12) ** 2).mean(axis=0)).mean()


def segmental_snr(reference, estimate, patch=8192):
    ratios = []
    for i in range(0, len(reference) - patch + 1, patch):
        y, p = reference[i : i + patch], estimate[i : i + patch]
        noise = np.sqrt(np.mean((p - y) ** 2 + 1e-6))
        ratios.append(20 * np.log(np.sqrt(np.mean(y**2)) / noise + 1e-8) / np.log(10))
    return np.mean(ratios)


LSDS = [name for name in METRICS if name.startswith("lsd")]


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(HERE / "make_references.py"))


@pytest.mark.parametrize("name", NUMPY)
def test_a_metric_equals_the_value_of_a_plain_implementation(script, name):
    stored = json.loads((HERE / "references.json").read_text())
    assert stored.keys() == set(NUMPY)
    # The phases of faint bins are less accurate than the powers.
    rel = 1e-6 if name.startswith("apd") else 1e-9
    assert measure(name, *script["waves"]()) == pytest.approx(stored[name], rel=rel)


def test_the_script_makes_the_stored_values(script):
    stored = json.loads((HERE / "references.json").read_text())
    assert script["values"]() == pytest.approx(stored, rel=1e-6)


# In quiet recordings, the floors and epsilons dominate.
@pytest.mark.parametrize("amplitude", [0.3, 1e-3, 1e-6])
@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("segmental_snr", segmental_snr),
        ("lsd", modern),
        ("lsd_kuleshov", kuleshov),
        ("lsd_ssr_eval", ssr_eval),
    ],
)
def test_a_metric_with_a_floor_equals_its_formula_at_every_level(name, formula, amplitude):
    reference, estimate = waves(amplitude=amplitude)
    expected = formula(reference, estimate)
    assert measure(name, reference, estimate) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "formula"), [("lsd", modern), ("lsd_kuleshov", kuleshov)])
def test_the_blocks_of_a_long_wave_do_not_change_a_metric(name, formula):
    reference, estimate = waves(n=100_000)
    expected = formula(reference, estimate)
    assert measure(name, reference, estimate) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", LSDS)
def test_a_gain_changes_every_lsd_by_its_logarithm(name):
    reference, _ = waves()
    unit = 1 if METRICS[name].unit == "log10" else math.log(10)
    assert measure(name, reference, 0.5 * reference) == pytest.approx(
        2 * math.log10(2) * unit, rel=1e-5
    )


def test_the_snr_of_a_gain_follows_from_the_gain():
    reference, _ = waves()
    assert metrics.snr(reference, 0.9 * reference) == pytest.approx(20)
    assert metrics.snr_ln(reference, 0.9 * reference) == pytest.approx(10 * math.log(10))


def test_gain_and_offset_do_not_change_si_snr():
    reference, estimate = waves()
    assert metrics.si_snr(reference, -7 * estimate + 0.2) == pytest.approx(
        metrics.si_snr(reference, estimate)
    )
    assert metrics.si_snr(reference, 0.3 * reference - 0.1) > 250


def test_the_errors_of_a_gain_follow_from_the_gain():
    reference = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    assert metrics.mse(reference, 0.9 * reference) == pytest.approx(0.06 * 0.01)
    error = 0.1 * math.sqrt(0.06)
    for norm, spread in (("mean", 0.2), ("sd", math.sqrt(0.02)), ("range", 0.4), ("iqr", 0.2)):
        assert metrics.nrmse(reference, 0.9 * reference, norm) == pytest.approx(error / spread)
    assert metrics.nrmse(reference, 0.9 * reference) == pytest.approx(error / 0.4)
    # Errors of 0 to 0.04.
    assert metrics.nmae_iqr(reference, 0.9 * reference) == pytest.approx(0.02 / 0.2)


def test_a_negative_mean_makes_no_negative_error():
    reference = np.array([-0.3, -0.1])
    error = math.sqrt((0.15**2 + 0.05**2) / 2)
    assert metrics.nrmse(reference, 0.5 * reference, "mean") == pytest.approx(error / 0.2)


def test_an_unknown_norm_is_named():
    with pytest.raises(ValueError, match=r"unknown norm 'max'; choose one of mean, sd, range, iqr"):
        metrics.nrmse(*waves(), norm="max")


def test_lf_and_hf_add_up_to_the_modern_lsd():
    reference, estimate = waves(n=500)  # one frame
    lf, hf = (measure(name, reference, estimate) for name in ("lsd_lf", "lsd_hf"))
    whole = metrics.lsd(reference, estimate)
    assert 256 * lf**2 + 769 * hf**2 == pytest.approx(1025 * whole**2)
    assert lf < whole < hf


def test_kuleshov_and_the_frame_wise_lsd_differ_in_the_order_of_the_means():
    # With one frame, there is no mean over time: the mean of |d| against the root mean square.
    reference, estimate = waves(n=500)
    assert metrics.lsd_kuleshov(reference, estimate) < metrics.lsd_frame_ln(reference, estimate)
    # An error in a few of many frames counts by its root in one, in proportion in the other.
    reference, _ = waves(n=100 * 512)
    estimate = reference.copy()
    estimate[:4096] *= 0.1
    assert metrics.lsd_kuleshov(reference, estimate) > 2 * metrics.lsd_frame_ln(reference, estimate)


def test_without_floors_frame_ln_is_the_modern_lsd_in_other_units():
    reference, _ = waves(amplitude=100)
    estimate, _ = waves(amplitude=100, seed=1)
    assert metrics.lsd_frame_ln(reference, estimate) == pytest.approx(
        math.log(10) * metrics.lsd(reference, estimate), rel=1e-6
    )


def test_bini_measures_a_patch_as_kuleshov_does():
    reference, estimate = waves(n=8192)
    assert metrics.lsd_bini(reference, estimate) == metrics.lsd_kuleshov(reference, estimate)


def test_segmental_snr_of_one_large_patch_is_the_snr_except_for_the_padding():
    reference, estimate = waves(amplitude=100)
    assert metrics.segmental_snr(reference, estimate, patch=len(reference)) == pytest.approx(
        metrics.snr(reference, estimate), rel=1e-6
    )


def test_above_the_band_of_the_reference_an_estimate_is_not_judged():
    rate, rng = 48000, np.random.default_rng(0)
    wave, more = (audio.remove_above(rng.normal(0, 0.1, rate), rate, hz) for hz in (15000, 24000))
    low = audio.remove_above(wave, rate, 8000)
    reference, estimate = (
        wave.astype(np.float64),
        low + more - audio.remove_above(more, rate, 15500),
    )
    given = {"reference": reference, "sample_rate": rate}
    found = metrics.lsd_band(estimate=estimate, **given)
    assert found == pytest.approx(metrics.lsd_band(estimate=low, **given), rel=0.02)
    assert metrics.lsd(reference, estimate) > 1.3 * metrics.lsd(reference, low)
    # The bins up to 15 kHz, of which those up to 8 kHz are equal.
    bins = [int(1025 * hz / 24000) for hz in (8000, 15000)]
    expected = metrics.lsd_hf(reference[:, np.newaxis], low[:, np.newaxis], 8000, rate)
    assert found == pytest.approx(math.sqrt(expected**2 * (1025 - bins[0]) / bins[1]), rel=0.02)


@pytest.mark.parametrize("name", ["segmental_snr", "lsd_bini", "lsd_tfnet"])
def test_patches_ignore_the_rest_and_a_short_wave_is_one_patch(name):
    reference, estimate = waves(n=2 * 8192 + 100)
    broken = estimate.copy()
    broken[2 * 8192 :] = 1
    assert measure(name, reference, broken) == measure(name, reference, estimate)
    short = METRICS[name].function(reference[:100], estimate[:100])
    assert short == METRICS[name].function(reference[:100], estimate[:100], patch=100)


PERFECT = {
    "snr": math.inf,
    "lsd_kuleshov": 1e-4,
    "lsd_bini": 1e-4,
    "si_snr": math.inf,
    "snr_ln": math.inf,
    **dict.fromkeys(["lsd", "lsd_lf", "lsd_hf", "lsd_band", "lsd_frame_ln"], 0),
    **dict.fromkeys(["lsd_ssr_eval", "lsd_tfnet"], 0),
    **dict.fromkeys(["mse", "nrmse_mean", "nrmse_sd", "nrmse_range", "nrmse_iqr", "nmae_iqr"], 0),
    **dict.fromkeys(["apd_ip", "apd_gd", "apd_iaf", "level_hf", "level_hf_loud"], 0),
}


@pytest.mark.parametrize("name", NUMPY)
def test_a_perfect_estimate_has_the_documented_value(name):
    reference, _ = waves(n=8192)
    rms = np.sqrt(np.mean(reference**2))
    expected = PERFECT.get(name, 20 * math.log10(rms) + 60)
    assert measure(name, reference, reference) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", NUMPY)
def test_silence_estimated_perfectly_has_the_documented_value(name):
    silence = np.zeros(8192)
    expected = PERFECT | {"segmental_snr": -160, "lsd_ssr_eval": 12}
    assert measure(name, silence, silence) == pytest.approx(expected[name])


@pytest.mark.parametrize("name", NUMPY)
def test_a_metric_of_silence_against_sound_is_never_nan(name):
    sound, silence = waves(n=8192)[0], np.zeros(8192)
    for pair in ((sound, silence), (silence, sound)):
        assert not math.isnan(measure(name, *pair))
    assert metrics.snr(silence, sound) == metrics.si_snr(silence, sound) == -math.inf
    assert metrics.snr(sound, silence) == 0
    assert metrics.si_snr(sound, silence) == -math.inf
    assert metrics.nrmse(silence, sound) == math.inf


def test_kuleshovs_lsd_is_capped():
    # ln((1e4 * 1024) ^ 2 / 1e-8) is far above 10.
    sound, silence = 1e4 * waves(n=8192)[0], np.zeros(8192)
    assert metrics.lsd_kuleshov(sound, silence) == 10
    assert metrics.lsd_bini(sound, silence) == 10
    assert metrics.lsd_frame_ln(sound, silence) > 10


@pytest.mark.parametrize("name", NUMPY)
def test_several_channels_have_the_mean_of_their_metrics(name):
    left, right = waves(seed=1), waves(amplitude=0.1, seed=2)
    both = (np.stack(pair, axis=1) for pair in zip(left, right, strict=True))
    expected = (measure(name, *left) + measure(name, *right)) / 2
    assert measure(name, *both) == pytest.approx(expected)


@pytest.mark.parametrize("name", NUMPY)
def test_single_precision_waves_are_measured_in_double(name):
    reference, estimate = (w.astype(np.float32) for w in waves())
    expected = measure(name, reference.astype(np.float64), estimate.astype(np.float64))
    assert measure(name, reference, estimate) == expected


@pytest.mark.parametrize(
    ("reference", "estimate", "message"),
    [
        (np.ones(10), np.ones(9), r"\(10,\).*\(9,\)"),
        (np.ones((10, 2)), np.ones((10, 1)), r"\(10, 2\).*\(10, 1\)"),
        (np.ones(10), np.array([1.0] * 9 + [np.nan]), "estimate holds values that are not finite"),
        (np.ones(0), np.ones(0), "reference is empty"),
        (np.ones((1, 10, 1)), np.ones((1, 10, 1)), r"\(n,\) or \(n, channels\)"),
        (np.float64(1), np.float64(1), r"\(n,\) or \(n, channels\)"),
    ],
)
def test_waves_that_cannot_be_compared_are_refused_by_every_metric(reference, estimate, message):
    for name in NUMPY:
        with pytest.raises(ValueError, match=message):
            measure(name, reference, estimate)


@pytest.mark.parametrize("cutoff_hz", [0, 8000, 9000, -5])
def test_a_cutoff_that_leaves_a_band_empty_is_refused(cutoff_hz):
    for function in (metrics.lsd_lf, metrics.lsd_hf, metrics.level_hf):
        with pytest.raises(ValueError, match="empty band"):
            function(*waves(), cutoff_hz=cutoff_hz, sample_rate=SAMPLE_RATE)


def test_evaluate_returns_all_metrics_by_name():
    reference, estimate = waves()
    values = metrics.evaluate(reference, estimate, SAMPLE_RATE, CUTOFF_HZ)
    assert values == {name: measure(name, reference, estimate) for name in NUMPY}


def test_evaluate_without_a_cutoff_skips_or_refuses_metrics_that_need_one():
    values = metrics.evaluate(*waves(), SAMPLE_RATE)
    assert set(NUMPY) - values.keys() == {"lsd_lf", "lsd_hf", "level_hf", "level_hf_loud"}
    with pytest.raises(ValueError, match="lsd_hf needs cutoff_hz"):
        metrics.evaluate(*waves(), SAMPLE_RATE, names=["lsd", "lsd_hf"])
