"""AudioSR's stages outside the networks, compared with librosa and with slow formulas."""

import librosa
import numpy as np
import pytest
from wideband.command import UserError
from wideband.upsample import audiosr_stages as stages
from wideband.upsample.low_bins import restore_low_band


def test_recordings_lose_their_mean_and_get_a_peak_of_a_half():
    found = stages.normalize(np.float32([0.1, 0.3, 0.2, 0.2]))
    np.testing.assert_allclose(found, [-0.5, 0.5, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(stages.normalize(np.zeros(4)), 0)
    np.testing.assert_allclose(stages.finish(np.array([0.0, 1.0, 0.5, 0.5])), [-0.25, 0.25, 0, 0])


@pytest.mark.parametrize(
    ("seconds", "padded"),
    [(6.0, 10.24), (5.12, 5.12), (10.24, 10.24), (15.36, 15.36), (0.01, 5.12), (25.6, 30.72)],
)
def test_the_padding_repeats_the_rounding_of_upstream(seconds, padded):
    """25.6 % 5.12 is 9e-16, which is not zero."""
    assert stages.padded_length(round(seconds * 48000)) == round(padded * 48000)


def test_the_cutoff_is_a_fraction_of_1024_bins():
    magnitudes = np.zeros((3, 1025))
    magnitudes[:, :401] = 1.0
    # 394 of 401 bins have 0.9825 of the sum, 395 have 0.98504.
    assert stages.cutoff_hz(magnitudes) == 393 / 1024 * 24000
    with pytest.raises(UserError, match="finds a band up to 0 Hz, and takes recordings from 1000"):
        stages.cutoff_hz(np.zeros((3, 1025)))


@pytest.mark.parametrize(("gain", "ratio"), [(1.0, 1.0), (1.1, 1 / 1.1), (3.0, 0.8), (0.1, 1.2)])
def test_the_low_band_is_the_inputs_at_the_level_of_the_generated_wave(gain, ratio):
    rng = np.random.default_rng(0)
    low = rng.normal(0, 0.1, 9600)
    spectrum = np.fft.rfft(low)
    spectrum[1600:] = 0  # 8 kHz
    low = np.fft.irfft(spectrum)
    wave = np.append(gain * low, np.zeros(16)) + rng.normal(0, 0.001, 9616)
    found = restore_low_band(wave, low)
    # The same with librosa's transforms.
    original, generated = (librosa.stft(each) for each in (low, wave))
    magnitudes = np.abs(original).sum(axis=1).cumsum()
    row = np.flatnonzero(magnitudes < 0.985 * magnitudes[-1])[-1]
    assert 300 < row < 342
    level = np.abs(original[row]).sum() / np.abs(generated[row]).sum()
    assert np.clip(level, 0.8, 1.2) == pytest.approx(ratio, rel=0.05)
    generated[:row] = original[:row] / np.clip(level, 0.8, 1.2)
    expected = librosa.istft(generated, length=9616)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
