"""NVSR: sizes, the mel spectrogram, and references in NumPy of the generator and the vocoder.

With random weights, the published code had the same output: the largest differences were 2e-5 in
the logarithm of the mel (the generator) and 1.4e-7 (the vocoder).
"""

import librosa
import numpy as np
import pytest
from scipy import signal
from seeds import seed_networks
from wideband import models
from wideband.command import UserError
from wideband.models import resunet
from wideband.models.features import LogMel, log_mel
from wideband.models.weight_norm import folded


def mel(frames, bands=8, level=-3.0):
    return np.random.default_rng(0).normal(level, 2, (1, frames, bands)).astype(np.float32)


def generator(**options):
    """A small generator with random weights."""
    network = resunet.build(8, **{"width": 3 / 32, "levels": 2, "blocks": 2, **options})
    rng = np.random.default_rng(1)
    for weight in network.weights:
        around = 1 if weight.path.endswith(("gamma", "variance")) else 0
        weight.assign(around + rng.uniform(-0.5, 0.5, weight.shape))
    return network


def test_the_sizes_are_those_of_the_published_code(outline):
    network = outline("nvsr")
    weights = network.get_layer("generator").trainable_weights
    assert sum(np.prod(weight.shape) for weight in weights) == 65_152_867
    # Without convolutions from 1024, 512, 256 and 128 channels to half of them, which are not used.
    unused = sum(channels * (channels // 2) + channels // 2 for channels in (1024, 512, 256, 128))
    vocoder = outline("tfgan", weight_norm=True)
    assert outline("tfgan").count_params() == 33_862_465 - unused
    assert vocoder.count_params() == 33_883_330 - unused
    # The generator makes one frame of 64.
    assert (network.multiple, vocoder.multiple) == (64 * 441, 6 * 441)


def test_the_mel_spectrogram_is_that_of_librosa_with_a_bound_of_powers(noise):
    wave = 0.1 * noise(22050)
    wave[:6000] = 0
    magnitudes = np.abs(librosa.stft(wave, n_fft=2048, hop_length=441, pad_mode="reflect"))
    filters = librosa.filters.mel(sr=44100, n_fft=2048, n_mels=128, htk=True, norm=None)
    expected = np.log(filters @ np.sqrt(np.maximum(magnitudes**2, 1e-8))).T
    assert expected[0].max() < np.log(1e-2) < expected[-1].min()
    np.testing.assert_allclose(log_mel(wave, "voicefixer"), expected, rtol=0, atol=1e-3)
    layer = LogMel("voicefixer")(wave.reshape(1, -1, 1))[0]
    np.testing.assert_allclose(layer, expected, rtol=0, atol=1e-3)


def reference_generator(network, log_mel, levels=2, blocks=2):
    """The generator of unet.py in ssr_eval, image by image: log mel (frames, bands) to the same."""

    def weights(name):
        return [np.asarray(each, np.float64) for each in network.get_layer(name).get_weights()]

    def convolve(x, name):
        kernel, *bias = weights(name)
        filters = [
            sum(
                signal.correlate2d(x[..., c], kernel[..., c, f], mode="same")
                for c in range(x.shape[-1])
            )
            for f in range(kernel.shape[-1])
        ]
        return np.stack(filters, axis=-1) + sum(bias)

    def normalize(x, name):
        gamma, beta, mean, variance = weights(name)
        return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta

    def block(x, name, channels):
        y = x
        for k in range(2):
            y = normalize(y, f"{name}_norm_{k}")
            y = convolve(np.where(y > 0, y, 0.01 * y), f"{name}_conv_{k}")
        return y + (x if x.shape[-1] == channels else convolve(x, f"{name}_skip"))

    def halve(x):
        frames, bands = (each // 2 for each in x.shape[:2])
        return np.mean(
            [x[a : 2 * frames : 2, b : 2 * bands : 2] for a in (0, 1) for b in (0, 1)], axis=0
        )

    def double(x, name):
        (kernel,) = weights(name)
        x = np.maximum(normalize(x, f"{name}_norm"), 0)
        out = np.zeros((2 * len(x) + 1, 2 * x.shape[1] + 1, kernel.shape[2]))
        for t in range(len(x)):
            for f in range(x.shape[1]):
                out[2 * t : 2 * t + 3, 2 * f : 2 * f + 3] += kernel @ x[t, f]
        return out[:-1]

    decades = log_mel.astype(np.float64) / np.log(10)
    frames = len(decades)
    x = np.pad(decades, ((0, -frames % 2**levels), (0, 0)))[:, :-1, np.newaxis]
    widths, skips = (3, 6), []
    for level in range(levels):
        for k in range(blocks):
            x = block(x, f"down_{level}_{k}", widths[level])
        skips.append(x)
        x = halve(x)
    x = block(x, "middle", widths[-1])
    for level in reversed(range(levels)):
        x = np.concatenate([double(x, f"up_{level}_double"), skips[level]], axis=-1)
        for k in range(blocks):
            x = block(x, f"up_{level}_{k}", widths[level])
    change = convolve(block(x, "last_block", widths[0]), "last")[:frames, :, 0]
    return np.log(10) * np.minimum(decades + np.pad(change, ((0, 0), (0, 1))), 5)


def test_the_generator_equals_a_reference():
    network, x = generator(), mel(9)
    expected = reference_generator(network, x[0])
    assert np.abs(expected - x[0]).std() > 0.4
    np.testing.assert_array_equal(np.isclose(expected[:, -1], x[0, :, -1], atol=1e-4), True)
    np.testing.assert_allclose(network(x)[0], expected, rtol=1e-4, atol=1e-4)
    loud = x + 20
    expected = reference_generator(network, loud[0])
    assert np.isclose(expected.max(), 5 * np.log(10))
    np.testing.assert_allclose(network(loud)[0], expected, rtol=1e-4, atol=1e-3)


def test_a_frame_depends_on_the_frames_of_the_context_only():
    context = resunet.context(2, 2)
    network, frames = generator(), 4 * context + 1
    x = mel(frames)
    for at in range(2 * context, 2 * context + 4):
        changed = x.copy()
        changed[0, at] += 10.0
        moved = np.flatnonzero(np.abs(network(changed) - network(x)).max(axis=(0, 2)))
        assert 0.3 * context < max(at - moved.min(), moved.max() - at) <= context


def test_training_starts_as_in_the_published_code():
    seed_networks(0)
    network = resunet.build(128, 0.25, 3, 1)

    def largest(name):
        return np.abs(network.get_layer(name).kernel).max()

    # Glorot's bounds; PyTorch's default of a transposed convolution, with its outputs as inputs.
    assert largest("down_1_0_conv_1") == pytest.approx((6 / (9 * 32)) ** 0.5, rel=0.02)
    assert largest("down_1_0_skip") == pytest.approx((6 / (8 + 16)) ** 0.5, rel=0.1)
    assert largest("up_1_double") == pytest.approx((9 * 16) ** -0.5, rel=0.02)
    norm = network.get_layer("middle_norm_0")
    assert (norm.momentum, norm.epsilon) == (0.9, 1e-5)


def reference_vocoder(vocoder, log_mel, conv, depth):
    """The vocoder of voicefixer/vocoder, (frames, bands) to (441 (frames + 4), 1)."""

    def weights(name):
        return [np.asarray(each, np.float64) for each in vocoder.get_layer(name).get_weights()]

    def leaky(x, slope):
        return np.where(x > 0, x, slope * x)

    def ends(x, name):
        return conv(np.pad(x, ((3, 3), (0, 0)), "reflect"), *weights(name))[3:-3]

    def up(x, rate, name):
        kernel, bias = weights(name)  # (taps, outputs, inputs)
        out = np.zeros((len(x) * rate + rate, len(bias)))
        for k, sample in enumerate(x):
            for tap in range(2 * rate):
                out[k * rate + tap] += kernel[tap] @ sample
        first = rate // 2 + rate % 2
        return out[first : first + rate * len(x)] + bias

    weight = 18.8927416350036 * np.exp(0.0269863588184314 * np.arange(1, 129))
    decibels = 20 * np.log10(np.maximum(1e-5, np.exp(log_mel.astype(np.float64)) / weight)) - 20
    x = np.clip(8 * (decibels + 115) / 115 - 4, -4, 4)
    x = np.pad(x, ((0, 4), (0, 0)), constant_values=-4)
    for k in range(5):
        x = conv(x, *weights(f"condition_{k}"))
        x = np.where(x > 0, x, np.expm1(x))
    x = leaky(ends(x, "first"), 0.2)
    for stage, rate in enumerate((7, 7, 3, 3)):
        x = up(x + np.sin(x), rate, f"up_{stage}")
        for k in range(depth):
            name = f"stage_{stage}_{k}"
            y = conv(leaky(x, 0.01), *weights(f"{name}_dilated"), dilation=3**k)
            x = x + conv(leaky(y, 0.01), *weights(f"{name}_plain"))
        x = leaky(x, 0.2)
    return np.tanh(ends(x, "last"))


def test_the_vocoder_equals_a_numpy_reference(randomized, reference):
    network = randomized("tfgan", width=1 / 64, depth=2)
    vocoder = network.get_layer("vocoder")
    kernel = vocoder.get_layer("last").kernel
    kernel.assign(0.1 * kernel)
    # From silence to the loudest level, beyond both bounds.
    x = np.linspace(-20, 16, 6 * 128).reshape(1, 6, 128).astype(np.float32)
    expected = reference_vocoder(vocoder, x[0], reference.conv, depth=2)[: 5 * 441]
    assert expected.std() > 0.01 and np.abs(expected).max() < 0.99
    reference.assert_close(vocoder(x)[0], expected)


def test_without_weight_normalization_the_output_is_the_same(randomized, waves):
    network = randomized("tfgan", width=1 / 64, depth=1, weight_norm=True)
    expected = np.asarray(network(waves(2646)))
    assert expected.std() > 1e-4
    np.testing.assert_allclose(folded(network)(waves(2646)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("nvsr", {"levels": 7}, "levels 7 must be from 1 to 6"),
        ("nvsr", {"blocks": 0}, "blocks 0 must be from 1 to 8"),
        ("nvsr", {"mel": "seed", "levels": 5}, "levels 5: 80 bands are not a multiple of 32"),
        ("tfgan", {"depth": 9}, "depth 9 must be from 1 to 8"),
        ("tfgan", {"mel": "seed"}, "unsupported mel 'seed'; choose one of voicefixer"),
    ],
)
def test_impossible_arguments_are_refused(name, arguments, message):
    with pytest.raises(UserError, match=f"^{name}: {message}"):
        models.build(name, **arguments)
