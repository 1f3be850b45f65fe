"""Short-time spectra, compared with SciPy."""

import numpy as np
import pytest
from scipy import signal
from wideband.audio import spectra


@pytest.mark.parametrize("length", [2, 255, 512])
def test_the_window_is_the_periodic_hann_window(length):
    np.testing.assert_allclose(spectra.hann(length), signal.get_window("hann", length), atol=1e-15)


@pytest.mark.parametrize(("length", "hop"), [(512, 128), (372, 93), (64, 100)])
def test_frames_begin_at_the_first_sample_and_end_before_the_last(noise, length, hop):
    wave = noise(2000)
    found = spectra.stft(wave, length, hop)
    starts = range(0, 2000 - length + 1, hop)
    window = signal.get_window("hann", length)
    expected = np.array([np.fft.rfft(wave[k : k + length] * window) for k in starts])
    assert found.dtype == np.complex128
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_centred_frames_are_those_of_scipys_even_extension(noise):
    wave = noise(4000).astype(np.float64)
    found = spectra.stft(spectra.centre(wave, 512), 512, 128)
    window = signal.get_window("hann", 512)
    _, _, expected = signal.stft(
        wave, window=window, nperseg=512, noverlap=384, boundary="even", padded=False
    )
    np.testing.assert_allclose(found, expected.T * window.sum(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("n", [512, 512 + 127, 512 + 15 * 128, 512 + 16 * 128, 20000])
def test_blocks_join_to_the_spectra_of_the_whole(noise, n):
    blocks = list(spectra.stft_blocks(noise(n), 512, 128))
    assert all(len(block) == spectra.BLOCK_FRAMES for block in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate(blocks), spectra.stft(noise(n), 512, 128))
