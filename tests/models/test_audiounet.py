"""The AudioUNet against the paper's figures and a slow network in plain NumPy."""

import keras
import numpy as np
import pytest
from wideband import models

PARAMETERS = {"2017": 56_411_394, "2019": 70_977_154}
FILTERS = {"2017": (128, 256, 512, 512), "2019": (128, 384, 512, 512)}


@pytest.fixture(scope="module", params=PARAMETERS)
def full(request):
    """A variant and its network at the published size."""
    # Its shapes alone: drawing the initial weights takes many seconds.
    with keras.StatelessScope(initialize_variables=False):
        return request.param, models.build("audiounet", variant=request.param)


def test_parameters_are_the_published_ones(full):
    variant, network = full
    assert network.count_params() == PARAMETERS[variant]


def test_convolutions_have_the_published_kernels_and_strides(full):
    variant, network = full
    f1, f2, f3, f4 = FILTERS[variant]
    expected = [
        # (kernel, channels in, channels out), stride
        ((65, 1, f1), 2),
        ((33, f1, f2), 2),
        ((17, f2, f3), 2),
        ((9, f3, f4), 2),
        ((9, f4, 512), 2),
        ((9, 512, 2 * f4), 1),
        ((17, 2 * f4, 2 * f3), 1),
        ((33, 2 * f3, 2 * f2), 1),
        ((65, 2 * f2, 2 * f1), 1),
        ((9, 2 * f1, 2), 1),
    ]
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv1D)]
    assert [(tuple(layer.kernel.shape), layer.strides[0]) for layer in layers] == expected
    assert all(layer.use_bias and layer.padding == "same" for layer in layers)
    assert all(layer.dilation_rate == (1,) for layer in layers)


def test_2017_is_the_default():
    assert models.build("audiounet", width=0.02).get_config()["variant"] == "2017"


def test_inner_sequences_halve_and_double():
    network = models.build("audiounet", width=0.02)
    probe = keras.Model(
        network.inputs,
        [layer.output for layer in network.layers if isinstance(layer, keras.layers.Conv1D)],
    )
    lengths = [output.shape[1] for output in probe([np.zeros((1, 8192, 1), np.float32)])]
    assert lengths == [4096, 2048, 1024, 512, 256, 256, 512, 1024, 2048, 4096]


def test_initial_weights_follow_the_published_code():
    network = models.build("audiounet", width=0.25)
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv1D)]
    for layer in convolutions[:-1]:
        assert isinstance(layer.kernel_initializer, keras.initializers.Orthogonal)
    assert np.std(convolutions[-1].kernel) == pytest.approx(1e-3, rel=0.1)


@pytest.mark.parametrize("variant", ["2017", "2019"])
def test_output_equals_a_slow_numpy_network(variant):
    network = models.build("audiounet", variant=variant, width=0.03)
    rng = np.random.default_rng(1)
    weights = [rng.normal(0, 0.3, weight.shape) for weight in network.weights[:20]]
    network.set_weights([*weights, *network.get_weights()[20:]])
    wave = rng.normal(0, 0.3, (2, 256, 1))
    expected = np.stack([_slow_audiounet(each, weights) for each in wave])
    actual = np.asarray(network(wave.astype(np.float32)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def _slow_audiounet(wave, weights):
    """The network as the paper's section 3 and the published code tell it, sum by sum."""
    kernels, biases = iter(weights[0::2]), iter(weights[1::2])
    x, skips = wave, []
    for _ in range(4):
        x = _leaky(_slow_conv(x, next(kernels), next(biases), 2))
        skips.append(x)
    x = _leaky(_slow_conv(x, next(kernels), next(biases), 2))
    for skip in reversed(skips):
        x = np.maximum(_slow_conv(x, next(kernels), next(biases), 1), 0)
        x = np.concatenate([_slow_subpixel(x), skip], axis=1)
    return wave + _slow_subpixel(_slow_conv(x, next(kernels), next(biases), 1))


def _slow_conv(x, kernel, bias, stride):
    """TensorFlow's "same": the odd sample of padding goes to the end."""
    size, steps = len(kernel), -(-len(x) // stride)
    total = max((steps - 1) * stride + size - len(x), 0)
    padded = np.pad(x, ((total // 2, total - total // 2), (0, 0)))
    frames = [padded[step * stride : step * stride + size] for step in range(steps)]
    return np.stack([np.tensordot(frame, kernel, 2) + bias for frame in frames])


def _slow_subpixel(x):
    """Sample 2 k comes from the first half of the channels of k, 2 k + 1 from the second."""
    half = x.shape[1] // 2
    out = np.empty((2 * len(x), half))
    out[0::2], out[1::2] = x[:, :half], x[:, half:]
    return out


def _leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="'2018' is none of 2017, 2019"):
        models.build("audiounet", variant="2018")


def test_a_width_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"width 0\.001"):
        models.build("audiounet", width=0.001)


def test_the_wave_is_added_in_float32_under_mixed_precision():
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        network = models.build("audiounet", width=0.02)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    wave = np.random.default_rng(2).normal(0, 0.3, (1, 64, 1)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(network(wave)), wave)
