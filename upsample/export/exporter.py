"""Exports a run as a TFLite file, which is checked before it gets its final name."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from ... import models
from ...command import UserError
from ...command.files import replacing
from ...data_gen import pipeline
from ...data_gen.augment import Augmentation
from ...data_gen.dataset import Dataset
from ...models import pretrained
from ...models.record import Record
from ...models.system import Network
from ..loading import find_run, load
from ..tflite import Metadata, TFLiteNetwork, write
from ..windows import Grid, file_windows, grid
from .agreement import check_agreement
from .convert import convert, operators

# For the calibration of int8: waves from the dataset, and windows per wave of a streaming network.
CALIBRATION_WAVES, CALIBRATION_WINDOWS = 100, 32


class Export(NamedTuple):
    """A finished export."""

    metadata: Metadata
    size: int  # of the file, in bytes
    operators: Counter[str]
    agreement_db: float  # see agreement.check_agreement


def export(
    run: str | Path,
    output: Path,
    quantize: str = "none",
    window: int | None = None,
    data: Path | None = None,
    licence: str = "",
) -> Export:
    """Writes the network of a run as a TFLite file.

    Args:
        run: a run folder, a weights file in one, or a shipped network with Keras weights.
        output: the file to write; it appears only if it agrees with the network.
        quantize: a key of `agreement.AGREEMENT_DB`. "float16" and "dynamic" store weights in 16
            and 8 bits; "int8" also computes in 8 bits wherever TFLite can.
        window: samples per call, at the rate of the network's input. By default the patch of a
            network that takes whole patches, otherwise the longest of `windows.file_windows`, and
            the file takes the shorter ones, too, unless it is "int8". A streaming network takes
            one length only.
        data: a dataset of wideband-prepare; "int8" is calibrated on its training split.
        licence: the licence of the weights.

    Raises:
        UserError: there is no such run, the network does not take the window, the data for "int8"
            is missing or of another kind than the run's, or the file disagrees with the network.
    """
    if quantize == "int8" and data is None:
        raise UserError("int8 is calibrated on training data; name a dataset")
    folder, weights = find_run(run)
    record = Record.read(folder)
    if record.model in models.systems():
        raise UserError(
            f"{run}: {record.model} is a system of several networks, for which there is no TFLite "
            "file; restore with the run folder"
        )
    # Entered first, so that an output that cannot be written is refused before the conversion.
    with replacing(output) as temporary:
        upsampler = load(weights)
        network = upsampler.network
        assert isinstance(network, Network)
        step = network.step()
        windows, shorter = _windows(network, step, window)
        calibration = None
        if data is not None and quantize == "int8":
            shorter = ()
            calibration = _calibration(network, step, windows.window, Dataset(data), record)
        content = convert(step or network, windows.window, calibration, quantize, shorter)
        delay = network.delay if step else 0
        metadata = Metadata(
            network=record.model,
            arguments=record.arguments,
            sample_rate=record.sample_rate,
            ratio=record.ratio if isinstance(record.ratio, int) else str(record.ratio),
            interpolation=upsampler.interpolation,
            wants=network.wants,
            multiple=network.multiple,
            window=windows.window,
            context=network.context,
            hop=windows.hop,
            streaming=step is not None,
            delay=delay,
            # The first sample that is kept of a window waits for the last sample of the window.
            latency=network.factor * (windows.window - windows.lead) + delay,
            quantize=quantize,
            recipe=record.name,
            weights_sha256=pretrained.checksum(weights),
            licence=licence,
            model_sha256=hashlib.sha256(content).hexdigest(),
            shorter_windows=shorter,
            band_hz=record.band_hz,
            training=_training(record),
        )
        write(temporary, content, metadata)
        try:
            agreement_db = check_agreement(network, TFLiteNetwork(temporary))
        except UserError as error:
            raise UserError(f"{run}: exported as {quantize}, {error}") from error
        size = temporary.stat().st_size
    return Export(metadata, size, operators(content), agreement_db)


def _training(record: Record) -> dict[str, Any]:
    """Returns what a run was trained on, without paths of the machine."""
    return {
        "source": record.source,
        "protocol": record.protocol,
        "augmentation": record.recipe.get("augmentation", {}),
        "dataset": record.dataset,
        "epochs": record.timings.epochs,
    }


def _windows(
    network: Network, step: keras.Model | None, window: int | None
) -> tuple[Grid, tuple[int, ...]]:
    """Returns the windows of the exported file, and the lengths of its shorter ones."""
    shorter = ()
    if step is not None:
        windows = Grid(step.inputs[0].shape[1], 0, 0)
    elif window is None:
        *shorter, longest = file_windows(network)
        windows = grid(network, longest)
    else:
        windows = grid(network, window)
    if window not in (None, windows.window):
        raise UserError(
            f"--window={window}: this network takes windows of {windows.window} samples only; "
            "leave the flag out"
        )
    return windows, tuple(shorter)


def _calibration(
    network: Network, step: keras.Model | None, window: int, dataset: Dataset, record: Record
) -> list[dict[str, np.ndarray]]:
    """Returns inputs by name from the training split of a dataset."""
    any_band = record.band_hz is not None
    expected = (record.sample_rate, record.ratio, record.protocol)
    found = (dataset.sample_rate, dataset.ratio, dataset.protocol)
    # Networks for any band and vocoders use the high sides only.
    high_only = any_band or network.wants == "high"
    if found[:1] != expected[:1] or (found != expected and not high_only):
        raise UserError(
            f"{dataset.folder}: another kind of data than the run's {record.sample_rate} Hz with "
            f"ratio {record.ratio} and protocol {record.protocol}; choose another --data"
        )
    patch = network.factor * window * (CALIBRATION_WINDOWS if step else 1)
    if max(dataset.lengths("train"), default=0) < patch:
        raise UserError(
            f"{dataset.folder}: no training recording has {patch} samples or more; choose another "
            "--data or a shorter --window"
        )
    augmentation = Augmentation(random_band=any_band)
    pairs = pipeline.patches(
        dataset, "train", patch, batch=1, wants=network.wants, augmentation=augmentation
    )
    return [
        named
        for low, _ in pipeline.arrays(pairs.take(CALIBRATION_WAVES), dataset, "train")
        for named in inputs_by_name(step or network, low.reshape(-1, 1, window, 1))
    ]


def inputs_by_name(model: keras.Model, windows: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Yields the inputs of a model, including its states, for each window of a wave.

    Args:
        model: a network, or the step of a network.
        windows: (count, 1, window, 1).
    """
    wave, *names = (tensor.name for tensor in model.inputs)
    states = [np.zeros(tensor.shape, np.float32) for tensor in model.inputs[1:]]
    for window in windows:
        yield {wave: window, **dict(zip(names, states, strict=True))}
        if states:
            states = model.predict_on_batch([window, *states])[1:]
