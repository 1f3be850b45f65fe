"""Conformer: the block, its attention and the whole network, compared with references in NumPy."""

import keras
import numpy as np
import pytest
from scipy import signal
from wideband import models
from wideband.command import UserError
from wideband.data_gen import degrade
from wideband.models.conformer_block import WindowAttention, conformer_block, sinusoids
from wideband.upsample.windows import Windows

# === The block ===


def build(channels, **arguments):
    """Builds one block as a model, (batch, frames, channels) to the same."""
    settings = {"heads": 4, "span": 8, "kernel": 15, "dropout": 0.1, "norm": "batch"} | arguments
    x = keras.Input((None, channels))
    return keras.Model(x, conformer_block(x, **settings, name="block"))


@pytest.fixture(scope="module")
def block(reference):
    """A block for 8 channels with random weights, which tests must not change."""
    block = build(8, heads=2, span=5, kernel=7)
    reference.randomize(block, 0.5)
    return block


@pytest.mark.parametrize(
    ("kernel", "counts"),
    [
        (15, {64: 101_312, 96: 225_696, 128: 399_232}),
        (32, {144: 506_880, 256: 1_589_248, 512: 6_324_224}),
    ],
)
def test_a_block_has_the_parameters_of_the_paper(kernel, counts):
    """Without the moving statistics of the batch normalization, which are not trained."""
    for channels, count in counts.items():
        with keras.StatelessScope(initialize_variables=False):
            block = build(channels, kernel=kernel)
        keras.utils.clear_session(free_memory=False)
        assert sum(np.prod(weight.shape) for weight in block.trainable_weights) == count


@pytest.mark.parametrize("norm", ["batch", "layer"])
@pytest.mark.parametrize("frames", [1, 5, 18])
def test_a_block_equals_a_numpy_reference(norm, frames, reference, waves):
    block = build(8, heads=2, span=5, kernel=7, norm=norm)
    reference.randomize(block, 0.5)
    x = waves(frames, 8)
    expected = [_block(each.astype(np.float64), block, 2, 5, reference) for each in x]
    reference.assert_close(block(x), expected)


def test_attention_with_a_window_as_long_as_the_wave_is_that_of_transformer_xl(reference, waves):
    """Every frame attends to every other, with no window in the reference."""
    layer = WindowAttention(heads=2, span=12)
    x = waves(12, 8)
    layer.build(x.shape)
    reference.randomize(layer, 0.5)
    expected = [_attention(each.astype(np.float64), layer, 2, len(each)) for each in x]
    reference.assert_close(layer(x), expected)


def test_a_frame_attends_to_its_window_only(reference, waves):
    layer = WindowAttention(heads=2, span=3)
    x = waves(20, 8)[:1]
    layer.build(x.shape)
    reference.randomize(layer, 0.5)
    before = np.asarray(layer(x))
    x[0, 10] += 1
    changed = np.any(np.asarray(layer(x)) != before, axis=(0, 2))
    np.testing.assert_array_equal(np.flatnonzero(changed), np.arange(7, 14))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
def test_mixed_precision_is_close_to_float32(policy, block, waves):
    mixed = build(8, heads=2, span=5, kernel=7)
    mixed.set_weights(block.get_weights())
    x = waves(23, 8)
    np.testing.assert_allclose(mixed(x), block(x), rtol=0, atol=0.15)


