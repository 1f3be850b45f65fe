"""Critics: their sizes, and a reference in NumPy for each kind of layer."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import signal
from wideband.command import UserError
from wideband.models import critic_layers, critics

N = 2048


# The variants differ from these in what is compared only. Other critics have files of their own.
NAMES = ("multi_period", "multi_resolution_amplitude", "multi_resolution_phase", "multi_band")
VARIANTS = {"multi_period_all": "multi_period", "multi_band_inner": "multi_band"}


@pytest.fixture(scope="module", params=NAMES)
def critic(request):
    """A narrow critic with random weights, which tests must not change."""
    keras.utils.set_random_seed(0)
    return critics.build(request.param, (N, 1), width=0.05)


def test_the_sizes_are_the_published_ones():
    sizes = {}
    for name in NAMES:
        with keras.StatelessScope(initialize_variables=False):
            weights = critics.build(name, (8000, 1)).trainable_weights
        keras.utils.clear_session(free_memory=False)
        sizes[name] = sum(math.prod(weight.shape) for weight in weights)
    # With a gain for each filter. Printed for the first one: 41.1 M (HiFi-GAN).
    assert sizes == {
        "multi_period": 41_105_770,
        "multi_resolution_amplitude": 600_198,
        "multi_resolution_phase": 600_198,
        "multi_band": 1_413_990,
    }


def test_scores_and_maps_have_the_published_shapes(critic, noise):
    members = critic(noise(N).reshape(1, N, 1))
    counts = {"multi_period": (5, 5), "multi_band": (3, 26)}
    count, maps = counts.get(critic.name, (3, 6))
    assert [len(member) for member in members] == [maps] * count
    assert all(member[-1].shape[-1] == 1 for member in members)
    if critic.name == "multi_period":
        # Each of four strides of 3 leaves a third, rounded up.
        for member, period in zip(members, critics.PERIODS, strict=True):
            assert member[-1].shape[1:3] == (math.ceil(math.ceil(N / period) / 81), period)


def test_variants_compare_more_or_fewer_layers(monkeypatch):
    # All members are alike.
    monkeypatch.setattr(critics, "PERIODS", (2, 3))
    monkeypatch.setattr(critics, "RESOLUTIONS", ((256, 64),))
    for name, base in VARIANTS.items():
        more, fewer = (critics.build(each, (N, 1), 0.05).output for each in (name, base))
        if name == "multi_band_inner":
            more, fewer = fewer, more
        first = 5 if base == "multi_band" else 1
        for a, b in zip(more, fewer, strict=True):
            assert len(a) == len(b) + first


def convolve(x, layer):
    """The convolution of a layer sum by sum: x (height, width, c) to (height, width, filters)."""
    kernel, bias, gain = (np.asarray(each, np.float64) for each in layer.weights)
    kernel = gain * kernel / np.sqrt((kernel**2).sum(axis=(0, 1, 2)))
    high, wide = kernel.shape[0] // 2, kernel.shape[1] // 2
    x = np.pad(x, ((high, high), (wide, wide), (0, 0)))
    down, right = layer.strides
    rows = range(0, x.shape[0] - kernel.shape[0] + 1, down)
    columns = range(0, x.shape[1] - kernel.shape[1] + 1, right)
    out = np.empty((len(rows), len(columns), len(bias)))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            seen = x[row : row + kernel.shape[0], column : column + kernel.shape[1]]
            out[i, j] = np.tensordot(seen, kernel, 3) + bias
    return out


def randomize(critic):
    rng = np.random.default_rng(0)
    for weight in critic.weights:
        weight.assign(weight + rng.uniform(-0.2, 0.2, weight.shape))
    return critic


def stack(x, critic, prefix):
    """All maps of a member: its layers in order, each after a leaky rectifier, then its scores."""
    maps = []
    for k in range(5):
        x = convolve(x, critic.get_layer(f"{prefix}_conv_{k}"))
        x = np.where(x > 0, x, 0.1 * x)
        maps.append(x)
    return [*maps, convolve(x, critic.get_layer(f"{prefix}_score"))]


def spectrum(wave, window, hop, shape):
    padded = np.pad(wave.astype(np.float64), window // 2, mode="reflect")
    taps = np.ones(window) if shape is None else signal.get_window(shape, window)
    count = 1 + (len(padded) - window) // hop
    frames = np.stack([padded[k * hop : k * hop + window] * taps for k in range(count)], axis=1)
    return np.fft.rfft(frames, axis=0)  # (bins, frames)


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a)[0], b, rtol=1e-3, atol=1e-4)


def test_the_multi_period_critic_equals_a_reference(noise):
    n = 200
    critic = randomize(critics.build("multi_period", (n, 1), width=0.05))
    wave = noise(n)
    for member, period in zip(critic(wave.reshape(1, n, 1)), critics.PERIODS, strict=True):
        padded = np.pad(wave, (0, -n % period), mode="reflect")
        expected = stack(padded.reshape(-1, period, 1), critic, f"period_{period}")
        assert_same(member, expected[1:])


@pytest.mark.parametrize("kind", ["amplitude", "phase"])
def test_the_multi_resolution_critics_equal_a_reference(kind, noise):
    n = 1100
    critic = randomize(critics.build(f"multi_resolution_{kind}", (n, 1), width=0.03))
    wave = noise(n)
    member = critic(wave.reshape(1, n, 1))[0]
    window, hop = critics.RESOLUTIONS[0]
    image = np.asarray(critic.get_layer(f"{kind}_{window}")(wave.reshape(1, n, 1)))[0]
    assert_same(member, stack(image, critic, f"{kind}_{window}"))
    # A frame at an end is its own mirror image: its spectrum is real, and its angles 0 or +-pi.
    expected = {"amplitude": np.abs, "phase": np.angle}[kind](spectrum(wave, window, hop, None))
    np.testing.assert_allclose(image[:, 1:-1, 0], expected[:, 1:-1], atol=1e-2)


def test_a_band_of_the_multi_band_critic_equals_a_reference(noise):
    n = 1100
    critic = randomize(critics.build("multi_band", (n, 1), width=0.07))
    wave = noise(n)
    window = critics.RESOLUTIONS[0][0]
    member = critic(wave.reshape(1, n, 1))[-1]
    image = spectrum(wave, window, window // 4, "hann").T[..., np.newaxis]
    # The second of five bands ends at a quarter of 257 bins.
    x = np.concatenate([image.real, image.imag], axis=-1)[:, 26:64]
    maps = []
    for k in range(5):
        x = convolve(x, critic.get_layer(f"complex_{window}_band_1_conv_{k}"))
        x = np.where(x > 0, x, 0.1 * x)
        maps.append(x)
    assert_same(member[5:10], maps)


def test_gradients_are_finite_also_for_silence(critic, noise):
    levels = np.float32([0.0, 1e-9, 0.1]).reshape(3, 1, 1)
    wave = tf.Variable(levels * noise(N).reshape(1, N, 1))
    with tf.GradientTape() as tape:
        score = sum(tf.reduce_mean(member[-1]) for member in critic(wave))
    assert np.isfinite(score)
    assert np.isfinite(tape.gradient(score, wave)).all()


def test_a_critic_starts_as_a_plain_convolution():
    layer = critic_layers.WeightNormConv2D(4, (3, 3), fan_in=18)
    layer.build((None, 8, 8, 2))
    np.testing.assert_allclose(
        layer.gain, np.sqrt((np.asarray(layer.kernel) ** 2).sum(axis=(0, 1, 2))), rtol=1e-6
    )
    bound = 18**-0.5
    for weight in (layer.kernel, layer.bias):
        assert 0.3 * bound < np.abs(weight).max() <= bound


def test_a_critic_is_rebuilt_from_its_configuration(critic, noise):
    again = keras.Model.from_config(critic.get_config())
    again.set_weights(critic.get_weights())
    wave = noise(N).reshape(1, N, 1)
    for a, b in zip(again(wave), critic(wave), strict=True):
        np.testing.assert_array_equal(a[-1], b[-1])


def test_weights_files_have_all_weights(tmp_path):
    for kind in (critic_layers.WeightNormConv2D, critic_layers.SpectralNormConv2D):
        saved, loaded = (
            keras.Sequential([keras.Input((9, 9, 2)), kind(4, (3, 3), 18)]) for _ in "ab"
        )
        saved.save_weights(tmp_path / "critic.weights.h5")
        loaded.load_weights(tmp_path / "critic.weights.h5")
        assert len(saved.weights) == 3
        for a, b in zip(saved.weights, loaded.weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="unknown critic 'mpd'; choose one of multi_period"):
        critics.build("mpd", (N, 1))
    with pytest.raises(UserError, match=r"width 0\.001 leaves a layer without filters"):
        critics.build("multi_band", (N, 1), 0.001)
