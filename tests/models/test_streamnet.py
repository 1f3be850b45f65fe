"""StreamNet: a reference in NumPy, the steps of a stream, and the look-ahead."""

import keras
import numpy as np
import pytest
from scipy import signal
from seeds import seed_networks
from wideband import models
from wideband.command import UserError

DILATIONS = (1, 2, 4, 8, 1, 2, 4, 8)


def test_layers_have_the_documented_sizes(outline, layers_of):
    for ratio, taps, frame in ((2, 145, 32), (4, 81, 16), (8, 49, 8), (16, 33, 4)):
        network = outline("streamnet", ratio=ratio)
        kernels = {layer.name: tuple(layer.kernel.shape) for layer in layers_of(network)}
        expected = {"interpolation": (taps, 1, ratio), "analysis": (3 * frame, 1, 128)}
        for k in range(8):
            expected |= {f"dilated_{k}": (3, 128, 128), f"mix_{k}": (1, 128, 128)}
        assert kernels == expected | {"synthesis": (2, 128, 64)}
        dilations = [network.get_layer(f"dilated_{k}").dilation_rate[0] for k in range(8)]
        assert tuple(dilations) == DILATIONS


@pytest.mark.parametrize("ratio", [2, 4])
def test_output_equals_a_numpy_reference(ratio, randomized, reference, waves):
    network = randomized("streamnet", ratio=ratio, width=0.03)
    wave = waves(192)
    expected = [_reference_network(each.astype(np.float64), network, ratio) for each in wave]
    reference.assert_close(network(wave), expected)


def _reference_network(low, network, ratio):
    """The network sum by sum; an output sample depends on 256 samples after its frame."""

    def weights(name):
        return (np.asarray(each, np.float64) for each in network.get_layer(name).weights)

    ahead, frame = 256 // ratio, 64 // ratio
    past = 4096
    wave = np.concatenate([np.zeros(past), low[:, 0], np.zeros(ahead)])
    (kernel,) = weights("interpolation")
    out = np.zeros(ratio * len(low))
    for t in range(len(low)):
        now = past + t + ahead
        seen = wave[now - len(kernel) + 1 : now + 1]
        out[ratio * t : ratio * (t + 1)] = seen @ kernel[:, 0]
    # A frame is computed when its last sample has arrived.
    kernel, bias = weights("analysis")
    count = (len(low) + ahead) // frame
    ends = [past + (m + 1) * frame for m in range(count)]
    x = np.stack([wave[end - 3 * frame : end] @ kernel[:, 0] + bias for end in ends])
    for k, dilation in enumerate(DILATIONS):
        kernel, bias = weights(f"dilated_{k}")
        mix, mix_bias = weights(f"mix_{k}")
        y = np.maximum(x, 0.2 * x)
        padded = np.concatenate([np.zeros((2 * dilation, y.shape[1])), y])
        z = np.stack(
            [
                sum(padded[m + j * dilation] @ kernel[j] for j in range(3)) + bias
                for m in range(count)
            ]
        )
        x = x + np.maximum(z, 0.2 * z) @ mix[0] + mix_bias
    kernel, bias = weights("synthesis")
    x = np.concatenate([np.zeros((1, x.shape[1])), np.maximum(x, 0.2 * x)])
    high_band = [x[m] @ kernel[0] + x[m + 1] @ kernel[1] + bias for m in range(count)]
    return (out + np.concatenate(high_band)[256 : 256 + len(out)])[:, np.newaxis]


@pytest.mark.parametrize("ratio", [2, 4, 16])
def test_steps_of_256_samples_return_the_output_for_the_whole_wave(ratio, randomized, waves):
    network = randomized("streamnet", ratio=ratio, width=0.1)
    wave = waves(2048 // ratio)[:1]
    whole = np.asarray(network(wave))[0, :, 0]
    step = network.step()
    assert step is not None
    assert [tuple(each.shape) for each in step.outputs[1:]] == [
        tuple(each.shape) for each in step.inputs[1:]
    ]
    states = [keras.ops.zeros(each.shape) for each in step.inputs[1:]]
    pieces, n = [], 256 // ratio
    for start in range(0, 2048 // ratio + n, n):
        low = np.zeros((1, n, 1), np.float32)
        low[:, : len(wave[0, start : start + n])] = wave[:, start : start + n]
        restored, *states = step([keras.ops.convert_to_tensor(low), *states])
        pieces.append(np.asarray(restored)[0, :, 0])
    np.testing.assert_allclose(np.concatenate(pieces)[256:], whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("ratio", [2, 4])
def test_it_looks_at_most_20_ms_ahead_and_no_further_back_than_its_context(ratio, randomized):
    network = randomized("streamnet", ratio=ratio, width=0.03)
    n, at = 16384 // ratio, 5000 // ratio
    impulse = np.zeros((1, n, 1), np.float32)
    silence = np.asarray(network(impulse))[0, :, 0]
    impulse[0, at] = 1.0
    changed = np.flatnonzero(np.asarray(network(impulse))[0, :, 0] != silence)
    before, after = ratio * at - changed[0], changed[-1] - ratio * at
    # The look-ahead begins at the end of the sample's own frame of 4 ms.
    assert 256 - 64 <= before < 256 + 64
    assert 0.9 * network.context < after / ratio <= network.context


@pytest.mark.parametrize("ratio", [2, 4])
def test_it_begins_as_a_band_limited_interpolation(ratio):
    """Compares with SciPy's polyphase filter, on a wave without content near the cutoff."""
    seed_networks(0)
    network = models.build("streamnet", ratio=ratio, width=0.1)
    rng = np.random.default_rng(0)
    low = signal.sosfiltfilt(signal.butter(8, 0.7, output="sos"), rng.normal(0, 0.1, 4096)).astype(
        np.float32
    )
    found = np.asarray(network(low[np.newaxis, :, np.newaxis]))[0, :, 0]
    expected = signal.resample_poly(low, ratio, 1, window=("kaiser", 8.0))
    middle = slice(ratio * 500, -ratio * 500)
    error = np.std(found[middle] - expected[middle]) / np.std(expected)
    assert 20 * np.log10(error) < -30


def test_an_unsupported_ratio_is_refused():
    message = r"^streamnet: unsupported ratio 3; choose one of 2, 4, 8, 16$"
    with pytest.raises(UserError, match=message):
        models.build("streamnet", ratio=3)
