"""iSTFTNet: sizes, and the end of the network compared with a reference in NumPy."""

import keras
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models.weight_norm import folded


def test_it_has_the_published_number_of_parameters(outline):
    network = outline("istftnet")
    assert network.count_params() == 13_254_034
    assert outline("istftnet", weight_norm=True).count_params() == 13_262_244
    assert (network.wants, network.sample_rate, network.multiple) == ("high", 22050, 512)


def test_layers_have_the_published_sizes(outline):
    vocoder = outline("istftnet").get_layer("vocoder")

    def shape(name):
        return tuple(vocoder.get_layer(name).kernel.shape)

    assert (shape("first"), shape("last")) == ((7, 80, 512), (7, 128, 18))
    assert (shape("up_0"), shape("up_1")) == ((16, 256, 512), (16, 128, 256))
    assert shape("stage_1_block_2_plain_2") == (11, 128, 128)


def test_its_end_equals_a_numpy_reference(randomized, reference):
    """The layers before are those of HiFi-GAN."""
    network = randomized("istftnet", width=0.02)
    vocoder = network.get_layer("vocoder")
    mel = np.random.default_rng(0).normal(0, 1, (1, 3, 80)).astype(np.float32)
    # The first sample is mirrored before the last convolution, so the sum begins at the second.
    before = keras.Model(vocoder.inputs[0], vocoder.get_layer("last").input)
    x = np.asarray(before(mel), np.float64)[0]
    assert x.shape == (3 * 64 + 1, 3)
    np.testing.assert_array_equal(x[0], x[2])
    kernel, bias = (np.asarray(each, np.float64) for each in vocoder.get_layer("last").weights)
    parts = reference.conv(x, kernel, bias)
    spectrum = np.exp(parts[:, :9]) * np.exp(1j * np.sin(parts[:, 9:]))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(16) / 16)
    added, weight = np.zeros((2, 4 * len(spectrum) + 12))
    for k, bins in enumerate(spectrum):
        added[4 * k : 4 * k + 16] += hann * np.fft.irfft(bins)
        weight[4 * k : 4 * k + 16] += hann**2
    expected = (added[8:-8] / weight[8:-8])[:, np.newaxis]
    found = np.asarray(vocoder(mel))[0]
    assert found.shape == (768, 1)
    reference.assert_close(found, expected)


def test_without_weight_normalization_the_output_is_the_same(randomized, waves):
    network = randomized("istftnet", width=0.02, weight_norm=True)
    expected = np.asarray(network(waves(512)))
    np.testing.assert_allclose(folded(network)(waves(512)), expected, rtol=0, atol=1e-5)


def test_impossible_arguments_are_refused():
    message = "^istftnet: unsupported mel 'vocos24'; choose one of seed, hifigan, nyquist$"
    with pytest.raises(UserError, match=message):
        models.build("istftnet", mel="vocos24")
