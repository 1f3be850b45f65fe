"""The short sinc of torchaudio, compared with numbers that torchaudio 2.11 computed."""

from fractions import Fraction

import numpy as np
import pytest
from wideband.audio.hann_sinc import resample_hann

# torchaudio.functional.resample(wave, old rate, new rate), without other arguments: the first and
# the last samples.
TORCHAUDIO = {
    (2, 1): (30, [-0.64440, -0.23418, -0.84839, -0.01531, 0.69349], [0.18730, 0.38425, 0.34991]),
    (4, 1): (15, [-0.36014, -0.55274, 0.53657, -0.24869, -0.69363], [0.35625, 0.54518, 0.31995]),
    (8, 1): (8, [-0.32296, 0.01956, -0.38010, 0.40142, 0.20243], [-0.00112, 0.29699, 0.36147]),
    (6, 1): (10, [-0.47342, 0.04565, -0.12401, -0.46850, 0.61532], [0.05701, 0.22927, 0.51882]),
    (1, 2): (120, [-0.93618, -1.02622, -0.62454, -0.08340, 0.12337], [0.25412, -0.24334, -0.27089]),
    (1, 3): (
        180,
        [-0.93618, -1.05629, -0.93730, -0.62454, -0.24676],
        [-0.24334, -0.31666, -0.19004],
    ),
    (1, 8): (
        480,
        [-0.93618, -1.00780, -1.04818, -1.05455, -1.02622],
        [-0.21242, -0.14300, -0.07170],
    ),
    (441, 160): (
        22,
        [-0.39719, -0.55897, -0.36690, 0.85745, -0.18451],
        [0.53810, 0.29617, 0.32575],
    ),
    (160, 441): (
        166,
        [-0.93618, -1.05546, -0.89327, -0.52411, -0.12767],
        [-0.30341, -0.27044, -0.07786],
    ),
    (3, 2): (40, [-0.81711, -0.24960, -0.39703, -0.99453, 0.07646], [0.37671, 0.42849, 0.27217]),
}


@pytest.fixture(scope="module")
def wave():
    k = np.arange(60)
    return ((7 * k**2 + 3 * k) % 61 - 30) / 32


@pytest.mark.parametrize(("rates", "expected"), TORCHAUDIO.items())
def test_it_has_the_output_of_torchaudio(rates, expected, wave):
    length, start, end = expected
    found = resample_hann(wave, Fraction(rates[1], rates[0]))
    assert found.dtype == np.float32
    assert len(found) == length
    np.testing.assert_allclose(found[: len(start)], start, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[-len(end) :], end, rtol=0, atol=1e-5)


def test_a_long_wave_is_computed_in_parts_without_seams(noise, monkeypatch):
    wave = noise(5000)
    whole = resample_hann(wave, Fraction(1, 3))
    monkeypatch.setattr("wideband.audio.hann_sinc.AT_ONCE", 1000)
    np.testing.assert_allclose(resample_hann(wave, Fraction(1, 3)), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("ratio", [2, Fraction(1, 2), Fraction(441, 160)])
def test_an_empty_wave_stays_empty(ratio):
    assert resample_hann(np.zeros(0), ratio).shape == (0,)
