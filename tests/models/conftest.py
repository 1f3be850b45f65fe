"""Fixtures for the tests of several networks: small tools, and reference networks in NumPy."""

import struct
import zipfile
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from wideband import models


@pytest.fixture
def policy(request):
    """Sets the dtype policy of networks built in the test, mixed_bfloat16 by default."""
    policy = getattr(request, "param", "mixed_bfloat16")
    keras.mixed_precision.set_dtype_policy(policy)
    yield policy
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def randomized():
    """Builds a network with random weights, so that every layer affects the output."""

    def build(name, **arguments):
        network = models.build(name, **arguments)
        _randomize(network, 0.3)
        return network

    return build


@pytest.fixture(scope="session")
def waves():
    """Draws two waves of n random samples, (2, n, channels)."""
    return lambda n, channels=1: (
        np.random.default_rng(2).normal(0, 0.3, (2, n, channels)).astype(np.float32)
    )


@pytest.fixture(scope="session")
def layers_of():
    """Lists the layers of a type in a network, by default its convolutions."""
    return lambda network, kind=keras.layers.Conv1D: [
        layer for layer in network.layers if isinstance(layer, kind)
    ]


@pytest.fixture(scope="session")
def lengths(layers_of):
    """Lists the output lengths of a network's convolutions for n input samples."""

    def lengths(network, n):
        probe = keras.Model(network.inputs, [layer.output for layer in layers_of(network)])
        return [output.shape[1] for output in probe([np.zeros((1, n, 1), np.float32)])]

    return lengths


@pytest.fixture(scope="session")
def assert_training_stays_finite():
    """Trains a network for one step per batch; weights and outputs must stay finite."""

    def train(network, batches):
        optimizer = keras.optimizers.Adam(1e-3)
        for batch in batches:
            with tf.GradientTape() as tape:
                output = network(batch, training=True)
                error = tf.reduce_mean((output - 0.1) ** 2)
            gradients = tape.gradient(error, network.trainable_variables)
            assert np.isfinite(output).all()
            assert all(np.isfinite(gradient).all() for gradient in gradients)
            optimizer.apply(gradients, network.trainable_variables)
        assert all(np.isfinite(weight).all() for weight in network.get_weights())

    return train


@pytest.fixture(scope="session")
def reference():
    """Slow, plain functions on waves (n, channels), written from the papers."""
    return SimpleNamespace(
        conv=_conv,
        pool=_pool,
        leaky=_leaky,
        subpixel=_subpixel,
        lstm=_lstm,
        gates={"sigmoid": _sigmoid, "hard_sigmoid": _hard_sigmoid},
        unet=_unet,
        film_unet=_film_unet,
        blocks=_blocks,
        time_frequency=_time_frequency,
        attend=_attend,
        two_stage=_two_stage,
        randomize=_randomize,
        assert_close=_assert_close,
    )


@pytest.fixture(scope="session")
def torch_save():
    """Writes nested dicts of float32 arrays as torch.save does."""

    def torch_save(content, path):
        storages = []

        def text(string):
            return b"X" + struct.pack("<I", len(string)) + string.encode()

        def numbers(values):
            return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

        def pickled(value):
            if isinstance(value, dict):
                items = b"".join(text(key) + pickled(each) for key, each in value.items())
                return b"ccollections\nOrderedDict\n)R(" + items + b"u"
            if not isinstance(value, np.ndarray):
                return b"N"
            storages.append(np.asarray(value, "<f4", order="C"))
            storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n"
            storage += text(str(len(storages) - 1)) + text("cpu")
            storage += b"J" + struct.pack("<i", value.size) + b"tQK\x00"
            strides = [stride // 4 for stride in storages[-1].strides]
            view = numbers(value.shape) + numbers(strides) + b"\x89ccollections\nOrderedDict\n)R"
            return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"tR"

        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + pickled(content) + b".")
            for key, storage in enumerate(storages):
                archive.writestr(f"archive/data/{key}", storage.tobytes())

    return torch_save


