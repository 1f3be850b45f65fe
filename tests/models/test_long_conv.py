"""Convolutions with long kernels, compared with NumPy and with Keras."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from wideband.models import long_conv
from wideband.models.long_conv import Conv1D, conv_by_transforms, plain_convolutions
from wideband.models.weight_norm import WeightNormConv1D
from wideband.upsample.export.convert import convert, operators


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def plain(x, kernel, strides, dilation):
    """Correlates each channel with its filters in float64, with zeros around the samples.

    There are as many zeros as "same" has in Keras: as few as give an output for each stride, half
    of them in front.
    """
    taps, n = len(kernel), x.shape[1]
    spread = np.zeros(((taps - 1) * dilation + 1, *kernel.shape[1:]))
    spread[::dilation] = kernel
    zeros = (math.ceil(n / strides) - 1) * strides + len(spread) - n
    padding = (zeros // 2, zeros - zeros // 2)
    padded = np.pad(x.astype(np.float64), ((0, 0), padding, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(spread), axis=1)
    return np.einsum("bnck,kcf->bnf", windows[:, ::strides], spread)


@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (1, 2), (1, 3), (2, 1), (4, 1)])
@pytest.mark.parametrize("taps", [9, 32, 65])
@pytest.mark.parametrize("n", [9, 64, 201])
def test_the_output_is_that_of_a_convolution(n, taps, strides, dilation):
    x, kernel = arrays((2, n, 3), (taps, 3, 5))
    expected = plain(x, kernel, strides, dilation)
    output = np.asarray(conv_by_transforms(x, kernel, strides, dilation))
    assert output.shape == expected.shape
    np.testing.assert_allclose(output, expected, atol=1e-5 * taps**0.5)


def layers_of_both_kinds(dtype="float32", **options):
    """Returns our layer and that of Keras with the same weights."""
    options = {"filters": 24, "kernel_size": 33, "padding": "same", "name": "conv"} | options
    both = [kind(**options, dtype=dtype) for kind in (Conv1D, layers.Conv1D)]
    for layer in both:
        layer.build((None, None, 16))
    both[0].bias.assign(arrays((24,))[0])
    both[1].set_weights(both[0].get_weights())
    return both


def convolves(layer, x):
    """Whether the graph of a layer has a convolution."""
    graph = tf.function(layer).get_concrete_function(x).graph
    return any(operation.type == "Conv2D" for operation in graph.get_operations())


@pytest.mark.parametrize("options", [{}, {"dilation_rate": 2}, {"strides": 2}])
def test_a_layer_has_the_output_and_the_gradients_of_keras_without_a_convolution(options):
    x, weights = arrays((2, 100, 16), (2, 100 // options.get("strides", 1), 24))
    both = layers_of_both_kinds(**options, activation="relu")
    results = []
    for layer in both:
        wave = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(wave)
            output = layer(wave)
            loss = tf.reduce_sum(output * weights)
        results.append([output, *tape.gradient(loss, [wave, *layer.trainable_variables])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * float(tf.reduce_max(abs(theirs))))
    assert [convolves(layer, x) for layer in both] == [False, True]


def test_a_graph_takes_waves_of_any_length():
    (x,) = arrays((3, 150, 16))
    ours, theirs = layers_of_both_kinds()
    graph = tf.function(ours, input_signature=[tf.TensorSpec((None, None, 16))])
    for wave in (x, x[:1, :33]):
        np.testing.assert_allclose(graph(wave), theirs(wave), atol=1e-5)


def test_half_floats_differ_by_their_rounding():
    (x,) = arrays((2, 200, 16))
    ours, theirs = layers_of_both_kinds("mixed_bfloat16")
    exact = np.asarray(layers_of_both_kinds()[1](x))
    error, usual = (np.std(np.asarray(each(x), np.float32) - exact) for each in (ours, theirs))
    assert keras.backend.standardize_dtype(ours(x).dtype) == "bfloat16"
    # One of the input, of the kernel, and of the products.
    assert 0 < error < 4 * usual


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 31},
        {"strides": 3},
        {"padding": "causal"},
        {"groups": 2},
    ],
)
def test_what_the_transforms_do_not_make_faster_is_convolved_by_keras(options):
    (x,) = arrays((2, 100, 16))
    options = {"filters": 24, "kernel_size": 33, "padding": "same"} | options
    ours, theirs = Conv1D(**options), layers.Conv1D(**options)
    theirs.build(x.shape)
    ours.build(x.shape)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_array_equal(ours(x), theirs(x))


def test_many_channels_or_taps_make_the_transforms_worthwhile():
    cases = [(7, 74, 74), (6, 128, 128), (7, 73, 128), (65, 8, 8), (65, 1, 128), (65, 128, 7)]
    found = [
        convolves(Conv1D(filters, taps, padding="same"), arrays((1, 64, channels))[0])
        for taps, channels, filters in cases
    ]
    assert found == [False, True, True, False, True, True]


def test_float16_which_would_overflow_is_convolved_by_keras():
    (x,) = arrays((1, 100, 16))
    ours, theirs = layers_of_both_kinds("mixed_float16")
    np.testing.assert_array_equal(ours(x), theirs(x))


def test_groups_of_channels_have_kernels_of_their_own():
    (x,) = arrays((1, 100, 64))
    layer = WeightNormConv1D(64, 17, padding="same", groups=2)
    layer.build(x.shape)
    expected = np.concatenate(
        [
            np.asarray(conv_by_transforms(x[:, :, half], layer.normalized()[:, :, half]))
            for half in (slice(32), slice(32, 64))
        ],
        axis=2,
    )
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_a_context_has_the_convolutions_of_keras():
    (x,) = arrays((1, 64, 16))
    ours, theirs = layers_of_both_kinds()
    with plain_convolutions():
        assert convolves(ours, x)
        np.testing.assert_array_equal(ours(x), theirs(x))
    assert not convolves(ours, x)


def test_other_devices_have_the_convolutions_of_keras(monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0"])
    long_conv._only_cpus.cache_clear()
    try:
        (x,) = arrays((1, 64, 16))
        assert convolves(layers_of_both_kinds()[0], x)
    finally:
        long_conv._only_cpus.cache_clear()


def test_weights_have_the_names_and_the_file_of_keras(tmp_path):
    ours, theirs = (
        keras.Sequential([keras.Input((None, 16)), kind(24, 33, padding="same")])
        for kind in (Conv1D, layers.Conv1D)
    )
    theirs.save_weights(tmp_path / "plain.weights.h5")
    ours.load_weights(tmp_path / "plain.weights.h5")
    for own, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    ours.save(tmp_path / "model.keras")
    (x,) = arrays((1, 40, 16))
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), ours(x))


def test_a_tflite_file_has_a_plain_convolution():
    wave = keras.Input((None, 1), name="low")
    x = layers.Conv1D(16, 1)(wave)
    x = Conv1D(16, 33, padding="same", dilation_rate=2)(x)
    x = WeightNormConv1D(16, 33, padding="same")(x)
    network = keras.Model(wave, layers.Conv1D(1, 1)(x))
    counted = operators(convert(network, 64))
    assert counted["CONV_2D"] == 4 and not counted["BATCH_MATMUL"]
