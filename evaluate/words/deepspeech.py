"""DeepSpeech 0.9.3: its features, its acoustic network, its checkpoint, and a recognizer of them.

Hannun et al.: Deep Speech: Scaling up end-to-end speech recognition, arXiv:1412.5567, in the form
that Mozilla released. Facts from mozilla/DeepSpeech at v0.9.3, training/deepspeech_training:
util/feeding.py (features), util/config.py (sizes), util/flags.py (windows, clip, dropout),
train.py (layers, names of variables), util/checkpoints.py (names of files).

What is written otherwise here, with the same outputs: the first layer, which sees a frame with nine
on either side, is a convolution; the network ends with the logarithm of the softmax.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ...command import UserError
from ...command.files import replacing
from . import ctc

SAMPLE_RATE = 16000
WINDOW = 512  # samples, 32 ms
STEP = 320  # samples, 20 ms
COEFFICIENTS = 26
CONTEXT = 9  # frames on either side
RELEASED_HIDDEN = 2048
BATCH = 16  # recordings that the network hears at once
WEIGHTS = "best.weights.h5"
SIZES = "deepspeech.json"

_LSTM = "cudnn_lstm/rnn/multi_rnn_cell/cell_0/cudnn_compatible_lstm_cell"
_CELL_GATES = "icfo"
_KERAS_GATES = "ifco"


def mfcc(wave: tf.Tensor) -> tf.Tensor:
    """The features of a wave, by the operations that the release uses.

    Args:
        wave: (n,) float32 at 16 kHz.

    Returns:
        (frames, 26) float32, with 1 + (n - 512) // 320 frames, none if the wave is shorter.
    """
    spectrogram = tf.raw_ops.AudioSpectrogram(
        input=wave[:, None], window_size=WINDOW, stride=STEP, magnitude_squared=True
    )
    return tf.raw_ops.Mfcc(
        spectrogram=spectrogram,
        sample_rate=SAMPLE_RATE,
        upper_frequency_limit=SAMPLE_RATE / 2,
        dct_coefficient_count=COEFFICIENTS,
    )[0]


def build(hidden: int = RELEASED_HIDDEN, dropout: float = 0.0, noise: float = 0.0) -> keras.Model:
    """The acoustic network: (batch, frames, 26) to logarithms of probabilities (batch, frames, 29).

    Frames of zeros after the end of a recording change nothing before it: the release takes zeros
    as context there, and the LSTM runs forward.

    Args:
        hidden: width of every layer.
        dropout: part of the outputs that the dense layers drop in training.
        noise: standard deviation of the Gaussian noise added to the features in training.
    """
    features = keras.Input((None, COEFFICIENTS), name="features")
    x = keras.layers.GaussianNoise(noise, name="noise")(features)
    # A dense layer on a frame and its context is a convolution over frames.
    x = keras.layers.Conv1D(hidden, 2 * CONTEXT + 1, padding="same", name="layer_1")(x)
    x = _clip_and_drop(x, dropout)
    for name in ("layer_2", "layer_3"):
        x = _clip_and_drop(keras.layers.Dense(hidden, name=name)(x), dropout)
    x = keras.layers.LSTM(
        hidden,
        return_sequences=True,
        # Keras draws an orthogonal matrix otherwise, which takes long at the release's size.
        recurrent_initializer="glorot_uniform",
        unit_forget_bias=False,
        name="lstm",
    )(x)
    x = _clip_and_drop(keras.layers.Dense(hidden, name="layer_5")(x), dropout)
    x = keras.layers.Dense(ctc.BLANK + 1, name="layer_6")(x)
    outputs = keras.layers.Activation("log_softmax", dtype="float32", name="log_softmax")(x)
    network = keras.Model(features, outputs, name="deepspeech")
    # XLA would compile every length anew.
    network.jit_compile = False
    return network


def _clip_and_drop(x, dropout: float):
    return keras.layers.Dropout(dropout)(keras.layers.ReLU(max_value=20.0)(x))


def load_checkpoint(path: Path) -> keras.Model:
    """Builds the network of a TensorFlow checkpoint and fills it.

    Args:
        path: the folder of the release's checkpoint, or the checkpoint without its suffix
            (`.../best_dev-1466475`). In a folder, the best one is taken, else the last.

    Raises:
        UserError: there is no checkpoint, or it is damaged or of another network.
    """
    prefix = _prefix(path)
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        network = build(_hidden(shapes, prefix))
        values = {
            name: reader.get_tensor(name) for name in _expected(network.get_layer("lstm").units)
        }
    # Of which kind it is depends on where the damage lies.
    except (tf.errors.OpError, RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{prefix}: not readable as a TensorFlow checkpoint ({reason})") from error
    for name in ("layer_1", "layer_2", "layer_3", "layer_5", "layer_6"):
        layer = network.get_layer(name)
        weights = values[f"{name}/weights"].reshape(layer.kernel.shape)
        layer.set_weights([weights, values[f"{name}/bias"]])
    kernel, bias = (_reorder_gates(values[f"{_LSTM}/{name}"]) for name in ("kernel", "bias"))
    # The cell's one matrix is for the inputs and, below, the previous outputs.
    network.get_layer("lstm").set_weights([*np.split(kernel, 2), bias])
    return network


def _prefix(path: Path) -> str:
    if path.is_dir():
        states = (path / name for name in ("best_dev_checkpoint", "checkpoint"))
        named = [
            tf.train.get_checkpoint_state(path, each.name) for each in states if each.is_file()
        ]
        if not named:
            raise UserError(
                f"{path}: no file best_dev_checkpoint or checkpoint here, which would name a "
                "checkpoint; give the path of one without .index"
            )
        # The path to it is of the machine that trained.
        path /= Path(named[0].model_checkpoint_path).name
    if not path.with_name(path.name + ".index").is_file():
        raise UserError(
            f"{path}: there is no such checkpoint; give its folder, or its path without .index"
        )
    return str(path)


def _expected(hidden: int) -> dict[str, list[int]]:
    """Names and shapes of a checkpoint's variables, less the optimizer's."""
    inputs = (2 * CONTEXT + 1) * COEFFICIENTS
    shapes = {f"{_LSTM}/kernel": [2 * hidden, 4 * hidden], f"{_LSTM}/bias": [4 * hidden]}
    for number, (rows, columns) in {
        1: (inputs, hidden),
        2: (hidden, hidden),
        3: (hidden, hidden),
        5: (hidden, hidden),
        6: (hidden, ctc.BLANK + 1),
    }.items():
        shapes[f"layer_{number}/weights"] = [rows, columns]
        shapes[f"layer_{number}/bias"] = [columns]
    return shapes


def _hidden(shapes: dict[str, list[int]], prefix: str) -> int:
    """Reads the width of a checkpoint's network from its shapes, all of which it checks."""
    hidden = shapes.get("layer_1/bias", [0])[0]
    for name, shape in _expected(hidden).items():
        if name not in shapes:
            raise UserError(f"{prefix}: no checkpoint of DeepSpeech 0.9.3; {name} is missing")
        if shapes[name] != shape:
            raise UserError(
                f"{prefix}: no checkpoint of DeepSpeech 0.9.3 for English; {name} has the shape "
                f"{shapes[name]}, not {shape}"
            )
    return hidden


