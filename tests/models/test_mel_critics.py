"""Critics of mel spectrograms: sizes, shapes, and a reference in NumPy."""

import keras
import numpy as np
import pytest
from wideband.models import critics, mel_critics

FRAMES, BANDS = 40, 24
NAMES = ("srgan", "patchgan")


def mel(frames=FRAMES, bands=BANDS):
    return np.random.default_rng(0).normal(-6, 2.7, (1, frames, bands)).astype(np.float32)


def built(name):
    """A narrow critic with random weights."""
    critic = critics.build(name, (FRAMES, BANDS), 0.05)
    rng = np.random.default_rng(1)
    for weight in critic.weights:
        around = 1 if weight.path.endswith(("gamma", "variance")) else 0
        weight.assign(around + rng.uniform(-0.3, 0.3, weight.shape))
    return critic


def test_the_sizes_are_the_published_ones():
    sizes = {}
    for name in NAMES:
        with keras.StatelessScope(initialize_variables=False):
            critic = critics.build(name, (172, 80))
        keras.utils.clear_session(free_memory=False)
        sizes[name] = sum(np.prod(weight.shape) for weight in critic.trainable_weights)
        ((*maps, score),) = critic.output
        shapes = {"srgan": ((5, 11, 512), (1,)), "patchgan": ((9, 20, 512), (8, 19, 1))}
        assert (maps[-1].shape[1:], score.shape[1:]) == shapes[name]
        assert len(maps) == {"srgan": 8, "patchgan": 4}[name]
    assert sizes == {"srgan": 23_564_353, "patchgan": 2_763_585}


def convolve(x, layer):
    """Convolves x (height, width, c), with a row of zeros on every side."""
    kernel = np.asarray(layer.kernel, np.float64)
    bias = np.asarray(layer.bias, np.float64) if layer.use_bias else 0.0
    x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    size, stride = kernel.shape[0], layer.strides[0]
    rows, columns = (range(0, n - size + 1, stride) for n in x.shape[:2])
    return np.array(
        [
            [np.tensordot(x[i : i + size, j : j + size], kernel, 3) + bias for j in columns]
            for i in rows
        ]
    )


def normalize(x, layer):
    gamma, beta, mean, variance = (np.asarray(each, np.float64) for each in layer.weights)
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def stages(critic, x, count):
    """The maps of all stages of a critic, which are normalized from the second on."""
    maps = []
    for k in range(count):
        name = f"{critic.name}_conv_{k}"
        x = convolve(x, critic.get_layer(name))
        if k:
            x = normalize(x, critic.get_layer(f"{name}_norm"))
        x = leaky(x)
        maps.append(x)
    return maps


def pool(x, size):
    """Averages in the cells of PyTorch's adaptive pooling."""
    rows, columns = (
        [range(int(np.floor(i * n / size)), int(np.ceil((i + 1) * n / size))) for i in range(size)]
        for n in x.shape[:2]
    )
    return np.array([[x[np.ix_(i, j)].mean(axis=(0, 1)) for j in columns] for i in rows])


def dense(x, layer):
    kernel, bias = (np.asarray(each, np.float64) for each in layer.weights)
    return x @ kernel + bias


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a)[0], b, rtol=1e-3, atol=1e-3)


def test_the_critic_of_srgan_equals_a_reference():
    critic, x = built("srgan"), mel()
    # (bands, frames, 1)
    maps = stages(critic, x[0].T[..., np.newaxis], 8)
    assert maps[-1].shape[:2] == (2, 3)
    hidden = leaky(dense(pool(maps[-1], 6).ravel(), critic.get_layer("srgan_hidden")))
    assert_same(critic(x), [*maps, dense(hidden, critic.get_layer("srgan_score"))])


def test_the_critic_of_pix2pix_equals_a_reference():
    critic, x = built("patchgan"), mel()
    maps = stages(critic, x[0].T[..., np.newaxis], 4)
    assert_same(critic(x), [*maps, convolve(maps[-1], critic.get_layer("patchgan_score"))])


@pytest.mark.parametrize("n", [5, 6, 11, 12, 40])
def test_adaptive_pooling_averages_the_cells_of_pytorch(n):
    image = np.random.default_rng(0).normal(size=(1, n, 7, 2)).astype(np.float32)
    pooled = mel_critics.AdaptivePool(6)(image)
    np.testing.assert_allclose(pooled[0], pool(image[0], 6), rtol=1e-5, atol=1e-6)


def test_five_rows_are_pooled_up_to_six_as_in_pytorch():
    counts = [np.count_nonzero(row) for row in mel_critics._shares(5, 6)]
    assert counts == [1, 2, 2, 2, 2, 1]


def test_training_starts_as_in_the_published_codes():
    keras.utils.set_random_seed(0)
    srgan = critics.build("srgan", (FRAMES, BANDS), 0.25)
    for name, fan_in in (("srgan_conv_1", 9 * 16), ("srgan_hidden", 36 * 128)):
        for weight in srgan.get_layer(name).weights:
            largest = np.abs(weight).max() * fan_in**0.5
            assert 0.7 < largest < 1 + 1e-6
    patchgan = critics.build("patchgan", (FRAMES, BANDS), 0.25)
    assert np.std(patchgan.get_layer("patchgan_conv_2").kernel) == pytest.approx(0.02, rel=0.1)
    assert np.mean(patchgan.get_layer("patchgan_conv_2_norm").gamma) == pytest.approx(1, abs=0.01)
    assert patchgan.get_layer("patchgan_conv_2").bias is None


@pytest.mark.parametrize("name", NAMES)
def test_a_critic_is_rebuilt_from_its_configuration(name):
    critic = built(name)
    again = keras.Model.from_config(critic.get_config())
    again.set_weights(critic.get_weights())
    np.testing.assert_array_equal(again(mel())[-1], critic(mel())[-1])
