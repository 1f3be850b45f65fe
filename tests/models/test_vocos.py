"""Vocos: sizes, initial weights, and the whole network compared with a reference in NumPy."""

import math

import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.models.features import log_mel


@pytest.mark.parametrize(
    ("mel", "parameters", "sample_rate", "multiple"),
    [("seed", 13_459_970, 22050, 512), ("vocos24", 13_531_650, 24000, 1024)],
)
def test_it_has_the_published_number_of_parameters(outline, mel, parameters, sample_rate, multiple):
    network = outline("vocos", mel=mel)
    assert network.count_params() == parameters
    assert (network.wants, network.sample_rate) == ("high", sample_rate)
    # Nine convolutions of 7 frames, half a frame of the analysis and of the synthesis.
    assert (network.multiple, network.context) == (multiple, 9 * 3 * 256 + 1280)


def test_layers_have_the_published_sizes(outline):
    vocoder = outline("vocos").get_layer("vocoder")

    def shapes(name):
        return [weight.shape for weight in vocoder.get_layer(name).weights]

    assert shapes("mel_first") == [(7, 80, 512), (512,)]
    for k in range(8):
        assert shapes(f"block_{k}_depthwise") == [(7, 512, 1), (512,)]
        assert shapes(f"block_{k}_norm") == [(512,), (512,)]
        assert shapes(f"block_{k}_expand") == [(512, 1536), (1536,)]
        assert shapes(f"block_{k}_project") == [(1536, 512), (512,)]
        assert shapes(f"block_{k}_scale") == [(512,)]
    assert shapes("mel_last") == [(512, 1026), (1026,)]
    norms = ["mel_first_norm", "mel_last_norm", *(f"block_{k}_norm" for k in range(8))]
    assert {vocoder.get_layer(name).epsilon for name in norms} == {1e-6}


def test_initial_weights_are_those_of_the_published_code():
    seed_networks(0)
    vocoder = models.build("vocos", width=0.25, blocks=4).get_layer("vocoder")
    for name in ("mel_first", "block_0_depthwise", "block_3_expand", "block_2_project"):
        kernel, bias = map(np.asarray, vocoder.get_layer(name).weights)
        assert kernel.std() == pytest.approx(0.02, rel=0.05)
        assert not bias.any()
    np.testing.assert_array_equal(vocoder.get_layer("block_3_scale").weights[0], np.float32(1 / 4))
    for weight in map(np.asarray, vocoder.get_layer("mel_last").weights):
        # PyTorch's default.
        assert np.abs(weight).max() == pytest.approx(128**-0.5, rel=0.05)
        assert weight.std() == pytest.approx((3 * 128) ** -0.5, rel=0.1)


def reference_spectrum(mel, vocoder, blocks, conv):
    """The backbone and the head, frame by frame: (frames, bands) to complex (frames, 513)."""

    def weights(name):
        return [np.asarray(each, np.float64) for each in vocoder.get_layer(name).get_weights()]

    def norm(x, name):
        scale, offset = weights(name)
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-6) * scale + offset

    def dense(x, name):
        kernel, bias = weights(name)
        return x @ kernel + bias

    x = norm(conv(mel, *weights("mel_first")), "mel_first_norm")
    for k in range(blocks):
        kernel, bias = weights(f"block_{k}_depthwise")
        padded = np.pad(x, ((3, 3), (0, 0)))
        y = np.array([(padded[t : t + 7] * kernel[:, :, 0]).sum(axis=0) for t in range(len(x))])
        y = dense(norm(y + bias, f"block_{k}_norm"), f"block_{k}_expand")
        y = 0.5 * y * (1 + np.vectorize(math.erf)(y / np.sqrt(2)))
        x = x + weights(f"block_{k}_scale")[0] * dense(y, f"block_{k}_project")
    magnitude, phase = np.split(dense(norm(x, "mel_last_norm"), "mel_last"), 2, axis=1)
    return np.minimum(np.exp(magnitude), 100) * np.exp(1j * phase)


def overlapped(spectrum, cut):
    """Adds up frames, divided by the sum of the squared windows, without `cut` samples per end."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    added, weight = np.zeros((2, 256 * (len(spectrum) - 1) + 1024))
    for k, bins in enumerate(spectrum):
        added[256 * k : 256 * k + 1024] += hann * np.fft.irfft(bins)
        weight[256 * k : 256 * k + 1024] += hann**2
    return (added[cut:-cut] / weight[cut:-cut])[:, np.newaxis]


@pytest.mark.parametrize(("mel", "cut"), [("seed", 384), ("vocos24", 512), ("nyquist", 384)])
def test_output_equals_a_numpy_reference(mel, cut, randomized, reference, waves):
    network = randomized("vocos", mel=mel, width=0.05, blocks=2)
    vocoder, wave = network.get_layer("vocoder"), waves(3072)[:1]
    features = log_mel(wave[0, :, 0], mel).astype(np.float64)
    spectrum = reference_spectrum(features, vocoder, 2, reference.conv)
    # The bound of the magnitudes is reached.
    assert (np.abs(spectrum) > 99.999).any() and (np.abs(spectrum) < 50).any()
    found = np.asarray(network(wave))[0]
    assert found.shape == (3072, 1)
    reference.assert_close(found, overlapped(spectrum, cut))


@pytest.mark.parametrize("mel", ["seed", "vocos24"])
def test_its_training_compares_mel_spectrograms_of_centred_frames(mel, randomized, waves):
    network = randomized("vocos", mel=mel, width=0.05, blocks=1)
    outputs = network.generate(waves(2048), waves(2048))
    np.testing.assert_allclose(outputs["wave"], network(waves(2048)), rtol=0, atol=1e-6)
    target = network.target(waves(2048))
    np.testing.assert_array_equal(target["wave"], waves(2048))
    assert outputs["mel"].shape == target["mel"].shape == (2, 9, {"seed": 80}.get(mel, 100))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": 0}, "blocks 0 must be at least 1"),
        ({"mel": "htk"}, "unsupported mel 'htk'; choose one of seed, hifigan, vocos24, nyquist"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=f"^vocos: {message}"):
        models.build("vocos", **arguments)
