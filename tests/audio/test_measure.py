"""Measured properties of recordings, and which recordings are unfit for training."""

import numpy as np
import pytest
import soundfile
from wideband.audio import measure
from wideband.command import UserError

RATE = 16000


def noise():
    """Three seconds of noise."""
    return (0.1 * np.random.default_rng(0).standard_normal(3 * RATE)).astype(np.float32)


def facts(tmp_path, wave, rate=RATE, name="a.wav", subtype=None):
    soundfile.write(tmp_path / name, wave, rate, subtype=subtype)
    return measure.measure(tmp_path / name)


def test_the_measurements_equal_those_of_numpy(tmp_path):
    rng = np.random.default_rng(0)
    # Longer than a block of the pass over the file, and not a multiple of one.
    wave = (0.1 * rng.standard_normal((23 * 8000 + 17, 2)) + [0.05, 0.01]).astype(np.float32)
    wave[100:140, 0] = 1.0
    wave[7, 1] = -1.25
    found = facts(tmp_path, wave, 8000, subtype="FLOAT")
    mix = wave.astype(np.float64).mean(axis=1)
    assert (found.frames, found.sample_rate, found.channels) == (len(wave), 8000, 2)
    assert found.seconds == len(wave) / 8000
    assert found.peak == 1.25
    assert found.rms == pytest.approx(np.sqrt(np.mean(mix**2)), rel=1e-6)
    assert found.dc == pytest.approx(mix.mean(), rel=1e-5)
    assert found.clipped == 41 / wave.size
    assert found.finite


def test_the_progress_is_the_duration_of_each_block(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(23 * 8000), 8000)
    seconds = []
    measure.measure(tmp_path / "a.wav", seconds.append)
    assert seconds == [10, 10, 3]


def test_huge_samples_are_finite_and_unfit_for_training(tmp_path):
    wave = noise()
    wave[1000] = 1e38
    found = facts(tmp_path, np.stack([wave, wave], axis=1), subtype="FLOAT")
    assert found.finite
    assert np.isfinite([found.peak, found.rms, found.dc, found.bandwidth_hz]).all()
    assert measure.reason_to_skip(found, RATE, 256) == "damaged: peak of 1e+38, full scale is 1"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_found_and_affect_no_other_measurement(tmp_path, bad):
    wave = noise()
    clean = facts(tmp_path, wave, subtype="FLOAT")
    wave[1000] = bad
    found = facts(tmp_path, wave, subtype="FLOAT")
    assert not found.finite
    assert np.isfinite([found.peak, found.rms, found.dc, found.bandwidth_hz]).all()
    assert found.rms == pytest.approx(clean.rms, rel=1e-3)
    assert measure.reason_to_skip(found, RATE, 256) == "not finite: holds NaN or infinity"


def test_an_unreadable_file_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("words")
    with pytest.raises(UserError, match="not readable as audio"):
        measure.measure(tmp_path / "a.wav")


@pytest.mark.parametrize("n", [1, 100, 511, 513])
def test_the_shortest_recordings_are_measured(tmp_path, n):
    found = facts(tmp_path, noise()[4000 : 4000 + n])
    assert found.frames == n
    assert 0 <= found.bandwidth_hz <= RATE / 2


def test_a_recording_without_samples_is_short_not_an_error(tmp_path):
    found = facts(tmp_path, np.zeros(0))
    assert measure.reason_to_skip(found, RATE, 256) == "short: 0 samples, a patch has 256"


# fitness for training


def reason_for(**changes):
    good = measure.Facts(32000, 16000, 1, 0.5, 0.1, 0.0, 0.0, True, 8000.0, 8000.0)
    return measure.reason_to_skip(good._replace(**changes), 16000, 256)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"frames": 255}, "short: 255 samples, a patch has 256"),
        ({"frames": 256}, ""),
        # 703 samples at 44.1 kHz are 255 at 16 kHz.
        (
            {
                "frames": 703,
                "sample_rate": 44100,
                "bandwidth_hz": 22050,
                "usual_bandwidth_hz": 22050,
            },
            "short: 255 samples, a patch has 256",
        ),
        (
            {
                "frames": 705,
                "sample_rate": 44100,
                "bandwidth_hz": 22050,
                "usual_bandwidth_hz": 22050,
            },
            "",
        ),
        ({"rms": 9e-5}, "silent: RMS 0.00009, DC 0.00000"),
        ({"rms": 2e-4}, ""),
        # An offset alone is silence.
        ({"rms": 0.05, "dc": 0.05}, "silent: RMS 0.05000, DC 0.05000"),
        ({"clipped": 0.032}, "clipped: 3.2 % of samples at full scale"),
        ({"clipped": 0.0009}, ""),
        (
            {"sample_rate": 8000, "bandwidth_hz": 4000},
            "low rate: 8000 Hz, the dataset has 16000 Hz",
        ),
        ({"bandwidth_hz": 3900}, "narrow: bandwidth 3900 Hz of 8000 Hz"),
        # A wide voice speaks for less than half of the time.
        ({"usual_bandwidth_hz": 3900}, "narrow: bandwidth 3900 Hz of 8000 Hz"),
        ({"bandwidth_hz": 6390}, "narrow: bandwidth 6390 Hz of 8000 Hz"),
        ({"bandwidth_hz": 6410}, ""),
        # The dataset does not need the band of a 44.1 kHz recording above 8 kHz.
        ({"sample_rate": 44100, "bandwidth_hz": 7500}, ""),
        (
            {"sample_rate": 44100, "bandwidth_hz": 6000},
            "narrow: bandwidth 6000 Hz of 8000 Hz",
        ),
        ({"finite": False}, "not finite: holds NaN or infinity"),
    ],
)
def test_the_reason_to_skip_a_recording_has_the_measured_value(changes, reason):
    assert reason_for(**changes) == reason


def test_recordings_of_limited_band_are_fit_if_the_caller_says_so():
    facts = measure.Facts(32000, 16000, 1, 0.5, 0.1, 0.0, 0.0, True, 3900.0, 3900.0)
    assert measure.reason_to_skip(facts, 48000, 256, least_band_hz=0.0) == ""
    assert measure.reason_to_skip(facts, 48000, 96001, least_band_hz=0.0).startswith("short: ")


@pytest.mark.parametrize(
    ("rate", "bandwidth", "end"),
    [(44100, 15000, 15000), (44100, 21500, None), (48000, 21500, 21500), (16000, 7900, None)],
)
def test_a_narrow_band_ends_below_that_of_its_rate_and_of_the_dataset(rate, bandwidth, end):
    facts = measure.Facts(rate, rate, 1, 0.5, 0.1, 0.0, 0.0, True, bandwidth, bandwidth)
    assert measure.narrow_end_hz(facts, 48000) == end
