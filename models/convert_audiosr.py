"""Turns the checkpoint of AudioSR into three run folders, for `convert`.

RUN has the diffusion network, RUN-vae the autoencoder and RUN-vocoder the vocoder: AudioSR takes
its parts from runs. The checkpoint of 6.18 GB has each weight of these twice, and others. Weights
are read one by one, and one network at a time is in memory.
"""

import gc
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..command import UserError
from ..command.files import writing
from ..command.hidden import hidden_folder
from ..command.run import quiet_tensorflow
from . import pretrained, released_audiosr, torch_checkpoint
from .record import Record
from .released_state import Layers, State

if TYPE_CHECKING:
    import keras

# The precisions of weights files, and their bytes per weight.
BYTES = {"float32": 4, "float16": 2}


@dataclass(frozen=True)
class Part:
    """One of the networks.

    Args:
        suffix: what follows RUN in the name of its folder.
        model: its name, one of `models.names()` or `models.systems()`.
        build: builds the network whose weights the run has.
        layers: the models in it that have all layers with weights, "" for itself -> what converts
            these.
    """

    suffix: str
    model: str
    build: "Callable[..., keras.Model]"
    layers: Mapping[str, Callable[[State], Layers]]


def convert(checkpoint: Path, output: Path, precision: str) -> int:
    """Writes the three run folders, all of them or none.

    Args:
        checkpoint: pytorch_model.bin of audiosr_basic or audiosr_speech.
        output: the folder RUN.
        precision: of the weights files, a key of `BYTES`.

    Returns:
        the number of parameters.

    Raises:
        UserError: one of the folders exists, the checkpoint is not that of AudioSR, is damaged or
            has weights of another shape, or the disk is too small.
    """
    folders = {part.model: output.with_name(output.name + part.suffix) for part in PARTS}
    for folder in folders.values():
        if folder.exists():
            raise UserError(f"--output={output}: {folder} exists; name another folder")
    with torch_checkpoint.opened(checkpoint) as content:
        with _naming(checkpoint):
            weights = released_audiosr.needed(content)
            arguments, scale = _check(weights)
        count = sum(math.prod(each.shape) for each in weights.values()) - 1  # without the scale
        parent = output.absolute().parent
        with writing(output):
            parent.mkdir(parents=True, exist_ok=True)
            # The largest network, two fifths of the weights, is also there in float32.
            _check_space(output, count * (BYTES[precision] + 2))
            named = {key: str(folders[model].absolute()) for key, model in NAMED.items()}
            with hidden_folder(parent) as hidden:
                for part in PARTS:
                    with _naming(checkpoint):
                        _write_weights(
                            part, arguments[part.model], State(weights), hidden, precision
                        )
                    gc.collect()  # the network, before the next one is built
                arguments["audiosr"] |= {"scale": scale, **named}
                _write_records(hidden, arguments, checkpoint)
                for model, folder in folders.items():
                    (hidden / model).rename(folder)
    return count


@contextmanager
def _naming(checkpoint: Path) -> Iterator[None]:
    """Adds the name of the checkpoint to errors."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{checkpoint}: {error}") from error


def _check(weights: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], float]:
    """Checks the names and the shapes of all weights, before any is converted.

    Returns:
        the arguments of each network, by its name, and the scale of the latents.
    """
    arguments = released_audiosr.arguments(State(weights))
    state = State(weights, read=False)
    for part in PARTS:
        for convert in part.layers.values():
            for _ in convert(state):
                pass
    state.take(released_audiosr.SCALE)
    state.finish()
    scale = float(State(weights).take(released_audiosr.SCALE))
    if not scale > 0:
        raise UserError(f"{released_audiosr.SCALE} is {scale}, which must be above 0")
    return arguments, scale


def _check_space(output: Path, needed: int) -> None:
    """Raises a UserError if the disk has fewer bytes: HDF5 ends the process when it is full."""
    free = shutil.disk_usage(output.absolute().parent).free
    if free < needed:
        raise UserError(
            f"{output}: {needed / 1e9:.1f} GB of the disk are needed, and {free / 1e9:.1f} are "
            "free; choose another disk"
        )


def _write_weights(
    part: Part, arguments: dict[str, Any], state: State, folder: Path, precision: str
) -> None:
    """Writes the weights file of a part into a run folder in `folder`."""
    quiet_tensorflow()
    from . import weights

    network = part.build(**arguments)
    for name, convert in part.layers.items():
        model = network.get_layer(name) if name else network
        for layer, values in convert(state):
            model.get_layer(layer).set_weights(values)
    (folder / part.model).mkdir()
    weights.write(network, folder / part.model / pretrained.KERAS_FILE, precision)


def _write_records(folder: Path, arguments: dict[str, dict[str, Any]], checkpoint: Path) -> None:
    """Writes the records of the runs in `folder`."""
    origin = {checkpoint.name: pretrained.checksum(checkpoint)}
    for part in PARTS:
        recipe = {
            "name": part.model,
            "source": f"Liu et al. 2023; converted from {checkpoint.name}",
            "model": part.model,
            "arguments": arguments[part.model],
            "sample_rate": 48000,
            "ratio": 1,
            "protocol": "sinc",
        }
        parts = {
            key: pretrained.checksum(folder / model / pretrained.KERAS_FILE)
            for key, model in NAMED.items()
            if key in arguments[part.model]
        }
        Record(recipe, initial_weights=origin, parts=parts).write(folder / part.model)


def _build_vae(**arguments: Any) -> "keras.Model":
    from . import audiosr_vae

    return audiosr_vae.autoencoder(**arguments)


def _build_vocoder(**arguments: Any) -> "keras.Model":
    from .audiosr_vocoder import AudioSRVocoder

    return AudioSRVocoder(**arguments)


def _build_unet(**arguments: Any) -> "keras.Model":
    from . import audiosr_unet

    return audiosr_unet.build(**arguments)


PARTS = (
    Part(
        "-vae",
        "audiosr_vae",
        _build_vae,
        {"encoder": released_audiosr.encoder, "decoder": released_audiosr.decoder},
    ),
    Part("-vocoder", "audiosr_vocoder", _build_vocoder, {"vocoder": released_audiosr.vocoder}),
    Part("", "audiosr", _build_unet, {"": released_audiosr.unet}),
)
# The arguments of AudioSR that name the runs of its parts -> the networks of these runs.
NAMED = {"vae": "audiosr_vae", "vocoder": "audiosr_vocoder"}
