"""Converts a network to a TFLite model of built-in operators."""

import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from tempfile import TemporaryDirectory

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from ...command import UserError
from ...models.long_conv import plain_convolutions
from ...models.stft import STFT, InverseSTFT
from ..tflite import SHORTER
from .constants import store_half, widen_depthwise


def convert(
    model: keras.Model,
    window: int,
    calibration: Iterable[dict[str, np.ndarray]] | None = None,
    quantize: str = "none",
    shorter_windows: Sequence[int] = (),
) -> bytes:
    """Converts a network to a TFLite model that maps one float32 window per call.

    The signatures name the input as the network does ("interpolated", "low" or "high") and the
    output "restored". States keep the names of the step's inputs, on both sides.

    Args:
        model: a network of `wideband.models`, or the step of one; it is not changed.
        window: samples per call.
        calibration: typical inputs by name, for "int8".
        quantize: "none", "float16", "dynamic" or "int8". With "none", weights that are 16-bit
            numbers are stored in 16 bits.
        shorter_windows: further lengths, each with a signature of its own; all share the weights.
            They cannot be calibrated.

    Raises:
        UserError: the network needs operators that are not built into TFLite, or has a loop, which
            cannot be calibrated.
    """
    weights = [
        [variable.numpy() for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    wave, *states = (tensor.name for tensor in model.inputs)

    def restore(**inputs):
        # Weights as constants: TFLite's variables would have to be initialized first.
        constants = [list(map(tf.constant, group)) for group in weights]
        if not states:
            return {"restored": model.stateless_call(*constants, inputs[wave], training=False)[0]}
        ordered = [inputs[name] for name in (wave, *states)]
        outputs, _ = model.stateless_call(*constants, ordered, training=False)
        return dict(zip(("restored", *states), outputs, strict=True))

    def trace(window: int):
        shapes = [(1, window, 1), *(tensor.shape for tensor in model.inputs[1:])]
        specs = {
            name: tf.TensorSpec(shape, tf.float32, name)
            for name, shape in zip((wave, *states), shapes, strict=True)
        }
        return tf.function(restore, autograph=False).get_concrete_function(**specs)

    with plain_convolutions(), _tflite_forms(model):
        function = trace(window)
        # The first signature is what programs run that know of no signatures.
        signatures = {"serving_default": function}
        signatures |= {SHORTER.format(each): trace(each) for each in shorter_windows}
    loops = ("While", "StatelessWhile")
    if calibration is not None and any(
        node.op in loops for node in function.graph.as_graph_def().node
    ):
        # The process would crash.
        raise UserError(
            f"{model.name}: a recurrent network with hard-sigmoid gates cannot be calibrated; "
            "choose --quantize=float16 or dynamic"
        )
    with TemporaryDirectory() as folder:
        # Freezing a function would lose the functions that become LSTMs. A module that had the
        # functions itself would trace them again.
        tf.saved_model.save(tf.Module(), folder, signatures)
        content = _converted(model.name, folder, [*signatures], calibration, quantize)
    after = {
        "none": store_half,
        "float16": partial(store_half, rounded=True),
        "dynamic": widen_depthwise,
    }
    return after[quantize](content) if quantize in after else content


def _converted(
    name: str,
    folder: str,
    signatures: Sequence[str],
    calibration: Iterable[dict[str, np.ndarray]] | None,
    quantize: str,
) -> bytes:
    """Converts a saved model; the arguments are those of `convert`."""
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[*signatures])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize in ("dynamic", "int8"):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibration is not None:
        converter.representative_dataset = lambda: calibration
        converter.target_spec.supported_ops += [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    try:
        with warnings.catch_warnings():
            # The converter calibrates with its own, deprecated interpreter.
            warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated")
            return converter.convert()
    except Exception as error:  # its class is private to TensorFlow
        if type(error).__name__ != "ConverterError":
            raise
        reason = next(line for line in str(error).splitlines() if "error: " in line)
        raise UserError(f"{name}: does not convert to TFLite: {reason}") from error


@contextmanager
def _tflite_forms(model: keras.Model) -> Iterator[None]:
    """Within the context, replaces the calls of some layers with calls that convert to TFLite."""
    changed = []
    for layer in model._flatten_layers():
        for kind, form in _FORMS.items():
            if isinstance(layer, kind):
                layer.call = form(layer)
                changed.append(layer)
    try:
        yield
    finally:
        for layer in changed:
            del layer.call


def _add(inputs):
    """Replaces the call of a sum: Keras would add a wave (1, n, 1) as a bias, which TFLite cannot.

    TFLite has AddN in float32 only, so int8 files do not round the wave itself to 8 bits. Sums of
    channels inside the network use the plain operator, which can be quantized.
    """
    x, other = inputs
    is_wave = x.shape == other.shape and x.shape[-1] == 1
    return tf.add_n(inputs) if is_wave else tf.add(x, other)


def _lstm(layer: keras.layers.LSTM) -> Callable:
    """Makes the call of an LSTM: a function that the converter replaces with TFLite's LSTM.

    The converter recognizes the function by its attributes and by the order of its arguments and
    results, which are those of Keras 2's LSTM with default activations. It ignores the function's
    body. TFLite's operator keeps its state until the program resets it. (Unrolled, an LSTM of 32
    steps has 400 operators; a loop cannot be calibrated.)
    """

    @tf.function(
        autograph=False,
        experimental_attributes={
            "api_implements": f"lstm_{uuid.uuid4()}",
            "api_preferred_device": "CPU",
            "time_major": False,
            "go_backwards": False,
        },
    )
    def lstm(inputs, output, state, kernel, recurrent_kernel, bias):
        def step(previous, x):
            output, state = previous
            gates = x @ kernel + output @ recurrent_kernel + bias
            i, f, g, o = tf.split(gates, 4, axis=1)
            state = tf.sigmoid(f) * state + tf.sigmoid(i) * tf.tanh(g)
            return tf.sigmoid(o) * tf.tanh(state), state

        # (steps, batch, units) both
        outputs, states = tf.scan(step, tf.transpose(inputs, (1, 0, 2)), (output, state))
        outputs_by_batch = tf.transpose(outputs, (1, 0, 2))
        return outputs[-1], outputs_by_batch, outputs[-1], states[-1], tf.constant(0.0)

    def call(inputs, **_):
        cell, zeros = layer.cell, tf.zeros((inputs.shape[0], layer.units))
        weights = map(tf.convert_to_tensor, (cell.kernel, cell.recurrent_kernel, cell.bias))
        return lstm(inputs, zeros, zeros, *weights)[1]

    return call


def _transform(layer: STFT | InverseSTFT) -> Callable:
    """Makes the call of a Fourier transform: TFLite has those of powers of two only."""
    return partial(type(layer).call, layer, matrices=not layer.power_of_two)


# The layers whose calls do not convert, and functions from such a layer to its new call.
_FORMS = {
    keras.layers.Add: lambda layer: _add,
    keras.layers.LSTM: _lstm,
    STFT: _transform,
    InverseSTFT: _transform,
}


def operators(model: bytes) -> Counter[str]:
    """Counts a TFLite model's operators by name; operators that are not built in are CUSTOM."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    root = schema.Model.GetRootAs(model)
    counted = Counter()
    for graph in map(root.Subgraphs, range(root.SubgraphsLength())):
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            code = root.OperatorCodes(operator.OpcodeIndex())
            # Codes above 127 are in the newer of the two fields only.
            counted[names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]] += 1
    return counted