def test_sinusoids_are_sines_then_cosines_of_falling_frequencies():
    found = sinusoids(np.array([0, 3, -3]), 4)
    expected = [
        [0, 0, 1, 1],
        [np.sin(3), np.sin(0.03), np.cos(3), np.cos(0.03)],
        [-np.sin(3), -np.sin(0.03), np.cos(3), np.cos(0.03)],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# === The network ===


def voice(n):
    """Harmonics with syllables and noise, (n,)."""
    instants = np.arange(n) / 16000
    wave = sum(np.sin(2 * np.pi * 150 * k * instants) / k for k in range(1, 40))
    wave *= 0.1 * (1.2 - np.cos(2 * np.pi * 4 * instants))
    return wave + np.random.default_rng(0).normal(0, 0.003, n)


@pytest.mark.parametrize(("ratio", "seen", "exact"), [(2, 129, 76), (4, 65, 38), (8, 33, 19)])
def test_layers_have_the_stated_sizes(outline, ratio, seen, exact):
    network = outline("conformer", ratio=ratio)
    assert (network.wants, network.multiple) == ("low", 128 // ratio)
    part = network.get_layer("spectrum")

    def shapes(name):
        return [weight.shape for weight in part.get_layer(name).weights]

    # Amplitudes of the low band and its overtones, and presence.
    assert shapes("first") == [(3 * seen, 96), (96,)]
    for name in ("share", "amplitude", "keep"):
        assert shapes(f"{name}_last") == [(96, 257 - exact), (257 - exact,)]
    assert shapes("gain_last") == [(96, seen - exact), (seen - exact,)]
    blocks = [np.prod(each.shape) for each in part.weights if each.path.startswith("block_")]
    assert sum(blocks) == 4 * 225_696


@pytest.mark.parametrize("ratio", [2, 8])
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_output_equals_a_numpy_reference(ratio, norm, reference):
    network = models.build(
        "conformer", ratio=ratio, width=0.1, blocks=2, heads=2, span=3, kernel=5, norm=norm
    )
    reference.randomize(network, 0.2)
    # Of the input's empty bins, the phases are rounding errors.
    kernel, bias = network.get_layer("spectrum").get_layer("keep_last").weights
    empty = np.arange(bias.shape[0]) > 140 // ratio
    kernel.assign(np.where(empty, 0, kernel))
    bias.assign(np.where(empty, -20, bias))
    low = degrade.decimate(voice(2048), ratio)[:, np.newaxis].astype(np.float32)
    # In a pause, the floors affect the output.
    low[1024 // ratio :] *= 1e-5
    expected = _network(low[:, 0].astype(np.float64), network, ratio, reference)
    reference.assert_close(network(low[np.newaxis])[0, :, 0], expected)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_the_low_band_is_kept_exactly(ratio, randomized):
    """The bins below 0.6 of the cutoff, save three on which windows leak from above."""
    network = randomized("conformer", **models.small("conformer") | {"ratio": ratio})
    low = degrade.decimate(voice(4096), ratio)[np.newaxis, :, np.newaxis]
    restored = np.asarray(network(low))[0, :, 0]
    taps = np.arange(4096)[:, np.newaxis] / ratio - np.arange(4096 // ratio)
    window = np.where(np.abs(taps) < 32, np.cos(np.pi * taps / 64) ** 2, 0)
    before, after = (
        signal.stft(each, nperseg=512, noverlap=384)[2][: int(0.6 * 256 / ratio) - 3, 5:-5]
        for each in (np.sinc(taps) * window @ low[0, :, 0], restored)
    )
    np.testing.assert_allclose(after, before, rtol=0, atol=2e-3 * np.abs(before).max())
    assert np.std(restored) > 0.01


def test_before_training_the_high_band_has_the_phases_of_overtones():
    network = models.build("conformer", **models.small("conformer") | {"ratio": 4})
    low = degrade.decimate(voice(6144), 4)[np.newaxis, :, np.newaxis]
    part = network.get_layer("spectrum")
    _, real, imaginary = (np.asarray(each) for each in part(low))
    wave = signal.resample(low[0, :, 0], 6144).astype(np.float32)
    analysis = part.get_layer("analysis")
    overtones = [np.asarray(each) for each in analysis(np.abs(wave)[np.newaxis, :, np.newaxis])]
    difference = np.arctan2(imaginary, real) - np.arctan2(overtones[1], overtones[0])
    assert np.median(np.cos(difference[:, 20:-20, 80:250])) > 0.99


def test_a_long_wave_in_windows_has_the_output_of_the_whole(randomized):
    """Windows begin anywhere in the blocks of frames of the attention."""
    network = randomized("conformer", **models.small("conformer") | {"ratio": 8})
    wave = degrade.decimate(voice(8 * 2016), 8)
    windows = Windows(network, 1, 2000, 2 * network.context + 5 * network.multiple)
    parts = [windows.push(wave[np.newaxis, at : at + 777]) for at in range(0, len(wave), 777)]
    restored = np.concatenate([*parts, windows.flush()], axis=1)[0]
    # The wave is preceded and followed by silence, as in windows.
    silence = np.zeros(network.context, np.float32)
    padded = np.concatenate([silence, wave, silence])[np.newaxis, :, np.newaxis]
    expected = np.asarray(network(padded))[0, 8 * len(silence) : -8 * len(silence), 0]
    np.testing.assert_allclose(restored, expected, rtol=0, atol=3e-4 * np.abs(expected).max())


@pytest.mark.parametrize("decibels", [-60, -30])
def test_a_quieter_input_has_the_same_output_quieter_by_as_much(randomized, decibels):
    network = randomized("conformer", **models.small("conformer") | {"ratio": 4})
    low = degrade.decimate(voice(8192), 4)[np.newaxis, :, np.newaxis]
    gain = 10 ** (decibels / 20)
    loud, quiet = np.asarray(network(low)), np.asarray(network(gain * low)) / gain
    assert np.std(quiet - loud) < 0.05 * np.std(loud)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratio": 3}, "unsupported ratio 3; choose one of 2, 4, 8, 16$"),
        ({"blocks": 0}, "blocks 0 must be from 1 to 64$"),
        ({"span": 65}, "span 65 must be from 1 to 64$"),
        ({"kernel": 16}, "unsupported kernel 16; choose one of 1, 3, 5,"),
        ({"norm": "group"}, "unsupported norm 'group'; choose one of batch, layer$"),
        ({"heads": 64, "width": 0.1}, "width 0.1 leaves a layer without filters"),
    ],
)
def test_an_argument_out_of_range_is_refused(arguments, message):
    with pytest.raises(UserError, match=rf"^conformer: {message}"):
        models.build("conformer", **arguments)


# === References ===


def _arrays(layer):
    return [np.asarray(weight, np.float64) for weight in layer.weights]


def _layer_norm(x, gamma, beta):
    x = x - x.mean(axis=1, keepdims=True)
    return gamma * x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5) + beta


def _swish(x):
    return x / (1 + np.exp(-x))


def _attention(x, layer, heads, span):
    """Equation of section 3.3 of Transformer-XL, frame by frame and head by head."""
    weights = {weight.path.removeprefix(f"{layer.name}/"): weight for weight in layer.weights}
    weights = {name: np.asarray(weight, np.float64) for name, weight in weights.items()}
    frames, channels = x.shape
    each = channels // heads
    query, key, value = (
        x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]
        for name in ("query", "key", "value")
    )
    mixed = np.zeros_like(x)
    for i in range(frames):
        seen = range(max(0, i - span), min(frames, i + span + 1))
        for head in range(heads):
            part = slice(head * each, (head + 1) * each)
            scores = []
            for j in seen:
                rates = 10000.0 ** (-np.arange(0, channels, 2) / channels)
                position = np.concatenate([np.sin((i - j) * rates), np.cos((i - j) * rates)])
                position = (position @ weights["position/kernel"])[part]
                content = (query[i, part] + weights["u"][head]) @ key[j, part]
                scores.append(content + (query[i, part] + weights["v"][head]) @ position)
            shares = np.exp(np.array(scores) / np.sqrt(each))
            mixed[i, part] = shares / shares.sum() @ value[seen, part]
    return mixed @ weights["mix/kernel"] + weights["mix/bias"]


