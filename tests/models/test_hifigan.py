"""HiFi-GAN: sizes, initial weights, weight normalization, and a reference in NumPy."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.models.audiosr_vocoder import generator
from wideband.models.features import MELS, log_mel
from wideband.models.weight_norm import WeightNormConv1D, WeightNormConv1DTranspose, folded

# From config_v1.json and config_v3.json, where V2 has the layers of V1, and from AudioSR's code.
# Rates and taps of the transposed convolutions, taps and dilations of the residual blocks.
CONFIGS = {
    "V1": ((8, 8, 2, 2), (16, 16, 4, 4), (3, 7, 11), [(1, 3, 5)] * 3),
    "V3": ((8, 8, 4), (16, 16, 8), (3, 5, 7), [(1, 2), (2, 6), (3, 12)]),
    "AudioSR": ((6, 5, 4, 2, 2), (12, 10, 8, 4, 4), (3, 7, 11, 15), [(1, 3, 5)] * 4),
}


@pytest.mark.parametrize(
    ("variant", "plain", "normalized"),
    [
        ("V1", 13_926_017, 13_936_130),
        ("V2", 925_985, 928_514),
        ("V3", 1_462_273, 1_464_322),
    ],
)
def test_it_has_the_published_number_of_parameters(outline, variant, plain, normalized):
    assert outline("hifigan", variant=variant).count_params() == plain
    network = outline("hifigan", variant=variant, weight_norm=True)
    assert network.count_params() == normalized
    assert (network.wants, network.sample_rate, network.multiple) == ("high", 22050, 512)


def test_layers_of_v1_have_the_published_sizes(outline):
    vocoder = outline("hifigan").get_layer("vocoder")
    assert vocoder.output_shape == (None, None, 1)

    def shape(name):
        return tuple(vocoder.get_layer(name).kernel.shape)

    assert (shape("first"), shape("last")) == ((7, 80, 512), (7, 32, 1))
    for stage, (channels, taps) in enumerate(zip((256, 128, 64, 32), (16, 16, 4, 4), strict=True)):
        assert shape(f"up_{stage}") == (taps, channels, 2 * channels)
        for block, taps in enumerate((3, 7, 11)):
            for step, dilation in enumerate((1, 3, 5)):
                name = f"stage_{stage}_block_{block}"
                for kind, expected in (("dilated", dilation), ("plain", 1)):
                    layer = vocoder.get_layer(f"{name}_{kind}_{step}")
                    assert (tuple(layer.kernel.shape), layer.dilation_rate) == (
                        (taps, channels, channels),
                        (expected,),
                    )


def test_initial_weights_are_uniform_as_in_pytorch():
    seed_networks(0)
    vocoder = models.build("hifigan", variant="V3", width=0.5).get_layer("vocoder")
    # Taps times channels; PyTorch counts the outputs of a transposed convolution.
    for name, fan_in in (
        ("first", 7 * 80),
        ("up_0", 16 * 64),
        ("stage_1_block_2_dilated_1", 7 * 32),
    ):
        for weight in map(np.asarray, vocoder.get_layer(name).get_weights()):
            assert np.abs(weight).max() == pytest.approx(fan_in**-0.5, rel=0.1)
            assert weight.std() == pytest.approx((3 * fan_in) ** -0.5, rel=0.2)


def reference_waves(mel, vocoder, variant, conv, last_slopes):
    """The generator of models.py, sample by sample: (frames, bands) to (256 frames, 1).

    Returns one wave for each slope of the last rectifier.
    """
    rates, kernels, taps, dilations = CONFIGS[variant]

    def weights(name):
        return [np.asarray(each, np.float64) for each in vocoder.get_layer(name).get_weights()]

    def leaky(x, slope=0.1):
        return np.where(x > 0, x, slope * x)

    def up(x, rate, kernel, name):
        matrices, bias = weights(name)  # (taps, outputs, inputs)
        out = np.zeros(((len(x) - 1) * rate + kernel, len(bias)))
        for k, sample in enumerate(x):
            for tap in range(kernel):
                out[k * rate + tap] += matrices[tap] @ sample
        cut = (kernel - rate) // 2
        return out[cut : len(out) - cut] + bias

    def block(x, dilations, name):
        for step, dilation in enumerate(dilations):
            y = conv(leaky(x), *weights(f"{name}_dilated_{step}"), dilation=dilation)
            if variant != "V3":
                y = conv(leaky(y), *weights(f"{name}_plain_{step}"))
            x = x + y
        return x

    x = conv(mel, *weights("first"))
    for stage, (rate, kernel) in enumerate(zip(rates, kernels, strict=True)):
        x = up(leaky(x), rate, kernel, f"up_{stage}")
        outputs = [
            block(x, dilations[number], f"stage_{stage}_block_{number}")
            for number in range(len(taps))
        ]
        x = sum(outputs) / len(outputs)
    return [np.tanh(conv(leaky(x, slope), *weights("last"))) for slope in last_slopes]


@pytest.mark.parametrize("variant", ["V1", "V3"])
def test_output_equals_a_numpy_reference(variant, randomized, reference, waves):
    network = randomized("hifigan", variant=variant, width=0.12)
    vocoder = network.get_layer("vocoder")
    # Sums of many random channels would drive the output to its bounds.
    for weight in vocoder.weights:
        weight.assign(weight * (3 if len(weight.shape) == 1 else 0.5))
    kernel = vocoder.get_layer("last").kernel
    kernel.assign(kernel * {"V1": 0.05, "V3": 0.5}[variant])
    wave = waves(512)[:1]
    mel = log_mel(wave[0, :, 0], "hifigan").astype(np.float64)
    # The output depends on the slope of the last rectifier, which is not that of the others.
    expected, other = reference_waves(mel, vocoder, variant, reference.conv, (0.01, 0.1))
    loudest = np.abs(expected).max()
    assert 0.1 < loudest < 0.99
    assert np.abs(other - expected).max() > 1e-3 * loudest
    found = np.asarray(network(wave))[0]
    assert found.shape == (512, 1)
    reference.assert_close(found, expected)


def test_the_vocoder_of_audiosr_equals_a_numpy_reference(randomized, reference):
    network = randomized("audiosr_vocoder", width=1 / 48)
    vocoder = network.get_layer("vocoder")
    for weight in vocoder.weights:
        weight.assign(weight * (1 if len(weight.shape) == 1 else 0.6))
    mel = np.random.default_rng(0).normal(-1, 1, (2, 256)).astype(np.float32)
    expected, other = reference_waves(mel, vocoder, "AudioSR", reference.conv, (0.01, 0.1))
    assert np.abs(other - expected).max() > 1e-3
    assert expected.std() > 0.05 and np.abs(expected).max() < 0.99
    assert expected.shape == (2 * 480 + 16, 1)
    reference.assert_close(generator(vocoder)(mel[np.newaxis])[0], expected)
    reference.assert_close(vocoder(mel[np.newaxis])[0], expected[8:-8])


def test_weight_normalization_scales_the_kernel_of_each_channel(waves):
    """A convolution has a norm for each output channel, a transposed one for each input channel."""
    rng = np.random.default_rng(0)
    x = waves(9, channels=3)
    for kind, plain, count in (
        (WeightNormConv1D(4, 5, padding="same"), keras.layers.Conv1D(4, 5, padding="same"), 4),
        (
            WeightNormConv1DTranspose(4, 6, 2, padding="same"),
            keras.layers.Conv1DTranspose(4, 6, 2, padding="same"),
            3,
        ),
    ):
        for layer in (kind, plain):
            layer.build(x.shape)
        kernel, bias, gain = (rng.normal(0, 1, each.shape) for each in kind.weights)
        assert gain.shape == (count,)
        # The gains start as the norms: the layer starts as a plain convolution.
        norms = [np.linalg.norm(np.asarray(kind.kernel)[..., k]) for k in range(count)]
        np.testing.assert_allclose(kind.gain, norms, rtol=1e-6)
        kind.set_weights([kernel, bias, gain])
        scaled = np.stack(
            [gain[k] * kernel[..., k] / np.linalg.norm(kernel[..., k]) for k in range(count)], -1
        )
        plain.set_weights([scaled, bias])
        np.testing.assert_allclose(kind(x), plain(x), rtol=0, atol=1e-5)


def test_without_weight_normalization_the_output_is_the_same(randomized, waves):
    network = randomized("hifigan", variant="V3", width=0.05, weight_norm=True)
    plain = folded(network)
    assert plain.get_config() == {**network.get_config(), "weight_norm": False}
    assert plain.count_params() < network.count_params()
    expected = np.asarray(network(waves(1024)))
    assert expected.std() > 1e-3
    np.testing.assert_allclose(plain(waves(1024)), expected, rtol=0, atol=1e-6)


def test_its_training_compares_mel_spectrograms_of_the_whole_band(randomized, waves):
    network = randomized("hifigan", variant="V3", width=0.05)
    outputs = network.generate(waves(1024), waves(1024))
    np.testing.assert_allclose(outputs["wave"], network(waves(1024)), rtol=0, atol=1e-6)
    whole = replace(MELS["hifigan"], highest_hz=11025.0)
    for found in (outputs, network.target(waves(1024))):
        expected = log_mel(np.asarray(found["wave"])[..., 0], whole)
        np.testing.assert_allclose(found["mel"], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "V4"}, "unsupported variant 'V4'; choose one of V1, V2, V3"),
        ({"mel": "vocos24"}, "unsupported mel 'vocos24'; choose one of seed, hifigan, nyquist"),
        ({"mel": "htk"}, "unsupported mel 'htk'; choose one of seed, hifigan, nyquist"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=f"^hifigan: {message}"):
        models.build("hifigan", **arguments)
