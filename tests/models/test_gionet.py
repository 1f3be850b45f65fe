"""The thesis's networks against their published numbers and slow networks in plain NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from wideband import models

PARAMETERS = {
    "gionet": 24_032_005,
    "gionet2": 23_485_829,
    "tfnet": 22_939_653,
    "tfilmnet": 24_735_106,
}
# The kind of net in time and in the spectrum, and the filters of either.
BRANCHES = {
    "gionet": {"time": ("tfilm", (64, 128, 256)), "spectral": ("tfilm", (64, 128, 256))},
    "gionet2": {"time": ("tfilm", (64, 128, 256)), "spectral": ("unet", (64, 128, 288))},
    "tfnet": {"time": ("unet", (64, 128, 288)), "spectral": ("unet", (64, 128, 288))},
    "tfilmnet": {"time": ("tfilm", (64, 128, 448))},
}


@pytest.fixture(scope="module", params=PARAMETERS)
def full(request):
    """A variant and its network at the published size, without initial weights."""
    with keras.StatelessScope(initialize_variables=False):
        return request.param, models.build("gionet", variant=request.param)


def small(variant, seed=1, **arguments):
    """A small network with weights that let every part of it count."""
    network = models.build("gionet", variant=variant, width=0.03, **arguments)
    rng = np.random.default_rng(seed)
    network.set_weights(
        [
            rng.normal(0, 0.3, weight.shape) if weight.dtype == np.float32 else weight
            for weight in network.get_weights()
        ]
    )
    return network


def branch(network, name):
    """The model of a branch; tfilmnet is its own."""
    return network if network.variant == "tfilmnet" else network.get_layer(name)


def layers_of(network, name, kind):
    return [layer for layer in branch(network, name).layers if isinstance(layer, kind)]


def blocks_of(network, name):
    return [layer.block for layer in branch(network, name).layers if hasattr(layer, "block")]


def waves(n, seed=2):
    return np.random.default_rng(seed).normal(0, 0.3, (2, n, 1)).astype(np.float32)


def assert_close(actual, expected):
    """Equal to 1e-4 of the loudest sample."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


# === The thesis's figures ===


def test_parameters_are_the_published_ones(full):
    variant, network = full
    assert network.count_params() == PARAMETERS[variant]


def test_convolutions_have_the_published_kernels_strides_and_dilations(full):
    variant, network = full
    for name, (kind, (f1, f2, f3)) in BRANCHES[variant].items():
        expected = [
            (65, 1, f1),
            (33, f1, f2),
            (17, f2, f3),
            (9, f3, f3),
            (17, f3, 2 * f3),
            (33, 2 * f3, 2 * f2),
            (65, 2 * f2, 2 * f1),
            (9, 2 * f1, 2),
        ]
        layers = layers_of(network, name, keras.layers.Conv1D)
        assert [tuple(layer.kernel.shape) for layer in layers] == expected
        assert all(layer.use_bias and layer.padding == "same" for layer in layers)
        strides = [layer.strides[0] for layer in layers]
        dilations = [layer.dilation_rate[0] for layer in layers]
        if kind == "unet":
            assert (strides, dilations) == ([2] * 4 + [1] * 4, [1] * 8)
        else:
            assert (strides, dilations) == ([1] * 8, [2] * 7 + [1])


def test_modulations_are_lstms_of_the_channels_behind_every_tfilm_convolution(full):
    variant, network = full
    for name, (kind, (f1, f2, f3)) in BRANCHES[variant].items():
        units = [
            layer.sequence.units
            for layer in branch(network, name).layers
            if hasattr(layer, "sequence")
        ]
        assert units == ([f1, f2, f3, f3, f3, f2, f1] if kind == "tfilm" else [])