def _block(x, model, heads, span, reference, start="block"):
    """Section 2 of the paper: the block of a model whose layers' names begin with `start`."""

    def weights(name):
        return _arrays(model.get_layer(f"{start}_{name}"))

    def norm(x, name):
        return _layer_norm(x, *weights(f"{name}_norm"))

    def dense(x, name):
        kernel, bias = weights(name)
        return x @ kernel + bias

    def feed_forward(x, name):
        return dense(_swish(dense(norm(x, name), f"{name}_expand")), f"{name}_project")

    x = x + feed_forward(x, "feed_0") / 2
    attention = model.get_layer(f"{start}_attention")
    x = x + _attention(norm(x, "attention"), attention, heads, span)
    values, gates = np.split(dense(norm(x, "convolution"), "convolution_expand"), 2, axis=1)
    kernel, bias = weights("convolution_depthwise")
    diagonal = kernel[:, :, 0, np.newaxis] * np.eye(x.shape[1])
    y = reference.conv(values / (1 + np.exp(-gates)), diagonal, bias)
    gamma, beta, *statistics = weights("convolution_depthwise_norm")
    if statistics:
        mean, variance = statistics
        y = gamma * (y - mean) / np.sqrt(variance + 1e-3) + beta
    else:
        y = _layer_norm(y, gamma, beta)
    x = x + dense(_swish(y), "convolution_project")
    x = x + feed_forward(x, "feed_1") / 2
    return _layer_norm(x, *weights("norm"))


