"""What several papers share, against plain NumPy."""

import keras
import numpy as np
import pytest
from wideband.models.layers import Subpixel, TFiLM, film_unet, first_block, widen


def waves(n, channels, seed=0):
    return np.random.default_rng(seed).normal(0, 1, (2, n, channels)).astype(np.float32)


def test_the_subpixel_step_interleaves_the_halves_of_the_channels():
    x = waves(5, 6)
    y = np.asarray(Subpixel()(x))
    np.testing.assert_array_equal(y[:, 0::2], x[:, :, :3])
    np.testing.assert_array_equal(y[:, 1::2], x[:, :, 3:])


def test_a_width_multiplies_and_rounds_to_multiples():
    assert widen((128, 256, 512), 0.25) == [32, 64, 128]
    assert widen((128, 256, 512), 0.05) == [6, 13, 26]
    assert widen((128, 256, 512), 0.05, 8) == [8, 16, 24]
    with pytest.raises(ValueError, match=r"width 0\.001 leaves a layer without filters"):
        widen((128, 600), 0.001)


# === The TFiLM layer ===


def test_a_tfilm_layer_scales_blocks_by_an_lstm_of_their_maxima(slow):
    layer = TFiLM(4)
    layer.build((None, 24, 3))
    weights = slow.draw(layer, 0.7)
    x = waves(24, 3)
    expected = [
        wave * np.repeat(slow.lstm(slow.pool(wave, 4), iter(weights)), 4, axis=0) for wave in x
    ]
    slow.assert_close(layer(x), expected)


def test_a_tfilm_layer_has_the_weights_of_an_lstm_and_no_more():
    layer = TFiLM(8)
    layer.build((None, None, 5))
    assert [tuple(weight.shape) for weight in layer.weights] == [(5, 20), (5, 20), (20,)]


def test_a_block_depends_on_the_blocks_before_it_alone():
    layer, x = TFiLM(8), waves(40, 3)
    calm = np.asarray(layer(x))
    x[:, 16:24] += 1
    moved = np.any(np.asarray(layer(x)) != calm, axis=(0, 2)).reshape(5, 8)
    assert moved.any(axis=1).tolist() == [False, False, True, True, True]


def test_a_tfilm_layer_works_in_any_model(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None, 2)),
            keras.layers.Conv1D(6, 5, padding="causal", activation="relu"),
            TFiLM(10),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(1),
        ]
    )
    x = waves(50, 2)
    model.compile("adam", "mse", jit_compile=False)
    before = model.get_weights()
    model.fit(x, x[:, 0, :1], verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[1].block == 10
    np.testing.assert_array_equal(again(x), model(x))
    # A graph of open length, as against an eager call.
    np.testing.assert_allclose(again.predict(x, verbose=0), model(x), atol=1e-6)


def test_a_length_that_is_no_multiple_of_the_block_is_refused():
    with pytest.raises(ValueError, match="50 samples are no multiple of the block of 8"):
        TFiLM(8)(waves(50, 2))


def test_a_block_without_samples_is_refused():
    with pytest.raises(ValueError, match="at least 1 sample, not 0"):
        TFiLM(0)


# === The U-Net around it ===


@pytest.mark.parametrize(
    ("length", "levels", "block", "steps"),
    [(8192, 4, 128, 32), (8192, 3, 128, 32), (4096, 3, 64, 32), (256, 4, 16, 8), (32, 4, 16, 1)],
)
def test_blocks_make_32_steps_or_as_many_as_the_bottleneck_has_samples(
    length, levels, block, steps
):
    assert first_block(length, levels) == block
    assert length // 2 // block == steps


def test_the_u_net_of_modulations_has_no_way_around_it():
    wave = keras.Input((None, 1))
    network = keras.Model(wave, film_unet(wave, (3, 4), (5, 3), 6, first_block=8))
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    assert not np.any(network(waves(32, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": "thesis"}, "'thesis' is none of paper, published"),
        ({"first_block": 6}, "block of 6 samples cannot halve 2 times"),
    ],
)
def test_wrong_blocks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        film_unet(keras.Input((None, 1)), (3, 4), (5, 3), 6, **arguments)
