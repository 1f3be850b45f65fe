"""The generator of mel spectrograms: sizes, options, and a reference in NumPy."""

import keras
import numpy as np
import pytest
from scipy import signal
from seeds import seed_networks
from wideband.command import UserError
from wideband.models import srresnet


def mel(frames, bands=12, count=1):
    return np.random.default_rng(0).normal(-6, 2.7, (count, frames, bands)).astype(np.float32)


def built(**options):
    """A small generator with random weights."""
    network = srresnet.build(12, **{"width": 3 / 64, "blocks": 2, **options})
    rng = np.random.default_rng(1)
    for weight in network.weights:
        around = 1 if weight.path.endswith(("gamma", "variance")) else 0
        weight.assign(around + rng.uniform(-0.3, 0.3, weight.shape))
    return network


@pytest.mark.parametrize(
    ("channels", "blocks", "expected"),
    [(64, 16, 1_233_298), (64, 8, 640_394), (32, 8, 163_530), (32, 4, 89_030), (16, 4, 23_782)],
)
def test_the_sizes_are_those_of_the_published_code(channels, blocks, expected):
    with keras.StatelessScope(initialize_variables=False):
        network = srresnet.build(80, channels / 64, blocks)
    keras.utils.clear_session(free_memory=False)
    assert sum(np.prod(weight.shape) for weight in network.trainable_weights) == expected
    # Two running statistics for each channel of the normalizations.
    assert network.count_params() - expected == 2 * channels * (2 * blocks + 1)


def convolve(x, layer):
    """Convolves x (frames, bands, c) to (frames, bands, filters), with zeros around it."""
    kernel, bias = (np.asarray(each, np.float64) for each in layer.weights)
    return np.stack(
        [
            sum(
                signal.correlate2d(x[..., c], kernel[..., c, f], mode="same")
                for c in range(x.shape[-1])
            )
            for f in range(kernel.shape[-1])
        ],
        axis=-1,
    ) + bias  # fmt: skip


def reference(network, mel, residual, batch_norm):
    def rectify(x, name):
        (slope,) = np.ravel(network.get_layer(name).alpha)
        return np.where(x > 0, x, slope * x)

    def convolve_and_normalize(x, name):
        x = convolve(x, network.get_layer(name))
        if not batch_norm:
            return x
        norm = network.get_layer(f"{name}_norm")
        gamma, beta, mean, variance = (np.asarray(each, np.float64) for each in norm.weights)
        return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta

    stem = x = rectify(convolve(mel[..., np.newaxis], network.get_layer("stem")), "stem_prelu")
    for number in range(2):
        name = f"block_{number}"
        y = rectify(convolve_and_normalize(x, f"{name}_first"), f"{name}_prelu")
        x = x + convolve_and_normalize(y, f"{name}_second")
    x = stem + convolve_and_normalize(x, "trunk")
    filled = convolve(x, network.get_layer("last"))[..., 0]
    return mel + filled if residual else filled


@pytest.mark.parametrize(("residual", "batch_norm"), [(False, True), (True, True), (False, False)])
def test_the_generator_equals_a_reference(residual, batch_norm):
    network = built(residual=residual, batch_norm=batch_norm)
    x = mel(14)
    expected = reference(network, x[0], residual, batch_norm)
    np.testing.assert_allclose(network(x)[0], expected, rtol=1e-4, atol=1e-4)


def test_a_frame_depends_on_the_frames_of_the_context_only():
    context = srresnet.context(2)
    network, x = built(), mel(2 * context + 9)
    changed = x.copy()
    changed[0, context + 4] += 100.0
    moved = np.flatnonzero(np.abs(network(changed) - network(x)).max(axis=(0, 2)))
    assert (moved.min(), moved.max()) == (4, 2 * context + 4)


def test_training_starts_as_in_pytorch():
    seed_networks(0)
    network = srresnet.build(80, 0.25, 1)
    stem, second = network.get_layer("stem"), network.get_layer("block_0_second")
    for layer, fan_in in ((stem, 81), (second, 9 * 16)):
        for weight in layer.weights:
            assert 0.7 * fan_in**-0.5 < np.abs(weight).max() <= fan_in**-0.5
    norm = network.get_layer("block_0_second_norm")
    assert (norm.momentum, norm.epsilon) == (0.9, 1e-5)
    slopes = [layer.alpha for layer in network.layers if isinstance(layer, keras.layers.PReLU)]
    assert [np.ravel(slope).tolist() for slope in slopes] == [[0.25], [0.25]]


def test_a_number_of_blocks_that_is_out_of_range_is_refused():
    for blocks in (0, 33):
        with pytest.raises(UserError, match=f"blocks {blocks} must be from 1 to 32"):
            srresnet.build(80, blocks=blocks)
