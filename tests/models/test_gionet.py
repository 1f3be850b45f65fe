"""The networks of Bini's thesis, compared with published numbers and references in NumPy."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from wideband import models
from wideband.command import UserError
from wideband.models.layers import TFiLM

# One of the largest networks.
pytestmark = pytest.mark.slow

PARAMETERS = {
    "gionet": 24_032_005,
    "gionet2": 23_485_829,
    "tfnet": 22_939_653,
    "tfilmnet": 24_735_106,
}
# The kind and the filters of the nets on the wave and on its spectrum.
BRANCHES = {
    "gionet": {"time": ("tfilm", (64, 128, 256)), "spectral": ("tfilm", (64, 128, 256))},
    "gionet2": {"time": ("tfilm", (64, 128, 256)), "spectral": ("unet", (64, 128, 288))},
    "tfnet": {"time": ("unet", (64, 128, 288)), "spectral": ("unet", (64, 128, 288))},
    "tfilmnet": {"time": ("tfilm", (64, 128, 448))},
}


@pytest.fixture(scope="module", params=PARAMETERS)
def full(request, outline):
    """A variant and its network at the published size."""
    return request.param, outline("gionet", variant=request.param)


def branch(network, name):
    """The model of a branch; tfilmnet has no branches."""
    return network if network.variant == "tfilmnet" else network.get_layer(name)


@pytest.fixture
def blocks_of(layers_of):
    """Lists the block lengths of a branch."""
    return lambda network, name: [layer.block for layer in layers_of(branch(network, name), TFiLM)]


# === The numbers of the thesis ===


def test_parameters_are_the_published_ones(full):
    variant, network = full
    assert network.count_params() == PARAMETERS[variant]


def test_convolutions_have_the_published_kernels_strides_and_dilations(full, layers_of):
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
        layers = layers_of(branch(network, name))
        assert [tuple(layer.kernel.shape) for layer in layers] == expected
        assert all(layer.use_bias and layer.padding == "same" for layer in layers)
        strides = [layer.strides[0] for layer in layers]
        dilations = [layer.dilation_rate[0] for layer in layers]
        if kind == "unet":
            assert (strides, dilations) == ([2] * 4 + [1] * 4, [1] * 8)
        else:
            assert (strides, dilations) == ([1] * 8, [2] * 7 + [1])


def test_modulations_are_lstms_with_the_channels_of_their_inputs(full, layers_of):
    variant, network = full
    for name, (kind, (f1, f2, f3)) in BRANCHES[variant].items():
        units = [layer.sequence.units for layer in layers_of(branch(network, name), TFiLM)]
        assert units == ([f1, f2, f3, f3, f3, f2, f1] if kind == "tfilm" else [])


@pytest.mark.parametrize(
    ("blocks", "time", "spectral"),
    [
        ("paper", [32] * 7, [32] * 7),
        ("published", [32, 32, 32, 32, 64, 128, 256], [16, 16, 16, 16, 32, 64, 128]),
    ],
)
def test_modulations_run_over_the_documented_number_of_blocks(
    blocks, time, spectral, outline, blocks_of
):
    network = outline("gionet", blocks=blocks, width=0.02)
    for name, n, steps in (("time", 8192, time), ("spectral", 4096, spectral)):
        lengths = [n // each for each in (2, 4, 8, 16, 8, 4, 2)]
        assert [
            m // block for m, block in zip(lengths, blocks_of(network, name), strict=True)
        ] == steps


def test_gionet2_differs_from_gionet_in_its_variant_only(outline):
    config = outline("gionet", width=0.02).get_config()
    changed = {"variant": "gionet2", "name": "gionet2"}
    assert outline("gionet2", width=0.02).get_config() == {**config, **changed}


@pytest.mark.parametrize(("kind", "spread"), [("gionet", 0.05), ("tfnet", None)])
def test_the_last_convolution_starts_as_in_the_code(kind, spread, layers_of):
    network = models.build("gionet", variant=kind, width=1 / 4)
    for name in ("time", "spectral"):
        *inner, last = layers_of(branch(network, name))
        assert all(
            isinstance(layer.kernel_initializer, keras.initializers.Orthogonal) for layer in inner
        )
        kernel = np.asarray(last.kernel).reshape(-1, 2)
        if spread is None:
            np.testing.assert_allclose(kernel.T @ kernel, np.eye(2), atol=1e-5)
        else:
            assert np.std(kernel) == pytest.approx(spread, rel=0.15)


# === The whole network ===


# So short that all first blocks have 8 samples: each step of an LSTM takes time.
PATCH = 256


# gionet2 has the time branch of gionet and the spectral branch of tfnet.
@pytest.mark.parametrize(
    ("variant", "source"), [("gionet", "paper"), ("gionet", "published"), ("tfnet", "paper")]
)
def test_output_equals_a_numpy_reference(variant, source, randomized, reference, waves):
    arguments = {"fusion": source, "blocks": source, "width": 0.03, "patch": PATCH}
    network = randomized("gionet", variant=variant, **arguments)
    time, spectral = (
        _reference_branch(reference, kind, source) for kind, _ in BRANCHES[variant].values()
    )
    wave = waves(PATCH)
    expected = [
        reference.time_frequency(each.astype(np.float64), network, time, spectral, 4, source)
        for each in wave
    ]
    reference.assert_close(network(wave), expected)


@pytest.mark.parametrize(
    ("blocks", "gates"),
    [("paper", "sigmoid"), ("published", "sigmoid"), ("paper", "hard_sigmoid")],
)
def test_tfilmnet_equals_a_numpy_reference(blocks, gates, reference, waves):
    arguments = {"blocks": blocks, "gates": gates, "width": 0.03, "patch": PATCH}
    network = models.build("gionet", variant="tfilmnet", **arguments)
    weights = reference.randomize(network, 0.3)
    wave = waves(PATCH)
    net = _reference_branch(reference, "tfilm", blocks, gates)
    reference.assert_close(network(wave), [net(each.astype(np.float64), weights) for each in wave])


def _reference_branch(reference, kind, blocks, gates="sigmoid"):
    """A branch of three levels."""
    if kind == "unet":
        return lambda x, weights: x + reference.unet(x, weights, levels=3)
    blocks = reference.blocks(blocks, 8, levels=3)
    lstm = partial(reference.lstm, gate=reference.gates[gates])
    return lambda x, weights: reference.film_unet(x, weights, blocks, lstm)


def test_every_modulation_has_the_gates_of_the_network(outline, layers_of):
    network = outline("gionet", width=0.02, gates="hard_sigmoid")
    for name in ("time", "spectral"):
        gates = [layer.gates for layer in layers_of(branch(network, name), TFiLM)]
        assert gates == ["hard_sigmoid"] * 7


def test_every_branch_has_the_published_dropout(full, layers_of):
    variant, network = full
    for name in BRANCHES[variant]:
        dropouts = layers_of(branch(network, name), keras.layers.Dropout)
        assert [layer.rate for layer in dropouts] == [0.5] * 4


# === Patches ===


@pytest.mark.parametrize("variant", PARAMETERS)
@pytest.mark.parametrize("blocks", ["paper", "published"])
def test_a_network_takes_the_patch_that_it_was_built_for(variant, blocks, outline):
    for patch in (256, 8192):
        network = outline("gionet", variant=variant, blocks=blocks, patch=patch, width=0.02)
        assert patch % network.multiple == 0


# With the spectra of a wave and without, which need other multiples.
@pytest.mark.parametrize("variant", ["gionet2", "tfilmnet"])
def test_lengths_that_are_not_a_multiple_are_refused(variant, waves):
    network = models.build("gionet", variant=variant, blocks="published", patch=64, width=0.02)
    n = network.multiple
    assert network(waves(n)).shape == (2, n, 1)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        network(waves(n - network.multiple // 2))


def test_a_short_patch_has_as_many_blocks_as_its_bottleneck_allows(outline, blocks_of):
    network = outline("gionet", patch=256, width=0.02)
    assert blocks_of(network, "time") == [8, 4, 2, 1, 2, 4, 8]
    assert blocks_of(network, "spectral") == [8, 4, 2, 1, 2, 4, 8]


# === No NaN ===


def test_training_on_empty_bins_stays_finite(assert_training_stays_finite):
    network = models.build("gionet", width=0.03, patch=64)
    silence, sine = np.zeros(64), 0.5 * np.sin(2 * np.pi * 16 * np.arange(64) / 64)
    batch = np.stack([silence, sine, silence + 0.5])[..., None].astype(np.float32)
    assert_training_stays_finite(network, [batch])


@pytest.mark.parametrize("variant", ["gionet2", "tfilmnet"])
def test_mixed_precision_adds_the_wave_exactly(variant, policy, waves):
    network = models.build("gionet", variant=variant, width=0.02, patch=64)
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    if variant != "tfilmnet":
        # All weight on the time branch, which returns the wave if its own weights are zero.
        network.get_layer("fusion").set_weights([np.full((33, 1), 20)])
    wave = waves(64)
    np.testing.assert_allclose(network(wave), wave, rtol=0, atol=1e-6)


# === Wrong arguments ===


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"variant": "gionet3"},
            "^gionet: unsupported variant 'gionet3'; choose one of gionet, gionet2, tfnet,",
        ),
        ({"fusion": "code"}, "^gionet: unsupported fusion 'code'; choose one of paper, published$"),
        ({"blocks": "code"}, "^gionet: unsupported blocks 'code'; choose one of paper, published$"),
        ({"gates": "hard"}, "^gionet: unsupported gates 'hard'; choose one of sigmoid, hard_"),
        ({"ratio": 0}, "^gionet: ratio 0 must be from 1 to 16$"),
        ({"ratio": 10**9, "variant": "tfilmnet"}, "^gionet: ratio 1000000000 must be from 1 to 16"),
        ({"patch": 100}, "^gionet: patch 100 must be a multiple of 1024, or of 32 below 1024$"),
        ({"patch": 992}, "^gionet: patch 992 must be a multiple of 512, or of 16 below 512$"),
        ({"patch": 48, "blocks": "published"}, "^gionet: patch 48 must be a multiple of 32$"),
        ({"patch": 100, "variant": "tfnet"}, "^gionet: patch 100 must be a multiple of 32$"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        models.build("gionet", **{"width": 0.02, **arguments})
