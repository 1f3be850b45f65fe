"""One-dimensional convolutions with long kernels, in fewer multiplications.

The Fourier transform of a convolution is the product of two Fourier transforms. All transforms of
short blocks are products with matrices here. These matrices also contain the additions of a complex
product of three real ones. So a convolution has the form

    output = synthesis @ ((analysis @ samples) * (kernel_analysis @ kernel))

where * multiplies channels with filters at each of some points. With 65 taps, there are 191 points
for 64 samples of output: three multiplications per sample, channel and filter instead of 65. The
transforms take more, but those of a channel serve all filters, and those of a filter all channels.
On CPUs, a training step of a U-Net with such kernels takes a half to a quarter of the time
(docs/performance.md).

Sources: Stockham 1966, "High-speed convolution and correlation"; Winograd 1980, "Arithmetic
complexity of computations", for the form of three matrices.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

# Kernels with fewer taps, or with fewer products for an output value, are not made faster.
LEAST_TAPS, LEAST_PRODUCTS = 7, 512

_PLAIN = ContextVar("plain", default=False)


@contextmanager
def plain_convolutions() -> Iterator[None]:
    """Within the context, this thread convolves, and traces graphs, with Keras's convolutions."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


@keras.saving.register_keras_serializable("wideband")
class Conv1D(layers.Conv1D):
    """Keras's Conv1D, but with long kernels faster on CPUs.

    It has the same arguments and weights, and the same output but for rounding errors: those of a
    hop depend on the loudest of its samples, and in bfloat16 they are twice as large.

    Example:
        >>> Conv1D(64, 65, padding="same")(keras.ops.zeros((1, 8192, 32))).shape
        TensorShape([1, 8192, 64])
    """

    def call(self, inputs):
        """Convolves inputs (batch, n, c), to (batch, ceil(n / strides), filters) with "same"."""
        if self.padding == "causal" or self.data_format != "channels_last":
            return super().call(inputs)
        (strides,), (dilation,) = self.strides, self.dilation_rate
        x = conv(inputs, self.kernel, strides, self.padding, dilation)
        if self.use_bias:
            x = x + self.bias
        return x if self.activation is None else self.activation(x)


def conv(x, kernel, strides: int = 1, padding: str = "same", dilation: int = 1):
    """Convolves as `ops.conv`, in the faster way.

    Args:
        x: (batch, n, c).
        kernel: (taps, c, filters).
        strides: samples from one output to the next.
        padding: "same" or "valid".
        dilation: samples from tap to tap; only a stride of 1 can have any other than 1.

    Returns:
        (batch, ceil(n / strides), filters), or fewer samples if the padding is "valid".
    """
    long = padding == "same" and _is_long(x, kernel, strides)
    if long and _only_cpus() and not _PLAIN.get():
        return conv_by_transforms(x, kernel, strides, dilation)
    return ops.conv(x, kernel, strides, padding, dilation_rate=dilation)


def _is_long(x, kernel, strides: int) -> bool:
    """Whether the transforms are faster, and possible."""
    taps, channels, filters = kernel.shape
    long = taps >= LEAST_TAPS and taps * min(channels, filters) >= LEAST_PRODUCTS
    grouped = channels != x.shape[-1]
    # Float16 would overflow.
    half = keras.backend.standardize_dtype(x.dtype) == "float16"
    return long and _hop(taps) % strides == 0 and not grouped and not half


@functools.cache
def _only_cpus() -> bool:
    """Whether Keras computes on CPUs. GPUs and TPUs have fast convolutions of their own."""
    return all(device.startswith("cpu") for device in keras.distribution.list_devices())


def conv_by_transforms(x, kernel, strides: int = 1, dilation: int = 1):
    """Convolves as `conv` with "same". At least two taps; the strides must divide the hop."""
    taps, channels, filters = kernel.shape
    batch, n, _ = ops.shape(x)
    count = -(-n // strides)
    matrices = _matrices(taps)
    points = len(matrices.analysis)
    matrices = matrices._replace(synthesis=matrices.synthesis[::strides])
    analysis, kernel_analysis, synthesis = (ops.cast(each, x.dtype) for each in matrices)
    # The output of a hop takes its samples and those of the next one. Samples between two taps are
    # like further channels.
    hop = _hop(taps)
    step = hop * dilation
    hops = -(-n // step)
    before = ((taps - 1) * dilation + 1 + (count - 1) * strides - n) // 2
    padded = ops.pad(x, ((0, 0), (before, (hops + 1) * step - before - n), (0, 0)))
    parts = ops.reshape(padded, (batch, hops + 1, hop, dilation * channels))
    # TensorFlow takes several times as long for the gradient of an index.
    shape = batch, hops, hop, dilation * channels
    pairs = ops.concatenate([ops.slice(parts, (0, k, 0, 0), shape) for k in (0, 1)], axis=2)
    pairs = ops.reshape(ops.transpose(pairs, (2, 0, 1, 3)), (2 * hop, -1))
    # (points, batch * hops * dilation, channels)
    transformed = ops.reshape(ops.matmul(analysis, pairs), (points, -1, channels))
    # (points, channels, filters)
    kernels = ops.matmul(kernel_analysis, ops.reshape(kernel, (taps, -1)))
    kernels = ops.reshape(kernels, (points, channels, filters))
    products = ops.reshape(ops.matmul(transformed, kernels), (points, -1))
    outputs = ops.matmul(synthesis, products)
    outputs = ops.reshape(outputs, (hop // strides, batch, hops, dilation * filters))
    outputs = ops.transpose(outputs, (1, 2, 0, 3))
    outputs = ops.reshape(outputs, (batch, hops * step // strides, filters))
    return ops.slice(outputs, (0, 0, 0), (batch, count, filters))


def _hop(taps: int) -> int:
    """Returns the samples of output of a transform: an even number, taps - 1 or taps."""
    return taps - taps % 2


class _Matrices(NamedTuple):
    """The transforms of two hops of samples."""

    analysis: np.ndarray  # (points, 2 hop)
    kernel_analysis: np.ndarray  # (points, taps)
    synthesis: np.ndarray  # (hop, points)


@functools.cache
def _matrices(taps: int) -> _Matrices:
    """Returns the matrices, for kernels that are not reversed, as in networks."""
    hop = _hop(taps)
    bins = np.arange(hop + 1)
    # Of a reduced product, the cosines and sines are more exact.
    angles = np.pi / hop * (np.outer(bins, np.arange(2 * hop)) % (2 * hop))
    cosines, sines = np.cos(angles), np.sin(angles)
    # The spectrum of the samples is a + i b, with a = cosines x and b = -sines x. The conjugate one
    # of the kernel is c + i d, with c = cosines w and d = sines w. Their product is
    # p - r + i (p + q), with p = (a + b) c, q = a (d - c) and r = b (c + d). In the lowest and the
    # highest bin, all are real, and p is enough.
    inner = slice(1, -1)
    analysis = [cosines - sines, cosines[inner], -sines[inner]]
    kernel_analysis = [cosines, (sines - cosines)[inner], (cosines + sines)[inner]]
    # All other bins stand for two of the whole spectrum.
    weights = np.array([1, *[2] * (hop - 1), 1])[:, np.newaxis] / (2 * hop)
    real, imaginary = weights * cosines, -weights * sines
    synthesis = [real + imaginary, imaginary[inner], -real[inner]]
    return _Matrices(
        np.concatenate(analysis),
        np.concatenate(kernel_analysis)[:, :taps],
        np.concatenate(synthesis)[:, :hop].T,
    )
