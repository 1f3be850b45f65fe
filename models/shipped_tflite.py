"""Keras weights of shipped networks that come as TFLite files, to train them further or on JAX.

The weights in such a file have 8 bits, and a scale for each output channel. The converter keeps the
names of layers in those of their constants, and multiplies the kernel before a layer scale with it.
"""

import re
from pathlib import Path

import keras
import numpy as np

from ..command import UserError
from ..command.files import replacing
from ..command.run import quiet_libraries
from . import build, pretrained, weights
from .record import Record

# Networks of convolutions, dense layers, normalizations and layer scales.
NETWORKS = ("overtonenet", "fullbandnet")


def convert(name: str, output: Path, precision: str) -> tuple[str, int, int]:
    """Writes the Keras weights of a shipped network to a run folder.

    Args:
        name: of the network.
        output: the run folder.
        precision: of the weights file, as in `weights.write`.

    Returns:
        what kind of network it is, its parameters and its rate in Hz.

    Raises:
        UserError: there is no such network, or it cannot be converted.
    """
    folder = pretrained.find(name)
    if (folder / pretrained.KERAS_FILE).is_file():
        raise UserError(
            f"{name}: has Keras weights; use --initial_weights={name} or --model={name}"
        )
    record = Record.read(folder)
    if record.model not in NETWORKS:
        raise UserError(
            f"{name}: a {record.model}; the weights of {' and '.join(NETWORKS)} can be converted, "
            "as those of speech and fullband"
        )
    network = build(record.model, **record.arguments)
    assign(network, constants(folder / pretrained.TFLITE_FILE))
    with replacing(output / pretrained.KERAS_FILE) as temporary:
        weights.write(network.networks()["network"], temporary, precision)
    record.write(output)
    return record.model, network.count_params(), record.sample_rate


def constants(path: Path) -> dict[str, np.ndarray]:
    """Reads the float32 and 8-bit constants of a TFLite file, by name, as float32."""
    with quiet_libraries():
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # Delegates would change the constants.
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(str(path), experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
    found = {}
    for tensor in interpreter.get_tensor_details():
        if tensor["dtype"] not in (np.int8, np.float32) or not len(tensor["shape"]):
            continue
        try:
            value = interpreter.get_tensor(tensor["index"])
        except ValueError:  # no constant
            continue
        if tensor["dtype"] == np.int8:
            scales = tensor["quantization_parameters"]
            shape = np.ones(value.ndim, int)
            shape[scales["quantized_dimension"]] = -1
            value = value.astype(np.float32) * scales["scales"].reshape(shape)
        found.setdefault(tensor["name"], value)
    return found


def assign(network: keras.Model, constants: dict[str, np.ndarray]) -> None:
    """Gives a network the constants of its TFLite file.

    Raises:
        UserError: they are not those of the network.
    """
    for weight in network.weights:
        layer, kind = weight.path.split("/")[-2:]
        if kind == "factor":  # of a layer scale, see `_balance`
            continue
        layer = re.sub("_project$", "_scale", layer)
        pattern = re.compile(rf"(?:^|[/;]){layer}_\d+/")
        size = np.prod(weight.shape)
        named = (each for key, each in constants.items() if pattern.search(key))
        found = [each for each in named if each.size == size]
        if len(found) != (2 if kind in ("gamma", "beta") else 1):
            raise UserError(f"{len(found)} constants for {weight.path}, of {size} numbers")
        weight.assign(_turned(found[kind == "beta"], weight.shape))
    _balance({weight.path: weight for weight in network.weights})


def _turned(constant: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns a constant in Keras's order: output channels last, not first."""
    if len(shape) == 1 or shape[-1] == 1:  # a depthwise kernel has them last
        return constant.reshape(shape)
    return np.moveaxis(constant.reshape(shape[-1], *shape[:-1]), 0, -1)


def _balance(variables: dict[str, keras.Variable]) -> None:
    """Divides what the converter multiplied, so that kernels have the size of initial ones.

    With layer scales of 1, training would change the kernels before them too slowly or too fast.
    """
    for path, factor in variables.items():
        if not path.endswith("_scale/factor"):
            continue
        block = path.removesuffix("_scale/factor")
        kernel, bias = (variables[f"{block}_project/{kind}"] for kind in ("kernel", "bias"))
        size = np.sqrt(2 / sum(kernel.shape))  # of Glorot and Bengio 2010
        scale = np.sqrt(np.mean(np.square(kernel), axis=0)) / size
        factor.assign(scale)
        for each in (kernel, bias):
            each.assign(np.asarray(each) / scale)