def _network(low, network, ratio, reference):
    """The network frame by frame, with NumPy's Fourier transforms."""
    part = network.get_layer("spectrum")
    n, cutoff, exact = ratio * len(low), 256 // ratio + 1, int(0.6 * 256 / ratio)

    def dense(x, name):
        kernel, bias = _arrays(part.get_layer(name))
        return x @ kernel + bias

    def log(amplitude, floor=1e-6):
        return np.log(np.abs(amplitude) + floor)

    def around(power, half):
        """The mean over `half` frames on either side, as far as there are as many."""
        places = range(len(power))
        return np.stack([power[max(0, k - half) : k + half + 1].mean(axis=0) for k in places])

    t = np.arange(n)[:, np.newaxis] / ratio - np.arange(len(low))
    wave = (np.sinc(t) * np.where(np.abs(t) < 32, np.cos(np.pi * t / 64) ** 2, 0)) @ low
    hann = np.sin(np.pi * np.arange(512) / 512) ** 2
    own, overtones = (
        np.stack([np.fft.rfft(hann * padded[at : at + 512]) for at in range(0, n, 128)])
        for padded in (np.pad(each, 192, "reflect") for each in (wave, np.abs(wave)))
    )
    power = around(np.abs(own) ** 2, 64)
    scale = np.sqrt(power.mean(axis=1, keepdims=True)) + 1e-6
    relative = [np.clip(log(each / scale), -10, 6) for each in (own, overtones, np.sqrt(power))]
    x = dense(np.concatenate([each[:, :cutoff] for each in relative], axis=1), "first")
    for k in range(network.blocks):
        x = _block(x, part, network.heads, network.span, reference, f"block_{k}")

    own_bins, whole = own[:, exact:].copy(), overtones[:, exact:] / scale
    gains = np.exp(np.clip(dense(x, "gain_last"), -10, 6))
    own_bins[:, : cutoff - exact] *= gains
    smooth = around(np.abs(whole.T) ** 2, round(250 / 8000 * (256 - exact))).T
    fine = np.clip(log(whole) - log(np.sqrt(smooth)), -10, 6)
    present = 2 * (relative[2][:, exact:] + 6.5)
    share, keep = (
        1 / (1 + np.exp(-present - dense(x, f"{name}_last"))) for name in ("share", "keep")
    )
    levels = share * np.clip(log(own_bins / scale), -10, 6)
    levels += (1 - share) * (dense(x, "amplitude_last") + fine)
    direction = keep * np.exp(1j * np.angle(own_bins))
    direction += (1 - keep) * np.exp(1j * np.angle(overtones[:, exact:]))
    above = scale * np.exp(levels) * direction / np.abs(direction)

    added, windows = np.zeros(n + 384), np.zeros(n + 384)
    for k, spectrum in enumerate(np.concatenate([own[:, :exact], above], axis=1)):
        added[128 * k : 128 * k + 512] += hann * np.fft.irfft(spectrum)
        windows[128 * k : 128 * k + 512] += hann**2
    return (added / np.maximum(windows, 1e-30))[192:-192]