@pytest.mark.parametrize(
    ("blocks", "time", "spectral"),
    [
        ("paper", [32] * 7, [32] * 7),
        ("published", [32, 32, 32, 32, 64, 128, 256], [16, 16, 16, 16, 32, 64, 128]),
    ],
)
def test_modulations_run_over_the_stated_number_of_blocks(blocks, time, spectral):
    network = models.build("gionet", blocks=blocks, width=0.02)
    for name, n, steps in (("time", 8192, time), ("spectral", 4096, spectral)):
        lengths = [n // each for each in (2, 4, 8, 16, 8, 4, 2)]
        assert [
            m // block for m, block in zip(lengths, blocks_of(network, name), strict=True)
        ] == steps


def test_gionet2_is_a_row_of_its_own():
    network = models.build("gionet2", width=0.02)
    assert network.get_config() == {
        **models.build("gionet", width=0.02).get_config(),
        "variant": "gionet2",
        "name": "gionet2",
    }


def test_the_texts_readings_are_the_defaults():
    config = models.build("gionet", width=0.02).get_config()
    assert (config["fusion"], config["blocks"], config["patch"]) == ("paper", "paper", 8192)


@pytest.mark.parametrize(("kind", "spread"), [("gionet", 0.05), ("tfnet", None)])
def test_the_last_convolution_starts_as_in_the_code(kind, spread):
    network = models.build("gionet", variant=kind, width=1 / 4)
    for name in ("time", "spectral"):
        *inner, last = layers_of(network, name, keras.layers.Conv1D)
        assert all(
            isinstance(layer.kernel_initializer, keras.initializers.Orthogonal) for layer in inner
        )
        kernel = np.asarray(last.kernel).reshape(-1, 2)
        if spread is None:
            np.testing.assert_allclose(kernel.T @ kernel, np.eye(2), atol=1e-5)
        else:
            assert np.std(kernel) == pytest.approx(spread, rel=0.15)


# === The whole network ===


@pytest.mark.parametrize("reading", ["paper", "published"])
@pytest.mark.parametrize("variant", ["gionet", "gionet2", "tfnet"])
def test_output_equals_a_slow_numpy_network(variant, reading):
    network = small(variant, fusion=reading, blocks=reading, patch=1024)
    wave = waves(1024)
    expected = [_slow_network(each.astype(np.float64), network) for each in wave]
    assert_close(network(wave), expected)


@pytest.mark.parametrize("blocks", ["paper", "published"])
def test_tfilmnet_equals_a_slow_numpy_network(blocks):
    network = small("tfilmnet", blocks=blocks, patch=1024)
    wave = waves(1024)
    weights = [np.asarray(weight, np.float64) for weight in network.trainable_weights]
    expected = [
        _slow_branch("tfilm", each.astype(np.float64), weights, 1024, blocks) for each in wave
    ]
    assert_close(network(wave), expected)


def _slow_network(wave, network):
    """The network as the thesis's code tells it, with angles, sum by sum."""
    time, spectral, v = (
        [np.asarray(weight, np.float64) for weight in network.get_layer(part).trainable_weights]
        for part in ("time", "spectral", "fusion")
    )
    (time_kind, _), (spectral_kind, _) = BRANCHES[network.variant].values()
    blocks = network.blocks
    n = len(wave)
    restored = np.fft.rfft(_slow_branch(time_kind, wave, time, n, blocks)[:, 0])
    magnitude = np.abs(np.fft.rfft(wave[:, 0]))
    band = n // 2 // 4
    bins = np.concatenate([magnitude[1 : 1 + band]] * 4)[:, None]
    # The code gives the spectral branch the blocks of the time branch, the text as many blocks.
    sized = n // 2 if blocks == "paper" else n
    estimate = _slow_branch(spectral_kind, bins, spectral, sized, blocks)[:, 0]
    estimate = np.concatenate([magnitude[:1], estimate])
    w = (np.tanh(v[0][:, 0]) + 1) / 2
    if network.fusion == "published":
        w = 1 - w
    fused = w * np.abs(restored) + (1 - w) * estimate
    phase = np.arctan2(restored.imag, restored.real)
    return np.fft.irfft(fused * np.cos(phase) + 1j * fused * np.sin(phase))[:, None]


def _slow_branch(kind, x, weights, sized, blocks):
    """A branch; `sized` samples make 32 blocks, at every level that is modulated."""
    weights, skips, start = iter(weights), [], x
    for level in range(3):
        x = _leaky(_slow_down(kind, x, weights))
        x = _slow_film(kind, x, weights, sized // 64 >> level)
        skips.append(x)
    x = _leaky(_slow_down(kind, x, weights))
    x = _slow_film(kind, x, weights, sized // 64 >> 3)
    for level in (2, 1, 0):
        dilation = 2 if kind == "tfilm" else 1
        x = np.maximum(_slow_conv(x, next(weights), next(weights), 1, dilation), 0)
        x = _slow_subpixel(x)
        x = _slow_film(kind, x, weights, sized // 64 >> (level if blocks == "paper" else 3))
        x = np.concatenate([x, skips[level]], axis=1)
    return start + _slow_subpixel(_slow_conv(x, next(weights), next(weights), 1, 1))


def _slow_down(kind, x, weights):
    if kind == "unet":
        return _slow_conv(x, next(weights), next(weights), 2, 1)
    x = _slow_conv(x, next(weights), next(weights), 1, 2)
    return np.maximum(x[0::2], x[1::2])


def _slow_film(kind, x, weights, block):
    if kind == "unet":
        return x
    kernel, recurrent, bias = next(weights), next(weights), next(weights)
    units = x.shape[1]
    hidden, cell = np.zeros(units), np.zeros(units)
    out = np.empty_like(x)
    for start in range(0, len(x), block):
        peak = x[start : start + block].max(axis=0)
        gates = peak @ kernel + hidden @ recurrent + bias
        into, forget, fresh, outof = np.split(gates, 4)
        cell = _sigmoid(forget) * cell + _sigmoid(into) * np.tanh(fresh)
        hidden = _sigmoid(outof) * np.tanh(cell)
        out[start : start + block] = hidden * x[start : start + block]
    return out


def _slow_conv(x, kernel, bias, stride, dilation):
    """TensorFlow's "same": the odd sample of padding goes to the end."""
    reach, steps = (len(kernel) - 1) * dilation + 1, -(-len(x) // stride)
    total = max((steps - 1) * stride + reach - len(x), 0)
    padded = np.pad(x, ((total // 2, total - total // 2), (0, 0)))
    frames = [padded[step * stride : step * stride + reach : dilation] for step in range(steps)]
    return np.stack([np.tensordot(frame, kernel, 2) + bias for frame in frames])


def _slow_subpixel(x):
    """Sample 2 k comes from the first half of the channels of k, 2 k + 1 from the second."""
    half = x.shape[1] // 2
    out = np.empty((2 * len(x), half))
    out[0::2], out[1::2] = x[:, :half], x[:, half:]
    return out


def _leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("variant", PARAMETERS)
def test_dropout_acts_in_every_branch_in_training_only(variant):
    network = small(variant, patch=256)
    for name in BRANCHES[variant]:
        rates = [layer.rate for layer in layers_of(network, name, keras.layers.Dropout)]
        assert rates == [0.5] * 4
    wave = waves(256)
    np.testing.assert_array_equal(network(wave, training=False), network(wave, training=False))
    once, again = (np.asarray(network(wave, training=True)) for _ in range(2))
    assert np.any(once != again)


# === Patches ===


@pytest.mark.parametrize("variant", PARAMETERS)
@pytest.mark.parametrize("blocks", ["paper", "published"])
def test_a_patch_suits_the_network_that_was_built_for_it(variant, blocks):
    for patch in (256, 1024, 8192, 16384):
        with keras.StatelessScope(initialize_variables=False):
            network = models.build("gionet", variant=variant, blocks=blocks, patch=patch)
        assert patch % network.multiple == 0
    network = models.build("gionet", variant=variant, blocks=blocks, patch=256, width=0.02)
    assert network(waves(256)).shape == (2, 256, 1)


@pytest.mark.parametrize("variant", PARAMETERS)
def test_every_multiple_runs_and_less_does_not(variant):
    network = models.build("gionet", variant=variant, blocks="published", width=0.02)
    n = 3 * network.multiple
    assert network(waves(n)).shape == (2, n, 1)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        network(waves(n - network.multiple // 2))


def test_a_short_patch_has_as_many_blocks_as_its_bottleneck_allows():
    network = models.build("gionet", patch=256, width=0.02)
    assert blocks_of(network, "time") == [8, 4, 2, 1, 2, 4, 8]
    assert blocks_of(network, "spectral") == [8, 4, 2, 1, 2, 4, 8]


# === No NaN ===


@pytest.mark.parametrize(
    ("variant", "policy"), [("gionet", "float32"), ("gionet2", "mixed_bfloat16")]
)
def test_training_on_empty_bins_stays_finite(variant, policy):
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        network = models.build("gionet", variant=variant, width=0.03, patch=256)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    silence, sine = np.zeros(256), 0.5 * np.sin(2 * np.pi * 16 * np.arange(256) / 256)
    batch = np.stack([silence, sine, silence + 0.5])[..., None].astype(np.float32)
    optimizer = keras.optimizers.Adam(1e-3)
    for some in (batch[:1], batch):
        with tf.GradientTape() as tape:
            output = network(some, training=True)
            error = tf.reduce_mean((output - 0.1) ** 2)
        gradients = tape.gradient(error, network.trainable_variables)
        assert np.isfinite(output).all()
        assert all(np.isfinite(gradient).all() for gradient in gradients)
        optimizer.apply(gradients, network.trainable_variables)
    assert all(np.isfinite(weight).all() for weight in network.get_weights())


@pytest.mark.parametrize("variant", ["gionet2", "tfilmnet"])
def test_mixed_precision_adds_the_wave_exactly(variant):
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        network = models.build("gionet", variant=variant, width=0.02, patch=256)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    if variant != "tfilmnet":
        # All weight on the time branch, which without weights is the wave.
        network.get_layer("fusion").set_weights([np.full((129, 1), 20)])
    wave = waves(256)
    np.testing.assert_allclose(network(wave), wave, rtol=0, atol=1e-6)


# === Mistakes ===


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "gionet3"}, "'gionet3' is none of gionet, gionet2, tfnet, tfilmnet"),
        ({"fusion": "code"}, "'code' is none of paper, published"),
        ({"blocks": "code"}, "'code' is none of paper, published"),
        ({"ratio": 0}, "the ratio is at least 1, not 0"),
        ({"patch": 100}, "100 samples is no multiple of 32"),
        ({"width": 0.001}, r"width 0\.001"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build("gionet", **{"width": 0.02, **arguments})
