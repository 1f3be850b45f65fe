"""Sample formats and channels."""

import numpy as np
from wideband import audio


def test_mono_is_the_mean_of_the_channels(noise):
    wave = noise(32000).reshape(16000, 2)
    np.testing.assert_allclose(audio.mono(wave), (wave[:, 0] + wave[:, 1]) / 2, atol=1e-8)
    np.testing.assert_array_equal(audio.mono(wave[:, 0]), wave[:, 0])


def test_samples_are_rounded_to_16_bits_clipped_and_restored_exactly():
    wave = np.array([0, 0.4, 0.6, -0.6, 32767, 32767.6, 40000, -32768, -40000]) / 32768
    samples = audio.to_int16(wave.astype(np.float32))
    assert samples.dtype == np.int16
    assert samples.tolist() == [0, 0, 1, -1, 32767, 32767, 32767, -32768, -32768]
    every = np.arange(-32768, 32768).astype(np.int16)
    assert audio.from_int16(every).dtype == np.float32
    np.testing.assert_array_equal(audio.to_int16(audio.from_int16(every)), every)