def _conv(x, kernel, bias, stride=1, dilation=1):
    """A convolution with TensorFlow's "same" padding, which puts an odd sample at the end."""
    taps = np.arange(len(kernel)) * dilation
    size, steps = taps[-1] + 1, -(-len(x) // stride)
    total = max((steps - 1) * stride + size - len(x), 0)
    padded = np.pad(x, ((total // 2, total - total // 2), (0, 0)))
    frames = [padded[step * stride + taps] for step in range(steps)]
    return np.stack([np.tensordot(frame, kernel, 2) + bias for frame in frames])


def _pool(x, size):
    """The maximum of every `size` samples, (n / size, channels)."""
    return np.stack([x[start : start + size].max(axis=0) for start in range(0, len(x), size)])


def _leaky(x, slope):
    return np.where(x > 0, x, slope * x)


def _subpixel(x):
    """Sample 2 k comes from the first half of the channels of sample k, 2 k + 1 from the second."""
    half = x.shape[1] // 2
    out = np.empty((2 * len(x), half))
    out[0::2], out[1::2] = x[:, :half], x[:, half:]
    return out


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _hard_sigmoid(x):
    """The gates of Keras 1.2.1: a line from 0 at -2.5 to 1 at 2.5."""
    return np.interp(x, [-2.5, 2.5], [0.0, 1.0])


def _lstm(x, weights, gate=_sigmoid):
    """Hochreiter and Schmidhuber's equations with a forget gate; gates in the order i, f, c, o."""
    kernel, recurrent, bias = next(weights), next(weights), next(weights)
    state, cell, out = np.zeros(len(recurrent)), np.zeros(len(recurrent)), []
    for step in x:
        i, f, c, o = np.split(step @ kernel + state @ recurrent + bias, 4)
        cell = gate(f) * cell + gate(i) * np.tanh(c)
        state = gate(o) * np.tanh(cell)
        out.append(state)
    return np.stack(out)


def _unet(x, weights, levels=4, use_bias=True):
    """The network of Kuleshov et al. 2017, without its skip from input to output."""
    weights, skips = iter(weights), []

    def conv(x, stride=1, use_bias=True):
        return _conv(x, next(weights), next(weights) if use_bias else 0, stride)

    for _ in range(levels):
        x = _leaky(conv(x, 2, use_bias), 0.2)
        skips.append(x)
    x = _leaky(conv(x, 2), 0.2)
    for skip in reversed(skips):
        x = _subpixel(np.maximum(conv(x, 1, use_bias), 0))
        x = np.concatenate([x, skip], axis=1)
    return _subpixel(conv(x))


def _blocks(blocks, first=128, levels=4):
    """Block lengths on the way down, in the bottleneck, and on the way up."""
    down = [first >> level for level in range(levels)]
    bottleneck = first >> levels
    return [*down, bottleneck, *(down[::-1] if blocks == "paper" else [bottleneck] * levels)]


def _film_unet(wave, weights, blocks, scales):
    """The network of Birnbaum et al. 2019; `scales` computes scales from the maxima of blocks."""
    weights, levels, blocks = iter(weights), len(blocks) // 2, iter(blocks)

    def conv(x, dilation=2):
        return _conv(x, next(weights), next(weights), dilation=dilation)

    def film(x):
        block = next(blocks)
        return x * np.repeat(scales(_pool(x, block), weights), block, axis=0)

    x, skips = wave, []
    for _ in range(levels):
        x = film(_leaky(_pool(conv(x), 2), 0.2))
        skips.append(x)
    x = film(_leaky(_pool(conv(x), 2), 0.2))
    for skip in reversed(skips):
        x = film(_subpixel(np.maximum(conv(x), 0)))
        x = np.concatenate([x, skip], axis=1)
    return wave + _subpixel(conv(x, dilation=1))


def _time_frequency(wave, network, time_branch, spectral_branch, ratio, fusion):
    """The network of Lim et al. 2018 as in its code, with angles; branches take x and weights."""
    time, spectral, (v,) = (
        [np.asarray(weight, np.float64) for weight in network.get_layer(part).trainable_weights]
        for part in ("time", "spectral", "fusion")
    )
    restored = np.fft.rfft(time_branch(wave, time)[:, 0])
    magnitude = np.abs(np.fft.rfft(wave[:, 0]))
    band = (len(magnitude) - 1) // ratio
    copied = [magnitude[1 + k % band] for k in range(len(magnitude) - 1)]
    estimate = spectral_branch(np.array(copied)[:, None], spectral)[:, 0]
    estimate = np.concatenate([magnitude[:1], estimate])
    w = (np.tanh(v[:, 0]) + 1) / 2
    if fusion == "published":
        w = 1 - w
    fused = w * np.abs(restored) + (1 - w) * estimate
    phase = np.arctan2(restored.imag, restored.real)
    return np.fft.irfft(fused * np.cos(phase) + 1j * fused * np.sin(phase))[:, None]


def _attend(query, key, value, positions, heads):
    """Attention over a sequence, query by query and key by key."""
    n, channels = query.shape
    size, longest = channels // heads, len(positions) // 2
    out = np.empty((n, channels))
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for i in range(n):
            scores = [
                query[i, part]
                @ (key[j, part] + positions[min(max(i - j, -longest), longest) + longest])
                for j in range(n)
            ]
            weights = np.exp(np.array(scores) / np.sqrt(size))
            out[i, part] = weights @ value[:, part] / weights.sum()
    return out


def _two_stage(image, model, name):
    """Two conformers of Cao et al. 2022 over an image (frames, bins, channels)."""
    for stage in ("time", "frequency"):
        prefix, along_time = f"{name}_{stage}", stage == "time"
        sequences = image.swapaxes(0, 1) if along_time else image
        done = np.stack([each + _conformer(each, model, prefix) for each in sequences])
        image = done.swapaxes(0, 1) if along_time else done
    return image


def _conformer(x, model, prefix):
    """A conformer over a sequence (n, c)."""

    def weights(name):
        layer = model.get_layer(f"{prefix}_{name}")
        return [np.asarray(each, np.float64) for each in layer.weights]

    def norm(x, name):
        scale, offset = weights(f"{name}_norm")
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5) * scale + offset

    def dense(x, name):
        kernel, *bias = weights(name)
        return x @ kernel + sum(bias)

    def feed_forward(x, name):
        hidden = dense(norm(x, name), f"{name}_expand")
        return 0.5 * dense(hidden * _sigmoid(hidden), f"{name}_project")

    x = x + feed_forward(x, "first")
    y = norm(x, "attention")
    parts = [dense(y, f"attention_{part}") for part in ("query", "key", "value")]
    x = x + dense(_attend(*parts, weights("attention")[0], 4), "attention_project")
    y = norm(x, "conv")
    y = dense(y, "conv_expand") * _sigmoid(dense(y, "conv_gate"))
    kernel, bias = weights("conv_depthwise")
    padded = np.pad(y, ((15, 15), (0, 0)))
    taps = kernel.reshape(31, -1)
    y = bias + np.array([(padded[k : k + 31] * taps).sum(axis=0) for k in range(len(x))])
    scale, offset, mean, variance = weights("conv_batch_norm")
    y = (y - mean) / np.sqrt(variance + 1e-5) * scale + offset
    x = x + dense(y * _sigmoid(y), "conv_project")
    return norm(x + feed_forward(x, "second"), "last")


def _randomize(layer, scale):
    """Draws random weights and returns the trained ones."""
    rng = np.random.default_rng(1)
    # Weights that are not float32 are the seeds of dropout.
    for weight in (weight for weight in layer.weights if weight.dtype == "float32"):
        values = rng.normal(1 if weight.path.endswith("gamma") else 0, scale, weight.shape)
        weight.assign(np.abs(values) + 0.5 if weight.path.endswith("variance") else values)
    return [np.asarray(weight, np.float64) for weight in layer.trainable_weights]


def _assert_close(actual, expected):
    """Asserts equality within 1e-4 of the loudest sample."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