def _reorder_gates(values: np.ndarray) -> np.ndarray:
    gates = dict(zip(_CELL_GATES, np.split(values, 4, axis=-1), strict=True))
    return np.concatenate([gates[gate] for gate in _KERAS_GATES], axis=-1)


def save(network: keras.Model, folder: Path) -> None:
    """Writes the weights of a network, and its width, for `DeepSpeech.from_weights`."""
    with replacing(folder / SIZES) as temporary:
        temporary.write_text(json.dumps({"hidden": network.get_layer("lstm").units}) + "\n")
    # A compiled network would save its optimizer too.
    bare = build(network.get_layer("lstm").units)
    bare.set_weights(network.get_weights())
    with replacing(folder / WEIGHTS) as temporary:
        bare.save_weights(temporary)


def pad(features: Sequence[np.ndarray]) -> np.ndarray:
    """Puts features of several lengths side by side, with zeros after their ends.

    Returns:
        (batch, frames, 26); frames are whole seconds, so that few shapes are compiled.
    """
    longest = max(1, *(len(each) for each in features))
    padded = np.zeros((len(features), longest + -longest % 50, COEFFICIENTS), np.float32)
    for row, each in zip(padded, features, strict=True):
        row[: len(each)] = each
    return padded


def hear(network: keras.Model, features: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Applies the network to recordings, in batches of similar length.

    Args:
        network: of `build`.
        features: each (frames, 26).

    Returns:
        logarithms of probabilities (frames, 29) for each.
    """
    order = np.argsort([len(each) for each in features], kind="stable")
    heard: list[np.ndarray] = [np.empty(0)] * len(features)
    for start in range(0, len(order), BATCH):
        numbers = order[start : start + BATCH]
        outputs = network.predict_on_batch(pad([features[number] for number in numbers]))
        for output, number in zip(outputs, numbers, strict=True):
            heard[number] = output[: len(features[number])]
    return heard


class DeepSpeech:
    """Recognizes English speech.

    Args:
        network: of `build`.
        scorer: a language model that KenLM reads, see `ctc.beam_search`.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, network: keras.Model, scorer: Path | None = None) -> None:
        self.name = f"deepspeech, {network.count_params():,} parameters, beam {ctc.BEAM_WIDTH}"
        if scorer is not None:
            self.name += f", scorer {scorer.name}"
        self.network = network
        self.scorer = scorer

    @classmethod
    def from_checkpoint(cls, path: str | Path, scorer: str | Path | None = None) -> "DeepSpeech":
        """Takes the network of the released TensorFlow checkpoint, see `load_checkpoint`."""
        return cls(load_checkpoint(Path(path)), Path(scorer) if scorer else None)

    @classmethod
    def from_weights(cls, path: str | Path, scorer: str | Path | None = None) -> "DeepSpeech":
        """Takes the network that wideband.evaluate.train_deepspeech left in a folder.

        Raises:
            UserError: the folder holds no such network, or a damaged one.
        """
        folder = Path(path)
        try:
            network = build(json.loads((folder / SIZES).read_text())["hidden"])
            network.load_weights(folder / WEIGHTS)
        except FileNotFoundError as error:
            raise UserError(
                f"{folder}: there is no {error.filename or WEIGHTS}; give a folder of "
                "python -m wideband.evaluate.train_deepspeech"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder}: the weights are damaged: {error}") from error
        return cls(network, Path(scorer) if scorer else None)

    def log_probabilities(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Hears waves, in batches of similar length.

        Args:
            waves: each (n,) float32 at 16 kHz.

        Returns:
            an array (frames, 29) for each.
        """
        features = [mfcc(tf.constant(wave, tf.float32)).numpy() for wave in waves]
        return hear(self.network, features)

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        """Writes down what is said in waves, in lower case without punctuation.

        Args:
            waves: each (n,) float32 at 16 kHz.
        """
        return ctc.beam_search(self.log_probabilities(waves), scorer=self.scorer)
