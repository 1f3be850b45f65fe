"""Slow NumPy references of what several networks are made of, written from the papers."""

from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture(scope="session")
def slow():
    """Functions on waves (n, channels), sum by sum."""
    return SimpleNamespace(
        conv=_conv,
        pool=_pool,
        leaky=_leaky,
        subpixel=_subpixel,
        film_unet=_film_unet,
        blocks=_blocks,
        draw=_draw,
        assert_close=_assert_close,
    )


def _conv(x, kernel, bias, stride=1, dilation=1):
    """TensorFlow's "same": the odd sample of padding goes to the end."""
    taps = np.arange(len(kernel)) * dilation
    size, steps = taps[-1] + 1, -(-len(x) // stride)
    total = max((steps - 1) * stride + size - len(x), 0)
    padded = np.pad(x, ((total // 2, total - total // 2), (0, 0)))
    frames = [padded[step * stride + taps] for step in range(steps)]
    return np.stack([np.tensordot(frame, kernel, 2) + bias for frame in frames])


def _pool(x, size):
    """The maximum of every `size` samples."""
    return np.stack([x[start : start + size].max(axis=0) for start in range(0, len(x), size)])


def _leaky(x, slope):
    return np.where(x > 0, x, slope * x)


def _subpixel(x):
    """Sample 2 k comes from the first half of the channels of k, 2 k + 1 from the second."""
    half = x.shape[1] // 2
    out = np.empty((2 * len(x), half))
    out[0::2], out[1::2] = x[:, :half], x[:, half:]
    return out


def _blocks(blocks):
    """Block lengths in patches of 8192: four levels down, the bottleneck, four levels up."""
    return [128, 64, 32, 16, 8, *((16, 32, 64, 128) if blocks == "paper" else (8, 8, 8, 8))]


def _film_unet(wave, weights, blocks, scales):
    """The network of Birnbaum et al. 2019; `scales` turns blocks' maxima into their scales."""
    weights, blocks = iter(weights), iter(blocks)

    def conv(x, dilation=2):
        return _conv(x, next(weights), next(weights), dilation=dilation)

    def film(x):
        block = next(blocks)
        return x * np.repeat(scales(_pool(x, block), weights), block, axis=0)

    x, skips = wave, []
    for _ in range(4):
        x = film(_leaky(_pool(conv(x), 2), 0.2))
        skips.append(x)
    x = film(_leaky(_pool(conv(x), 2), 0.2))
    for skip in reversed(skips):
        x = film(_subpixel(np.maximum(conv(x), 0)))
        x = np.concatenate([x, skip], axis=1)
    return wave + _subpixel(conv(x, dilation=1))


def _draw(layer, scale):
    """Gives a layer or a network weights that let every part count, and returns them."""
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        mean = 1 if weight.path.endswith("gamma") else 0
        weight.assign(rng.normal(mean, scale, weight.shape))
    return [np.asarray(weight, np.float64) for weight in layer.trainable_weights]


def _assert_close(actual, expected):
    """Equal to 1e-4 of the loudest sample."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
