"""The phase distances, compared with formulas and for delays, gains and unrelated waves."""

import math

import librosa
import numpy as np
import pytest
from wideband.evaluate import metrics


def noises(n):
    """Two unrelated waves."""
    return np.random.default_rng(0).standard_normal((2, n))


def rotations(reference, estimate):
    """The phase difference as a point of the unit circle, (bins, frames)."""
    y, p = (
        librosa.stft(w, n_fft=2048, hop_length=512, pad_mode="reflect")
        for w in (reference, estimate)
    )
    return y / p / np.abs(y / p)


def angular_frequency(reference, estimate):
    turned = rotations(reference, estimate)
    turned = np.hstack([turned[:, :1], turned[:, 1:] / turned[:, :-1]])
    return np.sqrt((np.angle(turned) ** 2).mean(axis=0)).mean()


def group_delay(reference, estimate):
    turned = rotations(reference, estimate)
    turned = np.vstack([turned[:1], turned[1:] / turned[:-1]])
    # As published: over time first.
    return np.sqrt((np.angle(turned) ** 2).mean(axis=1)).mean()


@pytest.mark.parametrize(
    ("metric", "formula"), [(metrics.apd_iaf, angular_frequency), (metrics.apd_gd, group_delay)]
)
def test_a_distance_of_many_blocks_equals_its_formula(metric, formula):
    reference, noise = noises(100_000)
    estimate = reference + 0.3 * noise
    assert metric(reference, estimate) == pytest.approx(formula(reference, estimate), rel=1e-9)


def test_the_group_delay_distance_is_proportional_to_a_delay():
    # One click in 156 of 161 windows, none in those at the ends.
    clicks = np.zeros(40 * 2048)
    clicks[1280:-2048:2048] = 1
    one, four = (metrics.apd_gd(clicks, np.roll(clicks, delay)) for delay in (1, 4))
    # The root of the mean over time.
    assert one == pytest.approx(2 * np.pi / 2048 * math.sqrt(156 / 161), rel=1e-3)
    assert four / one == pytest.approx(4)
    # All windows have the same delay.
    assert metrics.apd_iaf(clicks, np.roll(clicks, 4)) < 0.02 * metrics.apd_ip(
        clicks, np.roll(clicks, 4)
    )


def test_unrelated_phases_have_the_distance_of_uniform_phases():
    first, second = noises(60_000)
    assert metrics.apd_ip(first, second) == pytest.approx(np.pi / math.sqrt(3), rel=0.02)


def test_phases_depend_on_polarity_but_not_on_gain():
    reference, _ = noises(20_000)
    assert metrics.apd_ip(reference, 0.3 * reference) == pytest.approx(0, abs=1e-6)
    assert metrics.apd_ip(reference, -reference) == pytest.approx(np.pi)
