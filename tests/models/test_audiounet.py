"""AudioUNet, compared with the numbers of the paper and a reference in NumPy."""

import keras
import numpy as np
import pytest
from wideband import models
from wideband.command import UserError
from wideband.models.layers import TapOrthogonal

PARAMETERS = {"2017": 56_411_394, "2019": 70_977_154}
FILTERS = {"2017": (128, 256, 512, 512), "2019": (128, 384, 512, 512)}


@pytest.fixture(scope="module", params=PARAMETERS)
def full(request, outline):
    """A variant and its network at the published size."""
    return request.param, outline("audiounet", variant=request.param)


def test_parameters_are_the_published_ones(full):
    variant, network = full
    assert network.count_params() == PARAMETERS[variant]


def test_convolutions_have_the_published_kernels_and_strides(full, layers_of):
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
    layers = layers_of(network)
    assert [(tuple(layer.kernel.shape), layer.strides[0]) for layer in layers] == expected
    assert all(layer.use_bias and layer.padding == "same" for layer in layers)
    assert all(layer.dilation_rate == (1,) for layer in layers)


def test_inner_sequences_halve_and_double(lengths):
    network = models.build("audiounet", width=0.02)
    halved = [4096, 2048, 1024, 512, 256]
    assert lengths(network, 8192) == [*halved, *halved[::-1]]


@pytest.mark.parametrize(
    ("initializer", "kind"),
    [("keras2", keras.initializers.Orthogonal), ("keras1", TapOrthogonal)],
)
def test_initial_weights_follow_the_published_code(initializer, kind, layers_of):
    *layers, last = layers_of(models.build("audiounet", width=0.25, initializer=initializer))
    assert all(type(layer.kernel_initializer) is kind for layer in layers)
    assert np.std(last.kernel) == pytest.approx(1e-3, rel=0.1)


@pytest.mark.parametrize("variant", ["2017", "2019"])
def test_output_equals_a_numpy_reference(variant, reference, waves):
    network = models.build("audiounet", variant=variant, width=0.03)
    weights = reference.randomize(network, 0.3)
    wave = waves(256)
    expected = [each + reference.unet(each.astype(np.float64), weights) for each in wave]
    reference.assert_close(network(wave), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "2018"}, "unsupported variant '2018'; choose one of 2017, 2019"),
        ({"initializer": "x"}, "unsupported initializer 'x'; choose one of keras2, keras1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=f"^audiounet: {message}$"):
        models.build("audiounet", **arguments)
