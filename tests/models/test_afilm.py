"""AFiLM, compared with the numbers of the paper and a reference in NumPy."""

import keras
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models.afilm import AFiLM, Transformer

# One of the largest networks.
pytestmark = pytest.mark.slow

HEADS = 8


@pytest.fixture(scope="module")
def full(outline):
    """The network at the published size."""
    return outline("afilm")


def test_parameters_are_the_published_ones(full):
    assert full.count_params() == 134_723_842


def test_convolutions_are_those_of_tfilm(full, outline, layers_of):
    convolutions = [
        [
            (layer.kernel.shape, layer.strides, layer.dilation_rate, layer.use_bias)
            for layer in layers_of(network)
        ]
        for network in (full, outline("tfilm"))
    ]
    assert convolutions[0] == convolutions[1]
    assert len(convolutions[0]) == 10


def test_every_modulation_has_four_layers_of_eight_heads_and_2048_hidden_units(full, layers_of):
    channels = [128, 256, 512, 512, 512, 512, 512, 256, 128]
    for layer, c in zip(layers_of(full, AFiLM), channels, strict=True):
        shapes = [tuple(weight.shape) for weight in layer.weights]
        projection = [(c, 8, c // 8), (8, c // 8)]
        assert shapes == 4 * [
            *(3 * projection),
            (8, c // 8, c),
            (c,),
            (c, 2048),
            (2048,),
            (2048, c),
            (c,),
            *(4 * [(c,)]),
        ]


@pytest.mark.parametrize(
    ("arguments", "n", "steps"),
    [
        ({}, 8192, [32] * 9),
        ({"blocks": "published"}, 8192, [32] * 5 + [64, 128, 256, 512]),
        ({"patch": 256}, 256, [8] * 9),
    ],
)
def test_attention_runs_over_the_documented_number_of_blocks(
    arguments, n, steps, outline, layers_of
):
    network = outline("afilm", width=0.05, depth=1, **arguments)
    lengths = [n // each for each in (2, 4, 8, 16, 32, 16, 8, 4, 2)]
    blocks = [layer.block for layer in layers_of(network, AFiLM)]
    assert [m // block for m, block in zip(lengths, blocks, strict=True)] == steps


def test_initial_weights_follow_the_published_code(layers_of):
    network = models.build("afilm", width=0.125, depth=1)
    *layers, last = layers_of(network)
    for layer in layers:
        assert isinstance(layer.kernel_initializer, keras.initializers.Orthogonal)
    assert np.std(last.kernel) == pytest.approx(0.05, rel=0.1)
    # Each dense layer (c, c) has its own sample of Glorot's uniform distribution.
    weights = layers_of(network, AFiLM)[2].weights
    query, _, key, _, value, _, out, *_ = (np.asarray(weight) for weight in weights)
    for kernel in (query, key, value, out):
        assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (64 + 64)), rel=0.01)
    assert np.abs(np.corrcoef([query.ravel(), key.ravel(), value.ravel()]) - np.eye(3)).max() < 0.1


# === The whole network and its transformer ===


@pytest.mark.parametrize("blocks", ["paper", "published"])
def test_output_equals_a_numpy_reference(blocks, reference, waves):
    network = models.build("afilm", blocks=blocks, width=0.05, depth=2)
    weights = reference.randomize(network, 0.05)
    wave = waves(1024)
    expected = [
        reference.film_unet(each.astype(np.float64), weights, reference.blocks(blocks), _two_layers)
        for each in wave
    ]
    assert np.std(expected - wave) > 0.1
    reference.assert_close(network(wave), expected)


def test_a_transformer_of_four_layers_equals_a_numpy_reference(reference, waves):
    layer = Transformer(4, HEADS, 20)
    layer.build((None, None, 16))
    weights = reference.randomize(layer, 0.5)
    x = waves(50, 16)
    reference.assert_close(layer(x), [_reference_transformer(each, iter(weights), 4) for each in x])


def _two_layers(x, weights):
    return _reference_transformer(x, weights, 2)


def _reference_transformer(x, weights, depth):
    """Vaswani et al. 2017, section 3, with normalization after each sum."""
    n, channels = x.shape
    x = x * np.sqrt(channels)
    for position in range(n):
        for pair in range(0, channels, 2):
            angle = position / 10000 ** (pair / channels)
            x[position, pair] += np.sin(angle)
            x[position, pair + 1] += np.cos(angle)
    for _ in range(depth):
        query, key, value, out, hidden, back, norm1, norm2 = (
            (next(weights), next(weights)) for _ in range(8)
        )
        x = _normalized(x + _attention(x, query, key, value, out), *norm1)
        y = np.maximum(x @ hidden[0] + hidden[1], 0) @ back[0] + back[1]
        x = _normalized(x + y, *norm2)
    return x


def _attention(x, query, key, value, out):
    total = np.zeros_like(x) + out[1]
    for head in range(HEADS):
        q, k, v = (x @ kernel[:, head] + bias[head] for kernel, bias in (query, key, value))
        score = q @ k.T / np.sqrt(q.shape[1])
        score = np.exp(score - score.max(axis=1, keepdims=True))
        total += score / score.sum(axis=1, keepdims=True) @ v @ out[0][head]
    return total


def _normalized(x, gamma, beta):
    mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-6) * gamma + beta


def test_a_graph_of_unknown_length_returns_the_same_output(reference, waves):
    layer = AFiLM(8, depth=1, feed_forward=12)
    model = keras.Sequential([keras.Input((None, 16)), layer])
    reference.randomize(layer, 0.5)
    x = waves(80, 16)
    reference.assert_close(model.predict(x, verbose=0), layer(x))


# === Dropout, which the published code never turns off ===


def test_the_dropout_of_the_attention_is_active_in_training_only(waves):
    arguments = {"patch": 64, "width": 0.05, "depth": 1}
    network = models.build("afilm", **arguments, dropout=0.0, attention_dropout=0.5)
    x = waves(64)
    np.testing.assert_array_equal(network(x), network(x))
    assert np.any(np.asarray(network(x, training=True)) != np.asarray(network(x, training=True)))


def test_dropout_follows_the_positions_and_both_halves_of_a_layer():
    layer = Transformer(3, HEADS, 20)
    layer.build((None, None, 16))
    assert layer.first_dropout.rate == 0.1
    for each in layer.stack:
        assert (each.dropout1.rate, each.dropout2.rate) == (0.1, 0.1)
        assert each.attention.get_config()["dropout"] == 0
    assert len(layer.stack) == 3


def test_unknown_blocks_are_refused():
    with pytest.raises(
        UserError, match=r"^afilm: unsupported blocks 'code'; choose one of paper, published$"
    ):
        models.build("afilm", blocks="code")


def test_channels_that_are_not_a_multiple_of_the_heads_are_refused(waves):
    with pytest.raises(UserError, match="12 channels must be a multiple of the 8 heads"):
        AFiLM(8)(waves(16, 12))
