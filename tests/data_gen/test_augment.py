"""Augmentation: its settings, random filters and faster recordings."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal
from wideband.command import UserError
from wideband.data_gen import augment, degrade
from wideband.data_gen.augment import Augmentation

RATIOS = (*range(2, 9), 12)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("silence_rms", -0.1, "from 0 to below 1"),
        ("silence_rms", 1.0, "from 0 to below 1"),
        ("peak_db", 1.0, "from -100 to 0, or none"),
        ("peak_db", float("nan"), "from -100 to 0"),
        ("gain_db", -1.0, "from 0 to 100"),
        ("gain_db", 1e9, "from 0 to 100"),
        ("gain_db", float("inf"), "from 0 to 100"),
        ("random_lowpass", 1.5, "from 0 to 1"),
        ("random_lowpass", float("nan"), "from 0 to 1"),
        ("speed_perturbation", -0.05, "multiple of 0.05 from 0 to 0.5"),
        # Less than a step would change nothing.
        ("speed_perturbation", 0.02, "multiple of 0.05 from 0 to 0.5"),
        ("speed_perturbation", 0.55, "multiple of 0.05 from 0 to 0.5"),
        ("speed_perturbation", float("nan"), "multiple of 0.05 from 0 to 0.5"),
    ],
)
def test_a_value_out_of_range_is_refused(field, value, allowed):
    with pytest.raises(UserError, match=rf"^{field} {value} .*{allowed}"):
        Augmentation(**{field: value})


@pytest.mark.parametrize("steps", range(11))
def test_speed_perturbation_is_a_number_of_steps(steps):
    assert Augmentation(speed_perturbation=0.05 * steps).speed_steps == steps
    assert Augmentation(speed_perturbation=round(0.05 * steps, 2)).speed_steps == steps


def test_the_default_changes_nothing(noise):
    high, low = noise(400), noise(100, 1)
    arguments = degrade.get("sinc"), 4, np.random.default_rng(0)
    found_high, found_low = Augmentation().perturb(high, low, *arguments)
    np.testing.assert_array_equal(found_high, high)
    np.testing.assert_array_equal(found_low, low)
    assert not Augmentation(gain_db=6.0, silence_rms=0.05).changes_waves


def test_a_low_side_that_the_pipeline_makes_again_is_not_made_before(noise, monkeypatch):
    protocol = replace(degrade.get("sinc"), downsample=lambda *_: pytest.fail("made"))
    monkeypatch.setattr(augment, "decimate_randomly", protocol.downsample)
    high, low = noise(4000), noise(1000, 1)
    changes = Augmentation(random_band=True, random_lowpass=1.0, speed_perturbation=0.5)
    found_high, found_low = changes.perturb(high, low, protocol, 4, np.random.default_rng(1))
    assert len(found_high) < 3900
    np.testing.assert_array_equal(found_low, low)


@pytest.mark.parametrize("ratio", RATIOS)
def test_random_filters_pass_the_band_without_lag_and_stop_what_would_alias(faded_tone, ratio):
    passed = faded_tone(0.4 / ratio, 1600 * ratio)
    stopped = faded_tone(1.6 / ratio, 1600 * ratio)
    for seed in range(20):
        low = augment.decimate_randomly(passed, ratio, np.random.default_rng(seed))
        assert low.dtype == np.float32 and len(low) == 1600
        scale = np.dot(low, passed[::ratio]) / np.dot(passed[::ratio], passed[::ratio])
        np.testing.assert_allclose(low, scale * passed[::ratio], atol=1e-3)
        # The ripple is at most half a decibel in each direction.
        assert 10 ** (-1.01 / 20) < scale < 1.01
        low = augment.decimate_randomly(stopped, ratio, np.random.default_rng(seed))
        assert np.std(low) < 0.1 * np.std(stopped)


def test_random_filters_differ_near_the_end_of_the_band_and_depend_on_the_seed(noise):
    wave = noise(8000)

    def level(seed, edge):
        low = augment.decimate_randomly(wave, 4, np.random.default_rng(seed))
        power = np.abs(np.fft.rfft(low)) ** 2
        return 10 * np.log10(np.mean(power[edge]))

    edge, middle = slice(900, 1000), slice(300, 400)
    levels = [level(seed, edge) - level(seed, middle) for seed in range(20)]
    assert np.ptp(levels) > 20
    assert levels == [level(seed, edge) - level(seed, middle) for seed in range(20)]


def test_random_filters_take_waves_of_any_length(noise):
    for n in (4, 40, 400):
        for seed in range(4):
            low = augment.decimate_randomly(noise(n), 4, np.random.default_rng(seed))
            assert low.shape == (n // 4,)
            assert np.isfinite(low).all()


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_faster_wave_is_higher_and_fills_its_band(noise, steps):
    speed = 1 + 0.05 * steps
    wave = np.sin(0.3 * np.arange(2**14))
    faster = augment.speed_up(wave, steps)
    assert faster.dtype == np.float32
    assert len(faster) == pytest.approx(len(wave) / speed, abs=1)
    expected = np.sin(0.3 * speed * np.arange(len(faster)))
    np.testing.assert_allclose(faster[100:-100], expected[100:-100], atol=2e-3)
    _, power = signal.welch(augment.speed_up(noise(2**18), steps), nperseg=512)
    level_db = 10 * np.log10(power / power[10:100].mean())
    # Folded content adds to the band. An anti-aliasing filter would leave -20 dB and less.
    assert level_db[5:-1].min() > -3 and level_db[5:-1].max() < 4
