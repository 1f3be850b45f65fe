"""TFNet, compared with its published numbers and a reference in NumPy."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from wideband import models
from wideband.command import UserError
from wideband.models.spectral import Fusion, Magnitude, Replicator, inverse_rfft

# One of the largest networks.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def full(outline):
    """The network at its published size."""
    return outline("tfnet")


# === The numbers of the paper ===


def test_parameters_are_the_published_ones(full):
    assert full.count_params() == 28_214_405


@pytest.mark.parametrize("branch", ["time", "spectral"])
def test_convolutions_have_the_published_kernels_strides_and_biases(full, branch, layers_of):
    expected = [
        # (kernel, channels in, channels out), stride, bias
        ((65, 1, 64), 2, False),
        ((33, 64, 128), 2, False),
        ((17, 128, 256), 2, False),
        ((9, 256, 256), 2, False),
        ((9, 256, 256), 2, True),
        ((9, 256, 512), 1, False),
        ((17, 512, 512), 1, False),
        ((33, 512, 256), 1, False),
        ((65, 256, 128), 1, False),
        ((9, 128, 2), 1, True),
    ]
    layers = layers_of(full.get_layer(branch))
    assert [
        (tuple(layer.kernel.shape), layer.strides[0], layer.use_bias) for layer in layers
    ] == expected
    assert all(layer.padding == "same" and layer.dilation_rate == (1,) for layer in layers)


def test_every_bin_of_the_patch_has_a_fusion_weight_of_about_one_half():
    (v,) = models.build("tfnet", width=0.02).get_layer("fusion").get_weights()
    assert v.shape == (4097, 1)
    assert np.abs(np.tanh(v)).max() < 0.05
    assert np.ptp(v) > 0


def test_initial_weights_follow_the_published_code(full, layers_of):
    for branch in ("time", "spectral"):
        *layers, last = layers_of(full.get_layer(branch))
        for layer in layers:
            assert isinstance(layer.kernel_initializer, keras.initializers.Orthogonal)
        assert isinstance(last.kernel_initializer, keras.initializers.GlorotUniform)


def test_the_full_size_has_the_filters_of_audiounet(outline, layers_of):
    network = outline("tfnet", variant="full", width=1 / 16)
    for branch in ("time", "spectral"):
        filters = [layer.filters for layer in layers_of(network.get_layer(branch))]
        assert filters == [8, 16, 32, 32, 32, 64, 64, 32, 16, 2]


@pytest.mark.parametrize(("branch", "n"), [("time", 8192), ("spectral", 4096)])
def test_inner_sequences_halve_and_double(branch, n, lengths):
    network = models.build("tfnet", width=0.02).get_layer(branch)
    assert lengths(network, n) == [n // each for each in (2, 4, 8, 16, 32, 32, 16, 8, 4, 2)]


# === The whole network ===


@pytest.mark.parametrize(
    ("variant", "ratio", "fusion"),
    [("slim", 2, "paper"), ("slim", 4, "published"), ("full", 3, "published")],
)
def test_output_equals_a_numpy_reference(variant, ratio, fusion, randomized, reference, waves):
    network = randomized(
        "tfnet", width=0.03, variant=variant, ratio=ratio, fusion=fusion, patch=256
    )
    branch = partial(reference.unet, use_bias=False)
    wave = waves(256)
    expected = [
        reference.time_frequency(each.astype(np.float64), network, branch, branch, ratio, fusion)
        for each in wave
    ]
    reference.assert_close(network(wave), expected)


def test_the_two_meanings_of_the_fusion_weight_swap_the_branches(randomized, reference, waves):
    paper = randomized("tfnet", width=0.03, fusion="paper")
    published = randomized("tfnet", width=0.03, fusion="published")
    wave = waves(256)
    assert np.abs(np.asarray(paper(wave) - published(wave))).max() > 0.01
    (v,) = paper.get_layer("fusion").get_weights()
    published.get_layer("fusion").set_weights([-v])
    reference.assert_close(published(wave), paper(wave))


def test_phases_come_from_the_time_branch(randomized, waves):
    network = randomized("tfnet", width=0.03, patch=256)
    wave = waves(256)
    output = np.fft.rfft(np.asarray(network(wave))[0, :, 0])
    time = np.fft.rfft(np.asarray(network.get_layer("time")(wave))[0, :, 0])
    # A negative estimate shifts the phase of a bin by pi.
    sines = np.sin(np.angle(output) - np.angle(time))
    loud = np.abs(output) > 1e-3 * np.abs(output).max()
    assert np.count_nonzero(loud) > 100
    np.testing.assert_allclose(sines[loud], 0, atol=1e-3)


def test_dc_bypasses_the_spectral_branch(randomized, waves):
    network = randomized("tfnet", width=0.03, fusion="paper", patch=256)
    # All weight on the estimate.
    network.get_layer("fusion").set_weights([np.full((129, 1), -20)])
    wave = waves(256)[:1] + 0.1
    output = np.asarray(network(wave))
    assert abs(output.sum()) == pytest.approx(abs(wave.sum()), rel=1e-4)


def test_both_branches_have_the_published_dropout(full, layers_of):
    for branch in ("time", "spectral"):
        dropouts = layers_of(full.get_layer(branch), keras.layers.Dropout)
        assert [layer.rate for layer in dropouts] == [0.5] * 5


def test_a_graph_of_unknown_length_returns_the_same_output(randomized, reference, waves):
    network = randomized("tfnet", width=0.03, ratio=3, patch=512)
    wave = waves(256)
    graph = tf.function(network, input_signature=[tf.TensorSpec((None, None, 1))])
    reference.assert_close(graph(wave), network(wave))


# === The replicator ===


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (1, [1, 2, 3, 4, 5, 6, 7, 8]),
        (2, [1, 2, 3, 4, 1, 2, 3, 4]),
        (3, [1, 2, 1, 2, 1, 2, 1, 2]),
        (4, [1, 2, 1, 2, 1, 2, 1, 2]),
        (8, [1, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_the_replicator_repeats_the_band_without_dc(ratio, expected):
    spectrum = np.arange(9, dtype=np.float32).reshape(1, 9, 1)
    np.testing.assert_array_equal(np.asarray(Replicator(ratio)(spectrum))[0, :, 0], expected)


@pytest.mark.parametrize("ratio", range(2, 9))
def test_the_replicator_fills_a_whole_patch_at_every_ratio(ratio):
    spectrum = np.random.default_rng(8).uniform(0, 1, (2, 4097, 1)).astype(np.float32)
    band = spectrum[:, 1 : 1 + 4096 // ratio]
    copies = np.asarray(Replicator(ratio)(spectrum))
    assert copies.shape == (2, 4096, 1)
    start = 0
    while start < 4096:
        piece = copies[:, start : start + band.shape[1]]
        np.testing.assert_array_equal(piece, band[:, : piece.shape[1]])
        start += band.shape[1]


@pytest.mark.parametrize("ratio", range(2, 9))
def test_a_tone_in_the_band_gets_a_line_in_every_copy(ratio):
    bin_ = 7
    tone = np.sin(2 * np.pi * bin_ * np.arange(8192) / 8192).astype(np.float32)
    copies = np.asarray(Replicator(ratio)(Magnitude()(tone.reshape(1, -1, 1))))[0, :, 0]
    band = 4096 // ratio
    # Bin k is at index k - 1, since DC is removed.
    expected = [copy * band + bin_ - 1 for copy in range(ratio)]
    np.testing.assert_array_equal(np.flatnonzero(copies > 1), expected)
    np.testing.assert_allclose(copies[expected], 4096, rtol=1e-5)


# === The inverse transform ===


@pytest.mark.parametrize("shape", [(2, 16), (2, 3, 512)])
def test_the_inverse_transform_equals_that_of_numpy(shape):
    wave = np.random.default_rng(7).normal(0, 1, shape)
    spectrum = np.fft.rfft(wave)
    found = inverse_rfft(spectrum.real.astype(np.float32), spectrum.imag.astype(np.float32))
    np.testing.assert_allclose(found, np.fft.irfft(spectrum), rtol=0, atol=1e-5)


# === The fusion ===


def fuse(wave, estimate, v, fusion="paper"):
    layer = Fusion(len(v), fusion)
    layer.build(None)
    layer.set_weights([np.reshape(v, (-1, 1))])
    return np.asarray(layer([wave.reshape(1, -1, 1), estimate.reshape(1, -1, 1)]))[0, :, 0]


@pytest.mark.parametrize(("fusion", "sign"), [("paper", 1), ("published", -1)])
def test_the_weight_blends_from_one_branch_to_the_other(fusion, sign):
    rng = np.random.default_rng(9)
    wave = rng.normal(0, 0.3, 64).astype(np.float32)
    estimate = rng.uniform(1, 2, 33).astype(np.float32)
    of_wave = fuse(wave, estimate, np.full(33, 20 * sign), fusion)
    np.testing.assert_allclose(of_wave, wave, rtol=0, atol=1e-6)
    of_estimate = fuse(wave, estimate, np.full(33, -20 * sign), fusion)
    np.testing.assert_allclose(np.abs(np.fft.rfft(of_estimate)), estimate, rtol=1e-5)


@pytest.mark.parametrize("trained", [17, 33, 65, 49])
def test_other_lengths_interpolate_the_weights_along_frequency(trained):
    rng = np.random.default_rng(10)
    v = rng.normal(0, 1, trained)
    wave = rng.normal(0, 0.3, 64).astype(np.float32)
    output = fuse(wave, np.zeros(33, np.float32), v)
    w = np.interp(np.linspace(0, 1, 33), np.linspace(0, 1, trained), (np.tanh(v) + 1) / 2)
    np.testing.assert_allclose(
        np.abs(np.fft.rfft(output)), w * np.abs(np.fft.rfft(wave)), rtol=0, atol=1e-5
    )


def test_silence_in_the_time_branch_stays_silence():
    output = fuse(np.zeros(64, np.float32), np.ones(33, np.float32), np.zeros(33))
    np.testing.assert_array_equal(output, 0)


# === No NaN ===

HARD_WAVES = {
    "silence": np.zeros(256),
    "near silence": np.full(256, 1e-30),
    "constant": np.full(256, 0.5),
    "sine": 0.5 * np.sin(2 * np.pi * 16 * np.arange(256) / 256),
    "highest frequency": 0.5 * np.cos(np.pi * np.arange(256)),
    "impulse": np.eye(1, 256)[0],
    "full scale": np.sign(np.sin(np.arange(256))),
}


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"], indirect=True)
def test_training_on_empty_bins_stays_finite(policy, assert_training_stays_finite):
    """All waves are in one batch, so NaN from any wave would reach all gradients."""
    batch = np.stack(list(HARD_WAVES.values()))[..., np.newaxis].astype(np.float32)
    # With initial weights, which have no biases, silence stays silence in every layer.
    assert_training_stays_finite(models.build("tfnet", width=0.05, patch=256), [batch] * 2)


def test_an_empty_bin_bounds_the_gradient_of_the_time_branch():
    fusion = Fusion(129)
    estimate = tf.ones((1, 129, 1))
    for level in (0.0, 1e-30, 1e-10, 1e-6):
        wave = level * tf.sin(tf.range(256, dtype=tf.float32))[None, :, None]
        with tf.GradientTape() as tape:
            tape.watch(wave)
            output = tf.reduce_sum(fusion([wave, estimate]) ** 2 + fusion([wave, estimate]))
        gradient = np.asarray(tape.gradient(output, wave))
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() < 1e6


def test_the_magnitude_of_an_empty_bin_has_a_gradient_of_zero():
    wave = tf.zeros((1, 64, 1))
    with tf.GradientTape() as tape:
        tape.watch(wave)
        magnitude = Magnitude()(wave)
    np.testing.assert_array_equal(tape.gradient(magnitude, wave), 0)
    np.testing.assert_allclose(magnitude, 0, atol=1e-12)


def test_mixed_precision_keeps_the_spectrum_in_float32(policy, waves):
    network = models.build("tfnet", width=0.05, patch=256)
    # With no weight on the estimate, the fusion returns the time branch.
    network.get_layer("fusion").set_weights([np.full((129, 1), 20)])
    wave = waves(256)
    time = network.get_layer("time")(wave)
    assert time.dtype == "bfloat16"
    output = network(wave)
    assert output.dtype == "float32"
    np.testing.assert_allclose(output, tf.cast(time, tf.float32), rtol=0, atol=1e-6)


# === Wrong arguments ===


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "fat"}, "^tfnet: unsupported variant 'fat'; choose one of slim, full$"),
        ({"fusion": "code"}, "^tfnet: unsupported fusion 'code'; choose one of paper, published$"),
        ({"ratio": 0}, "^tfnet: ratio 0 must be from 1 to 16$"),
        ({"ratio": 17}, "^tfnet: ratio 17 must be from 1 to 16$"),
        ({"patch": 100}, "^tfnet: patch 100 must be a multiple of 64$"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        models.build("tfnet", **{"width": 0.02, **arguments})
