"""Counts the operations of networks' matrix products and convolutions, and the machine's peak."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf
from timing import seconds

# What multiplies every position of its output with a kernel.
_BY_OUTPUT = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D)
_BY_OUTPUT += (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
# What multiplies every position of its input.
_BY_INPUT = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose)
# The side of the matrices of which the machine's peak is measured.
SIDE = 2048


def count(forward: Callable[[], object]) -> int:
    """Counts the operations of a computation: two for each product that is added to a sum.

    Each layer with a kernel has as many products as the kernel has numbers, at each position. Sums
    of biases, activations, normalizations and Fourier transforms do not count.

    Args:
        forward: calls Keras layers on tensors, not within a graph.

    Raises:
        TypeError: a layer has a kernel, and it is not known how often it is applied.
    """
    total = 0
    with _calls() as calls:
        forward()
    for layer, input, output in calls:
        if isinstance(layer, keras.layers.LSTM):
            kernels, shape = [layer.cell.kernel, layer.cell.recurrent_kernel], input
        elif isinstance(layer, keras.layers.LSTMCell) or not hasattr(layer, "kernel"):
            continue
        elif isinstance(layer, _BY_OUTPUT + _BY_INPUT):
            kernels, shape = [layer.kernel], input if isinstance(layer, _BY_INPUT) else output
        else:
            raise TypeError(f"{layer.name}: the operations of {type(layer).__name__} are unknown")
        total += 2 * math.prod(shape[:-1]) * sum(math.prod(each.shape) for each in kernels)
    return total


@contextmanager
def _calls() -> Iterator[list[tuple[keras.layers.Layer, tuple[int, ...], tuple[int, ...]]]]:
    """Yields a list of all calls of layers within a block: the layer, shape of input and output.

    Networks contain layers that contain layers; all of them are called by this one function.
    """
    call = keras.layers.Layer.__call__
    calls = []

    def recording(layer, *args, **kwargs):
        result = call(layer, *args, **kwargs)
        first = [keras.tree.flatten(each)[0] for each in (args, result)]
        calls.append((layer, *(tuple(getattr(each, "shape", ())) for each in first)))
        return result

    keras.layers.Layer.__call__ = recording
    try:
        yield calls
    finally:
        keras.layers.Layer.__call__ = call


def peak(dtype: str, repeats: int, side: int = SIDE) -> float:
    """Measures the operations per second of a product of large matrices, the fastest of several.

    Args:
        dtype: "float32" or "bfloat16".
        repeats: number of products, after a warm-up.
        side: rows and columns of the matrices.
    """
    matrix = tf.cast(tf.random.normal((side, side), seed=0), dtype)
    multiply = tf.function(tf.matmul)
    multiply(matrix, matrix)
    return 2 * side**3 / min(seconds(lambda: multiply(matrix, matrix)) for _ in range(repeats))
