"""DeepSpeech 0.9.3: features, acoustic network, checkpoint, and the recognizer.

Hannun et al.: Deep Speech: Scaling up end-to-end speech recognition, arXiv:1412.5567, in the form
that Mozilla released. Details from mozilla/DeepSpeech at v0.9.3, training/deepspeech_training:
util/feeding.py (features), util/config.py (sizes), util/flags.py (windows, clip, dropout),
train.py (layers, names of variables), util/checkpoints.py (names of files).

Two things differ here, without changing the outputs: the first layer, which sees a frame with nine
frames on either side, is a convolution; the network ends with the logarithm of the softmax.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ...command import UserError
from ...models import weights
from . import ctc
from .normalization import SPELLED

SAMPLE_RATE = 16000
WINDOW = 512  # samples, 32 ms
STEP = 320  # samples, 20 ms
COEFFICIENTS = 26
CONTEXT = 9  # frames on either side
RELEASED_HIDDEN = 2048
LARGEST_HIDDEN = 8192
BATCH = 16  # recordings per batch
WEIGHTS = "best.weights.h5"
SIZES = "deepspeech.json"

_LSTM = "cudnn_lstm/rnn/multi_rnn_cell/cell_0/cudnn_compatible_lstm_cell"
_CELL_GATES = "icfo"
_KERAS_GATES = "ifco"


def mfcc(wave: tf.Tensor) -> tf.Tensor:
    """Computes the features of a wave with the operations of the release.

    Args:
        wave: (n,) float32 at 16 kHz.

    Returns:
        (frames, 26) float32, with 1 + (n - 512) // 320 frames; none if the wave is shorter.
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
    """Builds the acoustic network: (batch, frames, 26) to log-probabilities (batch, frames, 29).

    Zero frames after the end of a recording do not change its outputs: the release has zeros as
    context there, and the LSTM runs forward.

    Args:
        hidden: width of every layer.
        dropout: fraction of outputs that the dense layers drop in training.
        noise: standard deviation of the Gaussian noise added to the features in training.
    """
    features = keras.Input((None, COEFFICIENTS), name="features")
    x = keras.layers.GaussianNoise(noise, name="noise")(features)
    # A dense layer over a frame and its context is a convolution over frames.
    x = keras.layers.Conv1D(hidden, 2 * CONTEXT + 1, padding="same", name="layer_1")(x)
    x = _clip_and_drop(x, dropout)
    for name in ("layer_2", "layer_3"):
        x = _clip_and_drop(keras.layers.Dense(hidden, name=name)(x), dropout)
    x = keras.layers.LSTM(
        hidden,
        return_sequences=True,
        # The default, an orthogonal matrix, is slow to draw at the release's size.
        recurrent_initializer="glorot_uniform",
        unit_forget_bias=False,
        name="lstm",
    )(x)
    x = _clip_and_drop(keras.layers.Dense(hidden, name="layer_5")(x), dropout)
    x = keras.layers.Dense(ctc.BLANK + 1, name="layer_6")(x)
    outputs = keras.layers.Activation("log_softmax", dtype="float32", name="log_softmax")(x)
    network = keras.Model(features, outputs, name="deepspeech")
    # XLA would compile again for every length.
    network.jit_compile = False
    return network


def _clip_and_drop(x: Any, dropout: float) -> Any:
    return keras.layers.Dropout(dropout)(keras.layers.ReLU(max_value=20.0)(x))


def load_checkpoint(path: Path) -> keras.Model:
    """Loads the network of a TensorFlow checkpoint.

    Args:
        path: the folder of the release's checkpoint, or the checkpoint without its suffix
            (`.../best_dev-1466475`). In a folder, the best checkpoint is used, otherwise the last.

    Raises:
        UserError: there is no checkpoint, it is damaged, or it is that of another network.
    """
    prefix = _prefix(path)
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        network = build(_hidden(shapes, prefix))
        values = {
            name: reader.get_tensor(name) for name in _expected(network.get_layer("lstm").units)
        }
    # The kind of error depends on the place of the damage.
    except (tf.errors.OpError, RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{prefix}: not readable as a TensorFlow checkpoint ({reason}); download it again"
        ) from error
    for name in ("layer_1", "layer_2", "layer_3", "layer_5", "layer_6"):
        layer = network.get_layer(name)
        weights = values[f"{name}/weights"].reshape(layer.kernel.shape)
        layer.set_weights([weights, values[f"{name}/bias"]])
    kernel, bias = (_reorder_gates(values[f"{_LSTM}/{name}"]) for name in ("kernel", "bias"))
    # The cell has one matrix: rows for the inputs, then rows for the previous outputs.
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
                f"{path}: has no file best_dev_checkpoint or checkpoint that names a checkpoint; "
                "give the path of one without .index"
            )
        # The stored path is that of the machine that trained.
        path /= Path(named[0].model_checkpoint_path).name
    if not path.with_name(path.name + ".index").is_file():
        raise UserError(
            f"{path}: there is no such checkpoint; give its folder, or its path without .index"
        )
    return str(path)


