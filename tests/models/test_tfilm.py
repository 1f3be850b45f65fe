"""TFiLM, compared with the numbers of the paper and a reference in NumPy."""

from functools import partial

import keras
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models.layers import TapOrthogonal, TFiLM


@pytest.fixture(scope="module")
def full(outline):
    """The network at the published size."""
    return outline("tfilm")


def test_parameters_are_the_published_ones(full):
    assert full.count_params() == 68_221_186


def test_convolutions_have_the_published_kernels_and_dilation(full, layers_of):
    layers = layers_of(full)
    assert [tuple(layer.kernel.shape) for layer in layers] == [
        # kernel, channels in, channels out
        (65, 1, 128),
        (33, 128, 256),
        (17, 256, 512),
        (9, 512, 512),
        (9, 512, 512),
        (9, 512, 1024),
        (17, 1024, 1024),
        (33, 1024, 512),
        (65, 512, 256),
        (9, 256, 2),
    ]
    assert [layer.dilation_rate[0] for layer in layers] == [2] * 9 + [1]
    assert all(layer.strides == (1,) and layer.use_bias for layer in layers)
    assert all(layer.padding == "same" for layer in layers)


def test_sequences_are_halved_by_max_pooling_after_five_convolutions(full, layers_of):
    pools = layers_of(full, keras.layers.MaxPooling1D)
    assert [(pool.pool_size, pool.strides) for pool in pools] == [((2,), (2,))] * 5


def test_every_modulation_is_an_lstm_with_the_channels_of_its_input(full, layers_of):
    sequences = [layer.sequence for layer in layers_of(full, TFiLM)]
    units = [sequence.units for sequence in sequences]
    assert units == [128, 256, 512, 512, 512, 512, 512, 256, 128]
    assert all(sequence.return_sequences for sequence in sequences)


@pytest.mark.parametrize(
    ("arguments", "n", "steps"),
    [
        ({}, 8192, [32] * 9),
        ({"blocks": "published"}, 8192, [32] * 5 + [64, 128, 256, 512]),
        ({}, 16384, [64] * 9),
        ({}, 256, [1] * 9),
        ({"patch": 256}, 256, [8] * 9),
    ],
)
def test_modulations_run_over_the_documented_number_of_blocks(
    arguments, n, steps, outline, layers_of
):
    network = outline("tfilm", width=0.02, **arguments)
    lengths = [n // each for each in (2, 4, 8, 16, 32, 16, 8, 4, 2)]
    blocks = [layer.block for layer in layers_of(network, TFiLM)]
    assert [m // block for m, block in zip(lengths, blocks, strict=True)] == steps


def test_lengths_are_multiples_of_the_published_block(full):
    assert full.multiple == 256


@pytest.mark.parametrize(
    ("initializer", "kind"),
    [("keras2", keras.initializers.Orthogonal), ("keras1", TapOrthogonal)],
)
def test_initial_weights_follow_the_published_code(initializer, kind, layers_of):
    network = models.build("tfilm", width=0.1, initializer=initializer)
    *layers, last = layers_of(network)
    assert all(type(layer.kernel_initializer) is kind for layer in layers)
    assert np.std(last.kernel) == pytest.approx(1e-3, rel=0.2)
    assert {layer.initializer for layer in layers_of(network, TFiLM)} == {initializer}


@pytest.mark.parametrize(
    ("blocks", "gates"),
    [("paper", "sigmoid"), ("published", "sigmoid"), ("paper", "hard_sigmoid")],
)
def test_output_equals_a_numpy_reference(blocks, gates, reference, waves):
    network = models.build("tfilm", blocks=blocks, gates=gates, width=0.03)
    weights = reference.randomize(network, 0.3)
    wave = waves(1024)
    lstm = partial(reference.lstm, gate=reference.gates[gates])
    expected = [
        reference.film_unet(each.astype(np.float64), weights, reference.blocks(blocks), lstm)
        for each in wave
    ]
    assert np.std(expected - wave) > 0.1
    reference.assert_close(network(wave), expected)


def test_both_kinds_of_gates_read_the_same_file_but_differ_in_output(reference, waves, tmp_path):
    smooth, hard = (
        models.build("tfilm", gates=gates, width=0.03) for gates in ("sigmoid", "hard_sigmoid")
    )
    reference.randomize(smooth, 0.3)
    smooth.save_weights(tmp_path / "best.weights.h5")
    hard.load_weights(tmp_path / "best.weights.h5")
    wave = waves(1024)
    assert np.abs(np.asarray(smooth(wave)) - np.asarray(hard(wave))).max() > 0.01
    for one, other in zip(smooth.get_weights(), hard.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_both_kinds_of_blocks_take_the_same_weights_but_differ_in_output(reference, waves):
    paper, published = (
        models.build("tfilm", blocks=blocks, width=0.03) for blocks in ("paper", "published")
    )
    published.set_weights(reference.randomize(paper, 0.3))
    wave = waves(1024)
    assert np.abs(np.asarray(paper(wave)) - np.asarray(published(wave))).max() > 0.01


def test_dropout_is_in_the_bottleneck_and_on_the_way_up(full, layers_of):
    kinds = [type(layer).__name__ for layer in full.layers]
    steps = [kinds[at - 1 : at + 2] for at, kind in enumerate(kinds) if kind == "Dropout"]
    assert steps == [["MaxPooling1D", "Dropout", "LeakyReLU"]] + [["Conv1D", "Dropout", "ReLU"]] * 4
    assert {layer.rate for layer in layers_of(full, keras.layers.Dropout)} == {0.5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": "code"}, "^tfilm: unsupported blocks 'code'; choose one of paper, published$"),
        ({"gates": "1"}, "^tfilm: unsupported gates '1'; choose one of sigmoid, hard_sigmoid$"),
        ({"initializer": "glorot"}, "^tfilm: unsupported initializer 'glorot'; choose one of"),
        ({"patch": 6000}, "^tfilm: patch 6000 must be a multiple of 1024, or of 32 below 1024$"),
        ({"patch": 100}, "^tfilm: patch 100 must be a multiple of 1024, or of 32 below 1024$"),
        ({"patch": 7}, "^tfilm: patch 7 must be a multiple of 1024, or of 32 below 1024$"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        models.build("tfilm", **arguments)
