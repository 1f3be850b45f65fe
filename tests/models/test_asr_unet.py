"""The attention U-Nets: sizes, what an output sample depends on, and references in NumPy."""

import math

import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models.asr_unet import ATTENTIONS, eca_kernel
from wideband.train import recipes

NAMES = ("none", "se", "cbam", "eca")


def test_there_are_the_four_networks_of_the_project():
    assert tuple(ATTENTIONS) == NAMES
    for attention in NAMES:
        recipe = recipes.get(f"asr_unet_{attention}_8x")
        assert (recipe.model, recipe.ratio) == ("asr_unet", 8)
        assert recipe.arguments == {"attention": attention}
        assert (recipe.losses, recipe.optimizer.learning_rate) == ({"mse": 1.0}, 1e-3)


@pytest.mark.parametrize(("kernel", "count"), [(3, 248_577), (5, 412_673), (9, 740_865)])
def test_attention_adds_the_weights_of_its_paper(outline, kernel, count):
    """To convolutions with biases and four numbers for each channel that is normalized."""
    squeezed = sum(2 * c * c // 16 for c in (64, 128))
    added = {"none": 0, "se": squeezed, "cbam": squeezed + 2 * 2 * 7, "eca": 3 + 5}
    for attention, more in added.items():
        network = outline("asr_unet", attention=attention, kernel=kernel)
        assert network.count_params() == count + more


@pytest.mark.parametrize(("channels", "kernel"), [(1, 1), (6, 1), (64, 3), (128, 5), (512, 5)])
def test_the_kernel_of_eca_follows_its_paper(channels, kernel):
    assert eca_kernel(channels) == kernel


def test_the_published_length_becomes_eight_times_as_long(outline):
    network = outline("asr_unet")
    assert network.compute_output_shape((1, 25_790, 1)) == (1, 206_320, 1)
    assert (network.wants, network.multiple, network.patch) == ("low", 1, 4096)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_without_attention_the_context_is_limited(ratio, randomized):
    network = randomized("asr_unet", attention="none", ratio=ratio, width=0.05)
    wave = np.random.default_rng(0).normal(0, 0.1, (1, 100, 1)).astype(np.float32)
    before = np.asarray(network(wave))
    wave[0, 50] += 100
    changed = np.flatnonzero((np.asarray(network(wave)) != before)[0, :, 0]) // ratio
    reach = max(50 - changed.min(), changed.max() - 50)
    assert reach <= network.context <= reach + 1


@pytest.mark.parametrize("ratio", [2, 8])
@pytest.mark.parametrize("attention", NAMES)
def test_output_equals_a_numpy_reference(attention, ratio, randomized, reference, waves):
    network = randomized("asr_unet", attention=attention, ratio=ratio, width=0.3, kernel=5)
    wave = waves(37)
    expected = [_network(each.astype(np.float64), network, reference) for each in wave]
    reference.assert_close(network(wave), expected)


@pytest.mark.parametrize("attention", NAMES)
def test_the_configuration_keeps_the_patch_in_samples_at_the_high_rate(attention):
    network = models.build("asr_unet", attention=attention, ratio=4, patch=512, width=0.1)
    assert network.patch == 128
    assert network.get_config()["patch"] == 512
    again = type(network).from_config(network.get_config())
    assert (again.patch, again.context) == (network.patch, network.context)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention": "esa"}, "unsupported attention 'esa'; choose one of none, se, cbam, eca$"),
        ({"ratio": 3}, "unsupported ratio 3; choose one of 2, 4, 8$"),
        ({"kernel": 4}, "unsupported kernel 4; choose one of 3, 5,"),
        ({"patch": 100}, "patch 100 must be a multiple of 8$"),
    ],
)
def test_an_argument_out_of_range_is_refused(arguments, message):
    with pytest.raises(UserError, match=rf"^asr_unet: {message}"):
        models.build("asr_unet", **arguments)


def _network(low, network, reference):
    """The networks of the drawing, with the equations of the papers of the attentions."""

    def weights(name):
        return [np.asarray(each, np.float64) for each in network.get_layer(name).weights]

    def encode(x, name):
        gamma, beta, mean, variance = weights(f"{name}_norm")
        y = reference.conv(x, *weights(name))
        return np.maximum(gamma * (y - mean) / np.sqrt(variance + 1e-3) + beta, 0)

    x = low
    for k in range(2):
        x = encode(x, f"encoder_{k}")
        if network.attention != "none":
            x = _attend(x, network.attention, f"attention_{k}", weights)
    x = encode(x, "bottleneck")
    doublings = round(math.log2(network.ratio))
    strides = [1, 1, 1, 2, 2, 2][doublings:][:3]
    for k, stride in enumerate(strides):
        x = _transposed(x, *weights("last" if k == 2 else f"decoder_{k}"), stride)
        x = np.maximum(x, 0) if k < 2 else x
    return x


def _attend(x, attention, name, weights):
    channels, mean = x.shape[1], x.mean(axis=0)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    if attention == "eca":
        (kernel,) = weights(name)
        half = len(kernel) // 2
        padded = np.pad(mean, half)
        around = [padded[c : c + len(kernel)] @ kernel[:, 0, 0] for c in range(channels)]
        return x * sigmoid(np.array(around))
    down, up = weights(name)
    scales = np.maximum(mean @ down, 0) @ up
    if attention == "se":
        return x * sigmoid(scales)
    x = x * sigmoid(scales + np.maximum(x.max(axis=0) @ down, 0) @ up)
    (kernel,) = weights(f"{name}_samples")
    both = np.pad(np.stack([x.mean(axis=1), x.max(axis=1)], axis=1), ((3, 3), (0, 0)))
    around = [np.sum(both[n : n + 7] * kernel[:, :, 0]) for n in range(len(x))]
    return x * sigmoid(np.array(around))[:, np.newaxis]


def _transposed(x, kernel, bias, stride):
    """Adds up kernels (taps, filters, c) at every `stride` samples; the ends are cut."""
    taps = len(kernel)
    out = np.zeros((stride * len(x) + taps - stride, kernel.shape[1]))
    for n, values in enumerate(x):
        out[stride * n : stride * n + taps] += kernel @ values
    before = (taps - stride) // 2
    return out[before : before + stride * len(x)] + bias
