"""From a network to a TFLite model of built-in operators."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from ...command import UserError


def convert(
    model: keras.Model,
    window: int,
    calibration: Iterable[dict[str, np.ndarray]] | None = None,
    quantize: str = "none",
) -> bytes:
    """Converts a network to a TFLite model that takes and gives one float32 window at a time.

    Its signature names the wave as the network does ("interpolated" or "low"), what comes out
    "restored", and states as the inputs of a network's step; each comes out as it goes in.

    Args:
        model: a network of `wideband.models`, or the step of one that has it; it stays as it is.
        window: samples that the TFLite model takes.
        calibration: inputs by their names as they are at work, for "int8".
        quantize: "none", "float16", "dynamic" or "int8".

    Raises:
        UserError: TFLite has no built-in operators for the network.
    """
    weights = [
        [variable.numpy() for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    wave, *states = (tensor.name for tensor in model.inputs)
    shapes = [(1, window, 1), *(tensor.shape for tensor in model.inputs[1:])]

    def restore(**inputs):
        # As constants: what TFLite makes of variables would have to be initialized first.
        constants = [list(map(tf.constant, group)) for group in weights]
        if not states:
            return {"restored": model.stateless_call(*constants, inputs[wave], training=False)[0]}
        given = [inputs[name] for name in (wave, *states)]
        outputs, _ = model.stateless_call(*constants, given, training=False)
        return dict(zip(("restored", *states), outputs, strict=True))

    module = tf.Module()
    module.restore = tf.function(restore)
    with _tflite_forms(model):
        function = module.restore.get_concrete_function(
            **{
                name: tf.TensorSpec(shape, tf.float32, name)
                for name, shape in zip((wave, *states), shapes, strict=True)
            }
        )
    # From the module's saved form: frozen first, the functions that become LSTMs would be lost.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if calibration is not None:
        converter.representative_dataset = lambda: calibration
        converter.target_spec.supported_ops += [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    try:
        return converter.convert()
    except Exception as error:  # of a class that TensorFlow keeps to itself
        if type(error).__name__ != "ConverterError":
            raise
        reason = next(line for line in str(error).splitlines() if "error: " in line)
        raise UserError(f"{model.name}: does not convert to TFLite: {reason}") from error


@contextmanager
def _tflite_forms(model: keras.Model) -> Iterator[None]:
    """Gives some of a model's layers a form that converts, for as long as the context lasts."""
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


def _add(layer: keras.layers.Add) -> Callable:
    """A sum as a plain sum.

    Keras takes the wave (1, n, 1) for a bias of n channels, which TFLite cannot add so.
    """

    def call(inputs):
        # Of the wave itself: TFLite has this operator in float32 only, so that 8 bits never round
        # it. Sums of channels, inside the network, it cannot do.
        x, other = inputs
        is_wave = x.shape == other.shape and x.shape[-1] == 1
        return tf.add_n(inputs) if is_wave else tf.add(x, other)

    return call


def _lstm(layer: keras.layers.LSTM) -> Callable:
    """An LSTM in a function that the converter replaces by TFLite's operator for it.

    The converter goes by the function's attributes and the order of its arguments and results,
    those of Keras 2's LSTM with its default activations; it reads nothing of the inside. TFLite's
    operator keeps its state until the runner resets it. (Unrolled, an LSTM of 32 steps has 400
    operators; as a loop it cannot be calibrated.)
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


_FORMS = {keras.layers.Add: _add, keras.layers.LSTM: _lstm}


def operators(model: bytes) -> Counter[str]:
    """Counts a TFLite model's operators by name; those that are not built in are named CUSTOM."""
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    root = schema.Model.GetRootAs(model)
    counted = Counter()
    for graph in map(root.Subgraphs, range(root.SubgraphsLength())):
        for operator in map(graph.Operators, range(graph.OperatorsLength())):
            code = root.OperatorCodes(operator.OpcodeIndex())
            # Codes above 127 stand in the newer of the two fields only.
            counted[names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]] += 1
    return counted
