"""From a run to a TFLite file, which is checked before it stands under its name."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from ...command import UserError
from ...command.files import replacing
from ...data_gen import dataset as shards
from ...data_gen import pipeline
from ...models import pretrained
from ..tflite import Facts, TFLiteNetwork, write
from ..upsampler import Upsampler, weights_file
from ..windows import grid
from .convert import convert, operators

# How near a file must come to its Keras network: the signal-to-noise ratio in dB of its output
# against the network's, for noise. What int8 loses depends on the network; it must only be finite.
AGREEMENT_DB = {"none": 80.0, "float16": 40.0, "dynamic": 10.0, "int8": -np.inf}

# Windows of the dataset, and of a wave that a streaming network is run over.
CALIBRATION_WINDOWS, STREAM_WINDOWS = 100, 32


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
            default its patch if it sees all of that, else four times its context; a streaming
            network takes its step only.
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
    step = network.factor
    streaming = hasattr(network, "step")
    model = network.step() if streaming else network
    window, lead, fade = _windows(network, model, window)
    calibration = None
    if data is not None and quantize == "int8":
        made_by = shards.Description(recipe["sample_rate"], recipe["ratio"], recipe["protocol"])
        patch = step * window * (STREAM_WINDOWS if streaming else 1)
        calibration = [
            inputs
            for wave in _waves(data, made_by, network.wants, patch)
            for inputs in _inputs(model, wave.reshape(-1, 1, window, 1))
        ]
    content = convert(model, window, calibration, quantize)
    delay = network.delay if streaming else 0
    facts = Facts(
        network=recipe["model"],
        arguments=recipe["arguments"],
        sample_rate=upsampler.sample_rate,
        ratio=upsampler.ratio,
        interpolation=upsampler.interpolation,
        wants=network.wants,
        multiple=network.multiple,
        window=window,
        context=network.context,
        hop=window - 2 * lead - fade,
        streaming=streaming,
        delay=delay,
        # The first sample that is kept of a window waits for its last one.
        latency=step * (window - lead) + delay,
        quantize=quantize,
        recipe=recipe["name"],
        weights_sha256=pretrained.checksum(weights),
        licence=licence,
        model_sha256=hashlib.sha256(content).hexdigest(),
    )
    with replacing(output) as temporary:
        write(temporary, content, facts)
        agreement_db = _agreement(network, TFLiteNetwork(temporary))
        if not agreement_db >= AGREEMENT_DB[quantize]:
            raise UserError(
                f"{run}: as TFLite ({quantize}) it comes only within {agreement_db:.1f} dB of "
                f"itself, {AGREEMENT_DB[quantize]:.0f} are wanted; choose another --quantize"
            )
        size = temporary.stat().st_size
    return Export(facts, size, operators(content), agreement_db)


def _windows(network: keras.Model, model: keras.Model, window: int | None) -> tuple[int, int, int]:
    """Gives what `windows.grid` does, for what is exported of a network: itself, or its step."""
    if model is not network:
        found = model.inputs[0].shape[1], 0, 0
    else:
        found = grid(network, 4 * (network.context or 0) if window is None else window)
    if window not in (None, found[0]):
        raise UserError(f"--window={window}: this network takes windows of {found[0]} samples only")
    return found


def _waves(data: Path, made_by: shards.Description, wants: str, patch: int) -> list[np.ndarray]:
    """Draws waves (1, n, 1) that are `patch` high samples long from a dataset's training part."""
    if shards.describe(data) != made_by:
        raise UserError(
            f"{data}: not made as what the run was trained on, at {made_by.sample_rate} Hz with "
            f"ratio {made_by.ratio} and protocol {made_by.protocol}"
        )
    pairs = pipeline.patches(shards.files(data, "train"), patch, batch=1, wants=wants)
    waves = [low for low, _ in pairs.take(CALIBRATION_WINDOWS).as_numpy_iterator()]
    if not waves:
        raise UserError(f"{data}: no training recording is as long as {patch} samples")
    return waves


def _inputs(model: keras.Model, windows: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Gives what a model is given for each window of a wave, by name: with its states."""
    wave, *names = (tensor.name for tensor in model.inputs)
    states = [np.zeros(tensor.shape, np.float32) for tensor in model.inputs[1:]]
    for window in windows:
        yield {wave: window, **dict(zip(names, states, strict=True))}
        if states:
            states = model.predict_on_batch([window, *states])[1:]


def _agreement(network: keras.Model, file: TFLiteNetwork) -> float:
    """Signal-to-noise ratio in dB of a file's output against its network's, for noise."""
    # More than one window: of those before, a file must know what its network knows, and no more.
    count = 2 * STREAM_WINDOWS if file.streaming else 2
    noise = np.random.default_rng(0).normal(0, 0.1, (count, file.window, 1)).astype(np.float32)
    found = file.predict_on_batch(noise).reshape(-1)[file.delay :]
    given = noise.reshape(1, -1, 1) if file.streaming else noise
    expected = np.asarray(network(given)).reshape(-1)[: len(found)]
    return float(10 * np.log10(np.sum(expected**2) / np.sum((found - expected) ** 2)))
