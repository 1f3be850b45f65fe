"""The encoder of Whisper, frozen: what a speech recognizer makes of a log mel spectrogram.

Two convolutions halve the number of frames; Transformer blocks with normalizations before each
module follow. `recognizer_loss` compares what it makes of two waves.

Source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision"
(arXiv:2212.04356), section 2.2; whisper/model.py of openai/whisper for the sizes of the kernels.
Whisper's keys have no bias; CTranslate2 stores zeros.
"""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

from ..command import UserError
from . import ctranslate2_file

EPSILON = 1e-5
# The convolutions: samples of the kernel, and the stride of each.
KERNEL, STRIDES = 3, (1, 2)
FULL = "float32"


class Positions(layers.Layer):
    """Adds an encoding of the position to each frame, (batch, frames, c) to the same.

    Args:
        count: the most frames.
        name: name of the layer.
    """

    def __init__(self, count: int, name: str) -> None:
        super().__init__(name=name, dtype=FULL)
        self.count = count

    def build(self, input_shape) -> None:
        """Creates the encodings, (count, c)."""
        self.encodings = self.add_weight(shape=(self.count, input_shape[-1]), name="encodings")

    def call(self, x):
        """Takes x (batch, frames, c)."""
        return x + self.encodings[: ops.shape(x)[1]]

    def compute_output_shape(self, input_shape):
        """Returns the shape of the input."""
        return input_shape


def build(bands: int, width: int, blocks: int, heads: int, positions: int) -> keras.Model:
    """Builds the encoder: (batch, frames, bands) to (batch, frames / 2 rounded up, width).

    The matrices are multiplied in the precision of Keras's policy. Blocks add to their input in
    float32: some of its channels are a thousand times as large as others.

    Args:
        bands: of the mel spectrogram.
        width: channels.
        blocks: number of Transformer blocks.
        heads: of the attention.
        positions: the most frames of the output.
    """
    x = mel = keras.Input((None, bands))
    for number, stride in enumerate(STRIDES, 1):
        x = layers.ZeroPadding1D(KERNEL // 2)(x)
        x = layers.Conv1D(width, KERNEL, stride, name=f"conv{number}")(x)
        x = layers.Activation(_gelu)(x)
    x = Positions(positions, name="position_encodings")(x)
    for number in range(blocks):
        y = _normalized(x, f"layer_{number}/self_attention/layer_norm")
        attention = layers.MultiHeadAttention(heads, width // heads, name=_attention(number))
        x = layers.Add(dtype=FULL)([x, attention(y, y)])
        y = _normalized(x, f"layer_{number}/ffn/layer_norm")
        y = layers.Dense(4 * width, activation=_gelu, name=_flat(f"layer_{number}/ffn/linear_0"))(y)
        y = layers.Dense(width, name=_flat(f"layer_{number}/ffn/linear_1"))(y)
        x = layers.Add(dtype=FULL)([x, y])
    network = keras.Model(mel, _normalized(x, "layer_norm"), name="whisper_encoder")
    network.trainable = False
    return network


def load(path: Path) -> keras.Model:
    """Loads the encoder of a model of any size.

    Args:
        path: a model.bin of Whisper in the format of CTranslate2.

    Raises:
        UserError: the file is missing, damaged, not of Whisper, or has integer weights.
    """
    tensors = ctranslate2_file.read(path, "encoder/")
    if any(name.endswith("weight_scale") for name in tensors):
        raise UserError(
            f"{path}: its weights are integers; convert the model with --quantization=float16"
        )
    try:
        width, bands, _ = tensors["conv1/weight"].shape
        blocks = sum(name.endswith("/ffn/linear_0/weight") for name in tensors)
        positions, _ = tensors["position_encodings/encodings"].shape
        heads = tensors["num_heads"].item()
        if blocks < 1 or heads < 1:
            raise ValueError(f"{blocks} blocks, {heads} heads")
        network = build(bands, width, blocks, heads, positions)
        _assign(network, tensors, blocks)
    except (KeyError, ValueError) as error:
        raise UserError(f"{path}: not the weights of a Whisper model ({error})") from error
    return network


def _assign(network: keras.Model, tensors: Mapping[str, np.ndarray], blocks: int) -> None:
    """Sets the weights of the encoder."""

    def get(name: str) -> np.ndarray:
        return tensors[name].astype(np.float32)

    def assign(name: str, kinds: tuple[str, str]) -> None:
        weights = [get(f"{name}/{kind}") for kind in kinds]
        # (output, input) or (output, input, samples) to the order of Keras
        network.get_layer(_flat(name)).set_weights([each.T for each in weights])

    network.get_layer("position_encodings").set_weights([get("position_encodings/encodings")])
    names = [f"conv{number}" for number in range(1, len(STRIDES) + 1)]
    norms = ["layer_norm"]
    for number in range(blocks):
        block = f"layer_{number}"
        names += [f"{block}/ffn/linear_{k}" for k in range(2)]
        norms += [f"{block}/{module}/layer_norm" for module in ("self_attention", "ffn")]
        attention = network.get_layer(_attention(number))
        heads, each = attention.num_heads, attention.key_dim
        weights = []
        # Queries, keys and values are rows of one matrix.
        rows = np.split(get(f"{block}/self_attention/linear_0/weight"), 3)
        biases = np.split(get(f"{block}/self_attention/linear_0/bias"), 3)
        for row, bias in zip(rows, biases, strict=True):
            weights += [row.T.reshape(-1, heads, each), bias.reshape(heads, each)]
        mix = get(f"{block}/self_attention/linear_1/weight").T.reshape(heads, each, -1)
        attention.set_weights([*weights, mix, get(f"{block}/self_attention/linear_1/bias")])
    for name in names:
        assign(name, ("weight", "bias"))
    for name in norms:
        assign(name, ("gamma", "beta"))


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.LayerNormalization(epsilon=EPSILON, dtype=FULL, name=_flat(name))(x)


def _attention(number: int) -> str:
    return _flat(f"layer_{number}/self_attention")


def _flat(name: str) -> str:
    """Returns the name of a Keras layer, which has no slashes."""
    return name.replace("/", "_")


def _gelu(x):
    return keras.activations.gelu(x, approximate=False)
