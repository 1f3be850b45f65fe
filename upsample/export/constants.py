"""Stores constants of a TFLite model in other types: smaller without loss, or faster."""

import copy

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

# The smallest float32 constant, in bytes, for which an additional operator is worthwhile.
SMALLEST = 1024
DEPTHWISE = schema.BuiltinOperator.DEPTHWISE_CONV_2D


def store_half(model: bytes, rounded: bool = False) -> bytes:
    """Stores float32 constants in 16 bits if all their values are 16-bit numbers.

    Shipped weights are such numbers; a network's fixed kernels are not. Each constant gets a
    DEQUANTIZE operator, which the runtime evaluates once. TFLite's own float16 mode also rounds
    small constants, such as the least power of a bin, to 0.

    Args:
        model: a TFLite model.
        rounded: whether to round the values of all large constants.

    Returns:
        a model with the same output, unless values were rounded.
    """
    if not _is_worthwhile(model, rounded):
        return model
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    stored: dict[int, int] = {}
    for graph in content.subgraphs:
        operators = []
        for index, tensor in enumerate(list(graph.tensors)):
            half = _as_half(tensor.type, content.buffers[tensor.buffer].data, rounded)
            if half is not None:
                # Signatures share their weights.
                if tensor.buffer not in stored:
                    stored[tensor.buffer] = _add_buffer(content, half)
                operators.append(_replace(content, graph, index, stored[tensor.buffer]))
        graph.operators = operators + graph.operators
    _drop_unused_buffers(content)
    return flatbuffer_utils.convert_object_to_bytearray(content)


def widen_depthwise(model: bytes) -> bytes:
    """Stores the 8-bit filters of depthwise convolutions in 32 bits, with the same values.

    They are small. XNNPACK, the runtime's fast library, has no such convolution of float32 with
    8-bit filters: that takes four times as long and interrupts what XNNPACK runs in one piece.

    Args:
        model: a TFLite model with weights in 8 bits.

    Returns:
        a model with the same output, but for the rounding of the inputs of these convolutions.
    """
    root = schema.Model.GetRootAs(model)
    codes = map(root.OperatorCodes, range(root.OperatorCodesLength()))
    if all(code.BuiltinCode() != DEPTHWISE for code in codes):
        return model
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    stored: dict[int, int] = {}
    for graph in content.subgraphs:
        for operator in graph.operators:
            if content.operatorCodes[operator.opcodeIndex].builtinCode != DEPTHWISE:
                continue
            filters = graph.tensors[operator.inputs[1]]
            if filters.type != schema.TensorType.INT8:
                continue
            if filters.buffer not in stored:
                integers = np.asarray(content.buffers[filters.buffer].data, np.uint8).view(np.int8)
                # Each channel, the last axis, has its own scale.
                scaled = integers.reshape(filters.shape) * np.float32(filters.quantization.scale)
                stored[filters.buffer] = _add_buffer(content, scaled)
            filters.buffer = stored[filters.buffer]
            filters.type, filters.quantization = schema.TensorType.FLOAT32, None
    _drop_unused_buffers(content)
    return flatbuffer_utils.convert_object_to_bytearray(content)


def _is_worthwhile(model: bytes, rounded: bool) -> bool:
    """Whether a model has such constants. Its objects, which this does not need, take seconds."""
    root = schema.Model.GetRootAs(model)
    for graph in map(root.Subgraphs, range(root.SubgraphsLength())):
        for tensor in map(graph.Tensors, range(graph.TensorsLength())):
            buffer = root.Buffers(tensor.Buffer())
            data = buffer.DataAsNumpy() if buffer.DataLength() else None
            if _as_half(tensor.Type(), data, rounded) is not None:
                return True
    return False


def _as_half(kind: int, data: np.ndarray | None, rounded: bool) -> np.ndarray | None:
    """Converts a constant to 16 bits; None if it is small, not float32, or must not be rounded."""
    if kind != schema.TensorType.FLOAT32 or data is None or len(data) < SMALLEST:
        return None
    values = np.asarray(data, np.uint8).view(np.float32)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if rounded and np.isfinite(half).all():
        return half
    return half if np.array_equal(half.astype(np.float32), values) else None


def _add_buffer(content: schema.ModelT, values: np.ndarray) -> int:
    """Adds a buffer with these values; returns its index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    content.buffers.append(buffer)
    return len(content.buffers) - 1


def _replace(
    content: schema.ModelT, graph: schema.SubGraphT, index: int, buffer: int
) -> schema.OperatorT:
    """Replaces a constant with the output of a new operator, which dequantizes a buffer."""
    tensor = graph.tensors[index]
    stored = copy.copy(tensor)
    stored.type, stored.name = schema.TensorType.FLOAT16, tensor.name + b"_half"
    stored.buffer = buffer
    graph.tensors.append(stored)
    # The first buffer of a model is empty.
    tensor.buffer = 0
    operator = schema.OperatorT()
    operator.opcodeIndex = _dequantize(content)
    operator.inputs, operator.outputs = [len(graph.tensors) - 1], [index]
    return operator


def _dequantize(content: schema.ModelT) -> int:
    """Returns the index of the DEQUANTIZE operator, which is added if the model has none."""
    code = schema.BuiltinOperator.DEQUANTIZE
    for index, kind in enumerate(content.operatorCodes):
        if kind.builtinCode == code:
            return index
    # Version 3 is the first that takes float16.
    kind = schema.OperatorCodeT()
    kind.deprecatedBuiltinCode, kind.builtinCode, kind.version = code, code, 3
    content.operatorCodes.append(kind)
    return len(content.operatorCodes) - 1


def _drop_unused_buffers(content: schema.ModelT) -> None:
    """Empties the buffers that no tensor and no metadata refers to."""
    used = {tensor.buffer for graph in content.subgraphs for tensor in graph.tensors}
    used |= {entry.buffer for entry in content.metadata or []}
    for index, buffer in enumerate(content.buffers):
        if index not in used:
            buffer.data = None
