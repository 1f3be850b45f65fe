"""The U-Net of the Keras project, compared with its published sizes and NumPy."""

import keras
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError

# levels: (channels in, channels out) of the convolutions of kernel 32
CONVOLUTIONS = {
    3: [
        *((1, 64), (64, 128), (128, 256), (256, 256)),
        *((256, 256), (384, 128), (192, 64), (96, 64)),
        *((32, 64), (32, 64)),
    ],
    4: [
        *((1, 64), (64, 128), (128, 128), (128, 256), (256, 256)),
        *((256, 256), (384, 128), (192, 128), (192, 64), (96, 64)),
        *((32, 64), (32, 64)),
    ],
    5: [
        *((1, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256)),
        *((256, 256), (384, 128), (192, 128), (192, 64), (96, 64), (96, 64)),
        *((32, 64), (32, 64)),
    ],
}


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_convolutions_have_the_published_kernels_and_strides(levels, outline, layers_of):
    network = outline("keras_unet", levels=levels)
    *layers, last = layers_of(network)
    shapes = [(32, *channels) for channels in CONVOLUTIONS[levels]]
    assert [tuple(layer.kernel.shape) for layer in layers] == shapes
    assert tuple(last.kernel.shape) == (1, 32, 1)
    strides = [layer.strides[0] for layer in layers]
    assert strides == [2] * (levels + 1) + [1] * (levels + 3)
    norms = layers_of(network, keras.layers.BatchNormalization)
    normalized = [norm.gamma.shape[0] for norm in norms]
    assert normalized == [channels for _, channels in CONVOLUTIONS[levels][:levels]]
    assert network.count_params() == 33 + sum(
        32 * before * after + after for before, after in CONVOLUTIONS[levels]
    ) + 4 * sum(normalized)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (2, [512, 256, 128, 64, 64, 128, 256, 512, 1024, 2048]),
        (4, [512, 256, 128, 64, 64, 128, 256, 512, 1024, 2048, 4096]),
    ],
)
def test_inner_sequences_halve_and_double_up_to_the_high_rate(ratio, expected, lengths):
    network = models.build("keras_unet", ratio=ratio, width=0.03)
    assert lengths(network, 1024) == expected


@pytest.mark.parametrize(("levels", "ratio"), [(3, 4), (4, 2), (5, 8)])
def test_output_equals_a_numpy_reference(levels, ratio, randomized, reference, waves, layers_of):
    network = randomized("keras_unet", levels=levels, ratio=ratio, width=0.03)
    norms = layers_of(network, keras.layers.BatchNormalization)
    wave = waves(128)
    expected = [
        _reference_network(each.astype(np.float64), layers_of(network), norms, ratio, reference)
        for each in wave
    ]
    reference.assert_close(network(wave), expected)


def _reference_network(wave, convolutions, norms, ratio, reference):
    """The network of Project/model.py, with the stored statistics."""
    convolutions = iter(convolutions)

    def conv(x, stride=1):
        kernel, bias = (np.asarray(each, np.float64) for each in next(convolutions).weights)
        return reference.conv(x, kernel, bias, stride)

    def up(x):
        return reference.subpixel(reference.leaky(conv(x), 0.3))

    x, skips = wave, []
    for norm in norms:
        gamma, beta, mean, variance = (np.asarray(each, np.float64) for each in norm.weights)
        x = (conv(x, 2) - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        x = reference.leaky(x, 0.3)
        skips.append(x)
    x = reference.leaky(conv(x, 2), 0.3)
    for skip in reversed(skips):
        x = np.concatenate([up(x), skip], axis=1)
    # The wave is added to every channel.
    x = up(x) + wave
    while len(x) < ratio * len(wave):
        x = up(x)
    return conv(x)


@pytest.mark.parametrize(
    ("last_dropout", "rates"), [(True, [0.5] * 6), (False, [0.5] * 4 + [0] * 2)]
)
def test_the_blocks_beyond_the_low_rate_can_omit_dropout(last_dropout, rates, outline, layers_of):
    network = outline("keras_unet", last_dropout=last_dropout, width=0.03)
    assert [layer.rate for layer in layers_of(network, keras.layers.Dropout)] == rates


def test_every_convolution_starts_orthogonal(layers_of):
    for layer in layers_of(models.build("keras_unet", width=0.1)):
        kernel = np.asarray(layer.kernel).reshape(-1, layer.filters)
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(layer.filters), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratio": 6}, "^keras_unet: ratio 6 must be a power of 2 above 1$"),
        ({"ratio": 1}, "^keras_unet: ratio 1 must be a power of 2 above 1$"),
        ({"levels": 6}, "^keras_unet: unsupported levels 6; choose one of 3, 4, 5$"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        models.build("keras_unet", **arguments)