def _expected(hidden: int) -> dict[str, list[int]]:
    """Returns names and shapes of a checkpoint's variables, except those of the optimizer."""
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
    """Checks the shapes of a checkpoint's variables and returns the width of its network."""
    hidden = shapes.get("layer_1/bias", [0])[0]
    for name, shape in _expected(hidden).items():
        if name not in shapes:
            raise UserError(f"{prefix}: not a checkpoint of DeepSpeech 0.9.3; {name} is missing")
        if shapes[name] != shape:
            raise UserError(
                f"{prefix}: not a checkpoint of DeepSpeech 0.9.3 for English; {name} has the shape "
                f"{shapes[name]}, not {shape}"
            )
    return hidden


def _reorder_gates(values: np.ndarray) -> np.ndarray:
    """Reorders the gates of TensorFlow 1's LSTM cell, along the last axis, as Keras has them."""
    gates = dict(zip(_CELL_GATES, np.split(values, 4, axis=-1), strict=True))
    return np.concatenate([gates[gate] for gate in _KERAS_GATES], axis=-1)


def pad(features: Sequence[np.ndarray]) -> np.ndarray:
    """Pads features of several lengths with zeros to a batch.

    Returns:
        (batch, frames, 26); the frames fill whole seconds, so that few shapes are compiled.
    """
    longest = max(1, *(len(each) for each in features))
    padded = np.zeros((len(features), longest + -longest % 50, COEFFICIENTS), np.float32)
    for row, each in zip(padded, features, strict=True):
        row[: len(each)] = each
    return padded


def predict(network: keras.Model, features: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Applies the network to recordings, in batches of similar length.

    Args:
        network: from `build`.
        features: each (frames, 26).

    Returns:
        log-probabilities (frames, 29) of each recording.
    """
    order = np.argsort([len(each) for each in features], kind="stable")
    predicted: list[np.ndarray] = [np.empty(0)] * len(features)
    for start in range(0, len(order), BATCH):
        numbers = order[start : start + BATCH]
        outputs = network.predict_on_batch(pad([features[number] for number in numbers]))
        for output, number in zip(outputs, numbers, strict=True):
            predicted[number] = output[: len(features[number])]
    return predicted


class DeepSpeech:
    """Recognizes English speech.

    Args:
        network: from `build`.
        scorer: a KenLM language model, see `ctc.beam_search`.
    """

    sample_rate = SAMPLE_RATE
    normalizer = SPELLED

    def __init__(self, network: keras.Model, scorer: Path | None = None) -> None:
        self.name = f"deepspeech, {network.count_params():,} parameters, beam {ctc.BEAM_WIDTH}"
        if scorer is not None:
            self.name += f", scorer {scorer.name}"
        self.network = network
        self.scorer = scorer

    @classmethod
    def from_checkpoint(cls, path: Path, scorer: Path | None = None) -> "DeepSpeech":
        """Loads the released TensorFlow checkpoint, see `load_checkpoint`."""
        return cls(load_checkpoint(path), scorer)

    @classmethod
    def from_weights(cls, folder: Path, scorer: Path | None = None) -> "DeepSpeech":
        """Loads the network of a run folder of wideband.train.deepspeech.

        Raises:
            UserError: the folder has no such network, or a damaged one.
        """
        path = folder / SIZES
        advice = "give another run folder of python -m wideband.train.deepspeech"
        try:
            hidden = json.loads(path.read_text(encoding="utf-8"))["hidden"]
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); {advice}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: damaged; {advice}") from error
        if not (type(hidden) is int and 0 < hidden <= LARGEST_HIDDEN):
            raise UserError(
                f"{path}: hidden must be a number from 1 to {LARGEST_HIDDEN}, not {hidden}; "
                f"{advice}"
            )
        network = build(hidden)
        weights.load(network, folder / WEIGHTS, advice)
        return cls(network, scorer)

    def log_probabilities(self, waves: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Computes log-probabilities of letters, in batches of similar length.

        Args:
            waves: each (n,) float32 at 16 kHz.

        Returns:
            an array (frames, 29) per wave.
        """
        features = [mfcc(tf.constant(wave, tf.float32)).numpy() for wave in waves]
        return predict(self.network, features)

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        """Recognizes what is said in waves, in lower case without punctuation.

        Args:
            waves: each (n,) float32 at 16 kHz.
        """
        return ctc.beam_search(self.log_probabilities(waves), scorer=self.scorer)
