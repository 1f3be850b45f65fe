"""CMGAN: sizes, levels, a reference in NumPy, and an empty band that it learns to fill."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import signal
from seeds import seed_networks
from wideband import models
from wideband.command import UserError

# No power of two; 21 frames of 21 bins for 200 samples.
SMALL = {"width": 0.0625, "blocks": 1, "fft": 40, "hop": 10, "patch": 200}


@pytest.fixture(scope="module")
def network(randomized):
    """A small network with random weights, which tests must not change."""
    return randomized("cmgan", **SMALL)


def test_it_has_the_published_number_of_parameters(outline):
    network = outline("cmgan")
    sizes = dict.fromkeys(("encoder", "block", "mask", "complex"), 0)
    for weight in network.trainable_weights:
        sizes[weight.path.split("/")[0].split("_")[0]] += int(np.prod(weight.shape))
    assert sum(sizes.values()) == 1_834_833
    assert sizes["block"] == 4 * 257_824
    assert sizes["encoder"] == 259_776
    assert (network.multiple, network.patch, network.context) == (100, 32000, None)


def test_layers_have_the_published_sizes_and_start(outline):
    part = outline("cmgan").get_layer("spectrum")
    shapes = {
        "encoder_first": (1, 1, 3, 64),
        "encoder_0": (2, 3, 64, 64),
        "encoder_3": (2, 3, 256, 64),
        "encoder_last": (1, 3, 64, 64),
        "mask_upper": (1, 3, 64, 128),
        "mask_join": (1, 2, 64, 1),
        "mask_last": (1, 1, 1, 1),
        "complex_last": (1, 2, 64, 2),
    }
    assert {name: part.get_layer(name).kernel.shape for name in shapes} == shapes
    dilations = [part.get_layer(f"complex_{k}").dilation_rate for k in range(4)]
    assert dilations == [(1, 1), (2, 1), (4, 1), (8, 1)]
    small = models.build("cmgan", **SMALL).get_layer("spectrum")
    for name, slope in (("encoder_2", 0.25), ("mask_join", 0.25), ("mask", -0.25)):
        np.testing.assert_array_equal(small.get_layer(f"{name}_slope").alpha, slope)
    # Each bin of the mask has a slope.
    assert small.get_layer("mask_slope").alpha.shape == (1, 21)


@pytest.mark.parametrize("kind", ["noise", "pause", "silence"])
def test_output_equals_a_numpy_reference(kind, network, reference, waves):
    wave = waves(200)[:1]
    if kind == "pause":
        wave[:, 80:] = 0
    if kind == "silence":
        wave = 0 * wave
    expected = _reference_network(wave[0, :, 0].astype(np.float64), network, reference)
    found = np.asarray(network(wave))[0, :, 0]
    assert np.isfinite(found).all()
    reference.assert_close(found, expected)


def _reference_network(wave, network, reference):
    """The network frame by frame and bin by bin, with angles and complex numbers."""
    part, level = network.get_layer("spectrum"), np.sqrt((wave**2).mean())
    hamming = signal.get_window("hamming", 40)
    padded = np.pad(wave / max(level, 2**-17), 20, mode="reflect")
    starts = range(0, len(wave) + 1, 10)
    spectrum = np.array([np.fft.rfft(hamming * padded[start : start + 40]) for start in starts])
    # The first frame is symmetric.
    spectrum[0] = spectrum[0].real
    amplitude = np.maximum(np.abs(spectrum), 2**-12) ** 0.3
    # Smaller ones are compressed as much as this one.
    amplitude = amplitude * np.minimum(np.abs(spectrum) / 2**-12, 1)
    compressed = amplitude * np.exp(1j * np.angle(spectrum))

    def weights(name):
        return [np.asarray(each, np.float64) for each in part.get_layer(name).weights]

    def conv(x, name, before=0, sides=0, dilation=1, stride=1):
        kernel, bias = weights(name)
        x = np.pad(x, ((before, 0), (sides, sides), (0, 0)))
        height, width = kernel.shape[:2]
        rows = range(x.shape[0] - dilation * (height - 1))
        columns = range(0, x.shape[1] - width + 1, stride)
        out = np.empty((len(rows), len(columns), len(bias)))
        for i in rows:
            for k, j in enumerate(columns):
                seen = x[i : i + dilation * (height - 1) + 1 : dilation, j : j + width]
                out[i, k] = np.tensordot(seen, kernel, 3) + bias
        return out

    def rectify(x, slope):
        return np.where(x > 0, x, slope * x)

    def normalized(x, name):
        scale, offset = weights(f"{name}_norm")
        x = (x - x.mean(axis=(0, 1))) / np.sqrt(x.var(axis=(0, 1)) + 1e-5) * scale + offset
        return rectify(x, weights(f"{name}_slope")[0])

    def dense_block(x, name):
        for k in range(4):
            y = conv(x, f"{name}_{k}", 2**k, 1, 2**k)
            y = normalized(y, f"{name}_{k}")
            x = np.concatenate([y, x], axis=-1)
        return y

    def upper(x, name):
        x = conv(dense_block(x, name), f"{name}_upper", sides=1)
        # The first half of the channels becomes the even bins.
        half = x.shape[-1] // 2
        return np.stack([x[..., :half], x[..., half:]], axis=2).reshape(len(x), -1, half)

    x = np.stack([amplitude, compressed.real, compressed.imag], axis=-1)
    x = normalized(conv(x, "encoder_first"), "encoder_first")
    x = dense_block(x, "encoder")
    x = normalized(conv(x, "encoder_last", sides=1, stride=2), "encoder_last")
    x = reference.two_stage(x, part, "block_0")
    mask = normalized(conv(upper(x, "mask"), "mask_join"), "mask_join")
    mask = rectify(conv(mask, "mask_last")[..., 0], weights("mask_slope")[0])
    more = conv(normalized(upper(x, "complex"), "complex_upper"), "complex_last")
    restored = mask * amplitude * np.exp(1j * np.angle(spectrum)) + more[..., 0] + 1j * more[..., 1]

    restored = np.abs(restored) ** (1 / 0.3) * np.exp(1j * np.angle(restored))
    added, weight = np.zeros_like(padded), np.zeros_like(padded)
    for start, bins in zip(starts, restored, strict=True):
        added[start : start + 40] += hamming * np.fft.irfft(bins)
        weight[start : start + 40] += hamming**2
    return level * (added / weight)[20 : 20 + len(wave)]


def test_the_output_follows_the_level_and_silence_stays_silence(network, waves):
    wave = waves(200)
    for gain in (1e-3, 10.0):
        expected = gain * np.asarray(network(wave))
        np.testing.assert_allclose(network(gain * wave), expected, rtol=0, atol=1e-4 * gain)
    assert not np.asarray(network(0 * wave)).any()


@pytest.fixture
def identity():
    """A network whose mask is 1, and which adds nothing."""
    network = models.build("cmgan", **SMALL)
    part = network.get_layer("spectrum")
    for name in ("mask_last", "complex_last"):
        layer = part.get_layer(name)
        layer.set_weights([0 * each for each in layer.get_weights()])
    part.get_layer("mask_last").bias.assign([1.0])
    return network


def test_a_mask_of_1_restores_the_input(identity, waves):
    np.testing.assert_allclose(identity(waves(400)), waves(400), rtol=0, atol=1e-5)


def test_spectra_are_compared_at_the_level_of_the_reference(identity, waves):
    high = waves(200) * np.float32([0.01, 1.0]).reshape(2, 1, 1)
    target = identity.target(high)
    np.testing.assert_array_equal(target["wave"], high)
    padded = np.pad(high[0, :, 0], 20, mode="reflect") / np.sqrt((high[0] ** 2).mean())
    bins = np.fft.rfft(signal.get_window("hamming", 40) * padded[100:140])
    np.testing.assert_allclose(target["magnitude"][0, 10], np.abs(bins) ** 0.3, rtol=1e-4)
    real, imaginary = (target["spectrum"][part][0, 10] for part in ("real", "imaginary"))
    found = np.asarray(real) + 1j * np.asarray(imaginary)
    expected = np.abs(bins) ** 0.3 * np.exp(1j * np.angle(bins))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    outputs = identity.generate(0.5 * high, high)
    np.testing.assert_allclose(outputs["wave"], identity(0.5 * high), rtol=0, atol=1e-6)
    for found, full in (
        (outputs["magnitude"], target["magnitude"]),
        *((outputs["spectrum"][part], target["spectrum"][part]) for part in ("real", "imaginary")),
    ):
        np.testing.assert_allclose(found, 0.5**0.3 * np.asarray(full), rtol=0, atol=1e-4)


@pytest.fixture
def periods(waves):
    """Two waves whose frames all have one period, (1, 400, 1): with an empty high band, and full.

    No bin from the tenth on has any power in the first one; a window reaches two bins further.
    """
    full = np.fft.rfft(waves(40)[0, :, 0])
    empty = np.where(np.arange(21) < 8, full, 0)
    return [
        np.tile(np.fft.irfft(bins), 10).astype(np.float32).reshape(1, 400, 1)
        for bins in (empty, full)
    ]


def test_the_mask_leaves_an_empty_band_empty(randomized, periods):
    network = randomized("cmgan", **SMALL)
    last = network.get_layer("spectrum").get_layer("complex_last")
    band = slice(4, 37), slice(10, None)
    filled = np.asarray(network.generate(*periods)["magnitude"])[0][band].mean()
    last.set_weights([0 * each for each in last.get_weights()])
    left = np.asarray(network.generate(*periods)["magnitude"])[0][band].mean()
    assert left < 0.01 * filled


def test_the_complex_decoder_learns_to_fill_an_empty_band(periods):
    """The gradient of a loss of empty bins reaches it, and not the mask, which multiplies zeros."""
    seed_networks(0)
    network = models.build("cmgan", **{**SMALL, "dropout": 0.0})
    # Without the ends of the wave, which are mirrored.
    band = slice(4, 37), slice(10, None)
    target = network.target(periods[1])["magnitude"][0][band]

    def loss():
        estimate = network.generate(*periods)["magnitude"][0][band]
        return tf.reduce_mean((estimate - target) ** 2)

    part = network.get_layer("spectrum")
    last = [part.get_layer(f"{name}_last").kernel for name in ("complex", "mask")]
    with tf.GradientTape() as tape:
        before = loss()
    slopes = tape.gradient(before, [variable.value for variable in last])
    assert np.abs(slopes[0]).max() > 1e3 * np.abs(slopes[1]).max()
    last[0].assign_sub(0.1 * slopes[0])
    assert float(loss()) < 0.9 * float(before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": 0}, "blocks 0 must be from 1 to 32"),
        ({"fft": 42}, "fft of 42 samples must be a multiple of 4"),
        ({"fft": 2052}, "fft of 2052 samples must be a power of two from 4 on, or an even number"),
        ({"hop": 25}, "frame of 40 samples must be even and at least twice the hop, 25"),
        ({"patch": 205}, "patch 205 must be a multiple of 10"),
        ({"patch": 20}, "patch 20 must be longer than half of fft, 20"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=f"^cmgan: {message}"):
        models.build("cmgan", **{**SMALL, **arguments})
