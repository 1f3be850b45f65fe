"""Compares HiFi-GAN V3 with the decoder of a Piper voice, whose weights were trained elsewhere.

pip install onnx onnxruntime
python benchmarks/piper.py en_US-joe-medium.onnx

The decoder of a Piper voice of medium quality is HiFi-GAN V3, but for its first convolution, which
takes 192 channels, and its last one, which has no bias. ONNX Runtime and Keras make a wave from the
same random features with the weights of the voice.

Voices are files of rhasspy/piper-voices; mind their licences.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wideband.command import UserError
from wideband.command.reading import read_bytes
from wideband.command.run import Command, Flags, quiet_tensorflow

if TYPE_CHECKING:
    import keras
    import numpy as np

FIRST, WAVE = "dec.conv_pre.weight", "Tanh"
# The largest difference of two waves that only rounding makes.
TOLERANCE = 1e-5


def define_flags(flags: Flags) -> None:
    """Defines the flags."""
    flags.integer("frames", 50, "Frames of 256 samples to compare.", lower_bound=1)
    flags.integer("seed", 0, "Seed of the features.", lower_bound=0)


def main(flags: Flags, arguments: list[str]) -> None:
    """Compares both waves and prints their largest difference."""
    if len(arguments) != 1:
        raise UserError("name one voice, a file of the kind en_US-joe-medium.onnx")
    path = Path(arguments[0])
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise UserError(f"{error.name} is not installed; pip install onnx onnxruntime") from error
    content = read_bytes(path, "name a voice of Piper")
    try:
        voice = onnx.load_from_string(content)
    except Exception as error:  # of protobuf, which is a package of its own
        raise UserError(f"{path}: not an ONNX file; name a voice of Piper") from error
    import numpy as np

    decoder, weights = _decoder(path, voice)
    rng = np.random.default_rng(flags.seed)
    shape = (1, flags.frames, weights[FIRST].shape[1])
    features = rng.normal(0, 1, shape).astype(np.float32)
    session = onnxruntime.InferenceSession(decoder.SerializeToString())
    (expected,) = session.run(None, {session.get_inputs()[0].name: features.transpose(0, 2, 1)})
    quiet_tensorflow()
    found = np.asarray(_build(weights)(features))[0, :, 0]
    largest = float(np.abs(found - np.asarray(expected)[0, 0]).max())
    print(
        f"{len(found)} samples with a peak of {np.abs(found).max():.3f}; difference {largest:.1e}"
    )
    if not largest < TOLERANCE:
        raise UserError(f"{path}: the waves differ by more than {TOLERANCE:g}")


def _decoder(path: Path, voice: Any) -> "tuple[Any, dict[str, np.ndarray]]":
    """Cuts the decoder out of a voice.

    Returns:
        the decoder, an ONNX model from features (1, channels, frames) to a wave (1, 1, n), and its
        weights by name.
    """
    from onnx import numpy_helper, utils

    graph = voice.graph
    weights = {
        each.name: numpy_helper.to_array(each)
        for each in graph.initializer
        if each.name.startswith("dec.")
    }
    begin = next((node.input[0] for node in graph.node if FIRST in node.input), None)
    if begin is None:
        raise UserError(f"{path}: has no decoder like that of Piper's voices of medium quality")
    end = next(node.output[0] for node in reversed(graph.node) if node.op_type == WAVE)
    return utils.Extractor(voice).extract_model([begin], [end]), weights


def _build(weights: "dict[str, np.ndarray]") -> "keras.Model":
    """Builds HiFi-GAN V3 for the features of a voice, with its weights."""
    import keras
    import numpy as np
    from wideband.models.hifigan import TAPS, VARIANTS, convolve, stages

    body = VARIANTS["V3"]
    features = keras.Input((None, weights[FIRST].shape[1]))
    x = convolve(stages(features, body, 1.0, False), 1, TAPS, False, "last")
    network = keras.Model(features, keras.ops.tanh(x))
    names = {"first": "conv_pre", "last": "conv_post"}
    for stage in range(len(body.rates)):
        names[f"up_{stage}"] = f"ups.{stage}"
        for block in range(len(body.taps)):
            for step in range(len(body.dilations[block])):
                theirs = f"resblocks.{stage * len(body.taps) + block}.convs.{step}"
                names[f"stage_{stage}_block_{block}_dilated_{step}"] = theirs
    for ours, theirs in names.items():
        kernel = weights[f"dec.{theirs}.weight"].transpose(2, 1, 0)
        bias = weights.get(f"dec.{theirs}.bias", np.zeros(1, np.float32))
        network.get_layer(ours).set_weights([kernel, bias])
    return network


command = Command("python benchmarks/piper.py", define_flags, main, positional="VOICE.onnx")

if __name__ == "__main__":
    sys.exit(command())
