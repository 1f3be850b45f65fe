"""WB-PESQ, STOI, ViSQOL and DNSMOS: their best scores, their order and their limits."""

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt
from wideband import audio
from wideband.evaluate import metrics
from wideband.evaluate.metrics import NotApplicableError
from wideband.evaluate.metrics.perceptual import METRICS

# These metrics take seconds.
pytestmark = pytest.mark.slow

SAMPLE_RATE = 16000


def speech(seconds=2.0, sample_rate=SAMPLE_RATE):
    """Alternating syllables of a gliding voice and of hiss, over a little noise."""
    rng = np.random.default_rng(0)
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    pitch = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * 1.3 * t)) / sample_rate
    voice = sum(
        np.cos(k * pitch) / (1 + ((130 * k - formant) / 150) ** 2)
        for k in range(1, 40)
        for formant in (500, 1500, 2500)
    )
    beat = np.sin(2 * np.pi * 2.5 * t)
    wave = voice * np.clip(beat, 0, 1) + rng.standard_normal(len(t)) * np.clip(-beat, 0.01, 1)
    return 0.1 * wave


def low_passed(wave, cutoff_hz, sample_rate=SAMPLE_RATE):
    return sosfiltfilt(butter(8, cutoff_hz, fs=sample_rate, output="sos"), wave)


def measure(name, reference, estimate, sample_rate=SAMPLE_RATE):
    return METRICS[name].function(reference, estimate, sample_rate)


# ViSQOL's scores are those of Google's tests: a perfect castanets48 has 4.732 in audio mode.
@pytest.mark.parametrize(
    ("name", "top"),
    [("pesq", 4.644), ("stoi", 1), ("visqol_audio", 4.7321), ("visqol_speech", 5)],
)
def test_a_perfect_estimate_has_the_best_score_at_every_level(name, top):
    wave = speech()
    assert measure(name, wave, wave) == pytest.approx(top, abs=1e-3)
    assert measure(name, wave, 0.3 * wave) == pytest.approx(top, abs=1e-3)


WITH_REFERENCE = [name for name, metric in METRICS.items() if metric.needs_reference]
DNSMOS = [name for name in METRICS if name not in WITH_REFERENCE]


@pytest.mark.parametrize("name", WITH_REFERENCE)
def test_a_lower_cutoff_has_a_lower_score(name):
    # Below 1.5 kHz, little of these sounds is left, and ViSQOL's audio mode is erratic.
    wave = speech()
    values = [measure(name, wave, low_passed(wave, cutoff)) for cutoff in (6000, 3000, 1500)]
    assert values[0] > values[1] > values[2]
    assert values[0] - values[2] > 0.1


def test_channels_are_measured_separately_and_averaged():
    wave = speech()
    both = np.stack([wave, wave], axis=1)
    estimate = np.stack([wave, low_passed(wave, 1000)], axis=1)
    expected = (1 + measure("stoi", wave, low_passed(wave, 1000))) / 2
    assert measure("stoi", both, estimate) == pytest.approx(expected)


def test_pesq_is_that_of_waves_resampled_to_16_khz():
    wave = speech(sample_rate=22050)
    waves = (wave, wave + 0.01 * np.random.default_rng(0).normal(size=len(wave)))
    resampled = (audio.resample(each, 22050, 16000) for each in waves)
    assert 1.1 < measure("pesq", *waves, 22050) < 4.6
    assert measure("pesq", *waves, 22050) == pytest.approx(measure("pesq", *resampled))


def test_audio_mode_takes_every_rate_and_depends_on_the_band_above_8_khz():
    wave = speech(sample_rate=48000)
    assert measure("visqol_audio", wave, wave, 48000) == pytest.approx(4.7321, abs=1e-3)
    assert measure("visqol_audio", wave, low_passed(wave, 8000, 48000), 48000) < 4.5


SILENCE, SHORT, SAMPLE = np.zeros(SAMPLE_RATE), speech(0.05), np.array([0.5])
CHIRP = 0.3 * np.sin(np.cumsum(np.linspace(0.05, 2.5, SAMPLE_RATE // 2)))
LIMITS = {
    "another rate": (
        ["visqol_speech", *DNSMOS],
        (speech(), speech(), 22050),
        "needs 16000 Hz, not 22050",
    ),
    "a rate too low for PESQ": (["pesq"], (speech(), speech(), 8000), "at least 16000 Hz, not 8"),
    "a rate too low": (["stoi"], (speech(), speech(), 4000), "at least 8000 Hz"),
    "a silent reference": (
        WITH_REFERENCE,
        (SILENCE, speech(1), 16000),
        "the reference is silent",
    ),
    "a silent estimate": (
        ["pesq", "visqol_audio", "visqol_speech", *DNSMOS],
        (speech(1), SILENCE, 16000),
        "the estimate is silent",
    ),
    "no speech": (["visqol_speech"], (CHIRP, CHIRP, 16000), "no speech"),
    "a short wave": (WITH_REFERENCE, (SHORT, SHORT, 16000), "short|second"),
    "one sample": (WITH_REFERENCE, (SAMPLE, SAMPLE, 16000), "short|second"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_metric_that_is_not_defined_says_why(limit):
    names, (reference, estimate, sample_rate), message = LIMITS[limit]
    for name in names:
        with pytest.raises(NotApplicableError, match=message):
            measure(name, reference, estimate, sample_rate)
        value = metrics.evaluate(reference, estimate, sample_rate, names=[name])[name]
        assert np.isnan(value)


@pytest.mark.filterwarnings("error")
def test_the_stoi_of_silence_is_0_without_a_warning():
    assert measure("stoi", speech(1), SILENCE) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_waves_that_cannot_be_compared_are_refused(name):
    wave = speech(1)
    with pytest.raises(ValueError, match="must be equal"):
        measure(name, wave, wave[:-1])
    with pytest.raises(ValueError, match="not finite"):
        measure(name, wave, np.full_like(wave, np.nan))
