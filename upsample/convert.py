"""From a trained network to a TFLite file of built-in operators, checked before it is written."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from ..data_gen import degrade, pipeline, shards
from ..data_gen.command import UserError, replacing
from .tflite import Facts, TFLiteNetwork, write
from .upsampler import Upsampler, weights_file

# How near a file must come to its Keras network: the signal-to-noise ratio in dB of its output
# against the network's, for noise. What int8 loses depends on the network; it must only be finite.
AGREEMENT_DB = {"none": 80.0, "float16": 40.0, "dynamic": 10.0, "int8": -np.inf}

CALIBRATION_WINDOWS = 100


class Export(NamedTuple):
    """What became of an export."""

    facts: Facts
    size: int  # bytes
    operators: Counter[str]
    agreement_db: float  # as in AGREEMENT_DB


def export(
    run: Path,
    output: Path,
    quantize: str = "none",
    window: int | None = None,
    data: Path | None = None,
    licence: str = "",
) -> Export:
    """Writes the best network of a run, or that of a weights file in it, as a TFLite file.

    Args:
        run: a run folder, or a weights file in one.
        output: the file to write; it stands there only once it has been found to agree.
        quantize: a key of `AGREEMENT_DB`. "float16" and "dynamic" keep weights in 16 and 8 bits;
            "int8" computes in 8 bits too, wherever TFLite can.
        window: samples that the file takes at once, at the rate that the network wants. By
            default its patch if it sees all of that, else four times its context.
        data: a dataset of wideband-prepare, whose training part "int8" is calibrated on.
        licence: of the weights.

    Raises:
        UserError: there is no such run, the network does not take the window, "int8" has no data
            that the run could have been trained on, or the file does not do what the network does.
    """
    if quantize == "int8" and data is None:
        raise UserError("int8 is calibrated on training data; name a dataset with --data")
    folder, weights = weights_file(run)
    upsampler = Upsampler.from_run(run)
    network = upsampler.network
    assert network is not None
    recipe = json.loads((folder / "run.json").read_text())["recipe"]
    window, hop = _windows(network, window)
    calibration = None
    # Output samples for each of the input.
    step = upsampler.ratio if network.wants == "low" else 1
    if data is not None and quantize == "int8":
        made_by = shards.Description(recipe["sample_rate"], recipe["ratio"], recipe["protocol"])
        calibration = _calibration(data, made_by, network.wants, window * step)
    model = convert(network, window, calibration, quantize)
    facts = Facts(
        network=recipe["model"],
        arguments=recipe["arguments"],
        sample_rate=upsampler.sample_rate,
        ratio=upsampler.ratio,
        interpolation=degrade.get(recipe["protocol"]).interpolation,
        wants=network.wants,
        multiple=network.multiple,
        window=window,
        context=network.context,
        hop=hop,
        # The first sample of a hop waits for the window's last one.
        latency=step * (window - (window - hop) // 2),
        quantize=quantize,
        recipe=recipe["name"],
        weights_sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        licence=licence,
        model_sha256=hashlib.sha256(model).hexdigest(),
    )
    with replacing(output) as temporary:
        write(temporary, model, facts)
        agreement_db = _agreement(network, TFLiteNetwork(temporary))
        if not agreement_db >= AGREEMENT_DB[quantize]:
            raise UserError(
                f"{run}: as TFLite ({quantize}) it comes only within {agreement_db:.1f} dB of "
                f"itself, {AGREEMENT_DB[quantize]:.0f} are wanted; choose another --quantize"
            )
        size = temporary.stat().st_size
    return Export(facts, size, operators(model), agreement_db)


def _windows(network: keras.Model, window: int | None) -> tuple[int, int]:
    """Gives the samples of a window and those from one window to the next."""
    if network.context is None:
        if window not in (None, network.patch):
            raise UserError(
                f"--window={window}: this network sees all of its patch, and takes windows of "
                f"{network.patch} samples"
            )
        return network.patch, network.patch // 2
    window = window or 4 * int(network.context)
    if window % network.multiple or window <= 2 * network.context:
        raise UserError(
            f"--window={window}: this network takes multiples of {network.multiple} samples, "
            f"more than {2 * network.context}"
        )
    return window, window - 2 * network.context


def _calibration(
    data: Path, made_by: shards.Description, wants: str, patch: int
) -> list[np.ndarray]:
    """Draws windows (1, window, 1) of a dataset's training part."""
    if shards.describe(data) != made_by:
        raise UserError(
            f"{data}: not made as what the run was trained on, at {made_by.sample_rate} Hz with "
            f"ratio {made_by.ratio} and protocol {made_by.protocol}"
        )
    pairs = pipeline.patches(shards.files(data, "train"), patch, batch=1, wants=wants)
    windows = [low for low, _ in pairs.take(CALIBRATION_WINDOWS).as_numpy_iterator()]
    if not windows:
        raise UserError(f"{data}: no training recording is as long as a window of {patch} samples")
    return windows


def convert(
    network: keras.Model,
    window: int,
    calibration: Iterable[np.ndarray] | None = None,
    quantize: str = "none",
) -> bytes:
    """Converts a network to a TFLite model that takes and gives one float32 window at a time.

    Args:
        network: of `wideband.models`; it stays as it is.
        window: samples that the model takes.
        calibration: inputs (1, window, 1) as they are at work, for "int8".
        quantize: as in `export`.

    Raises:
        UserError: TFLite has no built-in operators for the network.
    """
    weights = [
        [variable.numpy() for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    ]

    def restore(wave):
        # As constants: what TFLite makes of variables would have to be initialized first.
        constants = [list(map(tf.constant, group)) for group in weights]
        return network.stateless_call(*constants, wave, training=False)[0]

    module = tf.Module()
    module.restore = tf.function(restore)
    with _tflite_forms(network):
        function = module.restore.get_concrete_function(
            tf.TensorSpec((1, window, 1), tf.float32, name="wave")
        )
    # From the module's saved form: frozen first, the functions that become LSTMs would be lost.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if calibration is not None:
        converter.representative_dataset = lambda: ([window] for window in calibration)
        converter.target_spec.supported_ops += [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    try:
        return converter.convert()
    except Exception as error:  # of a class that TensorFlow keeps to itself
        if type(error).__name__ != "ConverterError":
            raise
        reason = next(line for line in str(error).splitlines() if "error: " in line)
        raise UserError(f"{network.name}: does not convert to TFLite: {reason}") from error


@contextmanager
def _tflite_forms(network: keras.Model) -> Iterator[None]:
    """Gives some of a network's layers a form that converts, for as long as the context lasts."""
    changed = []
    for layer in network._flatten_layers():
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
        # TFLite has this operator in float32 only, so that 8 bits never round the wave itself; but
        # it adds nothing to several channels at once.
        x, wave = inputs
        return tf.add_n(inputs) if x.shape == wave.shape else tf.add(x, wave)

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


def _agreement(network: keras.Model, file: TFLiteNetwork) -> float:
    """Signal-to-noise ratio in dB of a file's output against its network's, for noise."""
    # Two windows: nothing of the first may be left when the second comes.
    noise = np.random.default_rng(0).normal(0, 0.1, (2, file.window, 1)).astype(np.float32)
    expected = np.asarray(network(noise))
    error = file.predict_on_batch(noise) - expected
    return float(10 * np.log10(np.sum(expected**2) / np.sum(error**2)))
