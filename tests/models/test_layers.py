"""Functions and layers that several papers share, compared with NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from seeds import seed_networks
from wideband.command import UserError
from wideband.models.layers import Subpixel, TapOrthogonal, TFiLM, hard_sigmoid, widen


def test_the_subpixel_step_interleaves_the_halves_of_the_channels(waves):
    x = waves(5, 6)
    y = np.asarray(Subpixel()(x))
    np.testing.assert_array_equal(y[:, 0::2], x[:, :, :3])
    np.testing.assert_array_equal(y[:, 1::2], x[:, :, 3:])


def test_a_width_multiplies_and_rounds_to_multiples():
    assert widen((128, 256, 512), 0.25) == [32, 64, 128]
    assert widen((128, 256, 512), 0.05) == [6, 13, 26]
    assert widen((128, 256, 512), 0.05, 8) == [8, 16, 24]
    with pytest.raises(UserError, match=r"^width 0\.001 leaves a layer without filters"):
        widen((128, 600), 0.001)


# === The initial weights of Keras 1 ===


@pytest.mark.parametrize("shape", [(9, 6, 8), (65, 1, 12)])
def test_the_taps_of_a_kernel_of_keras_1_are_orthogonal_with_a_norm_of_1_1(shape):
    kernel = np.asarray(TapOrthogonal()(shape))
    assert kernel.shape == shape
    taps = kernel.reshape(shape[0], -1)
    # With more taps than weights per tap, the weights over the taps are orthogonal.
    product = taps @ taps.T if shape[0] <= taps.shape[1] else taps.T @ taps
    np.testing.assert_allclose(product, 1.21 * np.eye(min(taps.shape)), atol=1e-5)


def test_the_matrices_of_an_lstm_of_keras_1_are_uniform_and_its_forget_gate_starts_open():
    layer = TFiLM(4, initializer="keras1")
    layer.build((None, None, 48))
    kernel, recurrent, bias = layer.get_weights()
    bound = np.sqrt(6 / (48 + 48))
    for matrix in (kernel, recurrent):
        assert matrix.shape == (48, 4 * 48)
        assert np.abs(matrix).max() == pytest.approx(bound, rel=0.01)
        assert np.std(matrix) == pytest.approx(bound / np.sqrt(3), rel=0.02)
    assert not np.allclose(kernel, recurrent)
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 48))


# === The TFiLM layer ===


@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid"])
def test_a_tfilm_layer_scales_blocks_with_an_lstm_over_their_maxima(gates, reference, waves):
    layer = TFiLM(4, gates=gates)
    layer.build((None, 24, 3))
    weights = reference.randomize(layer, 0.7)
    # Some gates are beyond the bounds of the hard sigmoid.
    x = 10 * waves(24, 3)
    expected = [
        wave
        * np.repeat(
            reference.lstm(reference.pool(wave, 4), iter(weights), reference.gates[gates]),
            4,
            axis=0,
        )
        for wave in x
    ]
    reference.assert_close(layer(x), expected)


def test_the_hard_sigmoid_is_that_of_keras_1_and_not_that_of_keras_3():
    x = np.array([-9, -2.5, -2, -1, 0, 1, 2, 2.5, 9], np.float32)
    found = np.asarray(hard_sigmoid(x))
    np.testing.assert_allclose(found, [0, 0, 0.1, 0.3, 0.5, 0.7, 0.9, 1, 1], atol=1e-6)
    assert np.abs(found - keras.ops.hard_sigmoid(x)).max() > 0.05


def test_a_tfilm_layer_has_only_the_weights_of_an_lstm():
    layer = TFiLM(8)
    layer.build((None, None, 5))
    assert [tuple(weight.shape) for weight in layer.weights] == [(5, 20), (5, 20), (20,)]


def test_a_block_depends_on_itself_and_the_blocks_before(waves):
    layer, x = TFiLM(8), waves(40, 3)
    before = np.asarray(layer(x))
    x[:, 16:24] += 1
    moved = np.any(np.asarray(layer(x)) != before, axis=(0, 2)).reshape(5, 8)
    assert moved.any(axis=1).tolist() == [False, False, True, True, True]


def test_a_tfilm_layer_works_in_any_model(waves, tmp_path):
    seed_networks(0)
    model = keras.Sequential(
        [
            keras.Input((None, 2)),
            keras.layers.Conv1D(6, 5, padding="causal", activation="relu"),
            TFiLM(10, gates="hard_sigmoid", initializer="keras1"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    x = waves(50, 2)
    model.compile("adam", "mse", run_eagerly=True)
    before = model.get_weights()
    model.fit(x, x[:, 0, :1], verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[1].get_config() == model.layers[1].get_config()
    np.testing.assert_array_equal(again(x), model(x))
    # A graph of unknown length has the output of an eager call.
    graph = tf.function(again, input_signature=[tf.TensorSpec((None, None, 2))])
    np.testing.assert_allclose(graph(x), model(x), atol=1e-6)


def test_a_length_that_is_not_a_multiple_of_the_block_is_refused(waves):
    with pytest.raises(UserError, match="length of 50 samples must be a multiple of the block, 8"):
        TFiLM(8)(waves(50, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"block": 0}, r"^block of 0 samples must have at least 1$"),
        ({"gates": "hard"}, r"^unsupported gates 'hard'; choose one of sigmoid, hard_sigmoid$"),
        (
            {"initializer": "keras3"},
            r"^unsupported initializer 'keras3'; choose one of keras2, keras1$",
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        TFiLM(**{"block": 8, **arguments})
