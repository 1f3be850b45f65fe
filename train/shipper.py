"""Ships a run: makes it a network of the package."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..command import UserError
from ..command.files import write_bytes, write_text, writing
from ..command.hidden import hidden_folder
from ..command.paths import exists
from ..models import pretrained, vocoder
from ..models.record import RECORD, Record, damaged
from ..models.restorer import Restorer
from ..upsample import Upsampler, find_run, load
from ..upsample.tflite import read
from .recipe import Recipe

# Flags of wideband-train that contain paths, as they begin.
PATH_FLAGS = ("--data=", "--run=", "--initial_weights=", "--set=arguments.vocoder=")
# The licence of the package applies to the weights.
LICENCE = "MIT"


def check(
    run: str | Path, name: str, tflite: Path | None = None, vocoder: str | None = None
) -> None:
    """Checks the arguments of `ship`, without TensorFlow.

    Raises:
        UserError: the name is malformed, the run or the file is missing or damaged, the file was
            exported from other weights or with another vocoder, or the vocoder is not shipped.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise UserError(f"--name={name}: use lower-case letters, digits, and dashes between them")
    folder, weights = find_run(run)
    record = _read_record(folder, vocoder)
    if tflite is None:
        return
    metadata = read(tflite)[1]
    if metadata.weights_sha256 != pretrained.checksum(weights):
        raise UserError(f"{tflite}: not exported from {weights}; export it again")
    if metadata.arguments.get("vocoder") != record.arguments.get("vocoder"):
        raise UserError(
            f"{tflite}: has the vocoder {metadata.arguments.get('vocoder')}, not the shipped "
            f"{record.arguments.get('vocoder')}; leave out --tflite, and the run is exported with "
            "that one"
        )


def ship(
    run: str | Path,
    name: str,
    tflite: Path | None = None,
    weights: bool = True,
    vocoder: str | None = None,
) -> Path:
    """Adds a run to the shipped networks, or replaces the network of that name.

    Args:
        run: a run folder, or a weights file in one.
        name: lower-case letters, digits, and dashes between them.
        tflite: a file that was exported from the run. By default, the 16-bit weights are exported.
        weights: also ships the Keras weights, in 16 bits, for fine-tuning. Weight normalization
            is folded into them.
        vocoder: for a network that has one, the shipped vocoder that makes its waves. By default
            that of the run, which must be a shipped one.

    Returns:
        the folder of the network in the package.

    Raises:
        UserError: as `check`; or the weights are damaged, the network cannot be exported, or the
            disk is full.
    """
    check(run, name, tflite, vocoder)
    folder, source = find_run(run)
    record = _read_record(folder, vocoder)
    network = load(source, vocoder=vocoder).network  # refuses damaged weights
    target = pretrained.WEIGHTS / name
    with _replacing_folder(target) as new:
        if record.arguments.get("weight_norm"):
            source = _fold(network, record, new)
        record.write(new)
        to_float16(source, new / pretrained.KERAS_FILE)
        if tflite:
            shutil.copyfile(tflite, new / pretrained.TFLITE_FILE)
        else:
            _export(new)
        if not weights:
            (new / pretrained.KERAS_FILE).unlink()
        samples = answer(load(new / pretrained.TFLITE_FILE))
        record.answer = [round(float(sample), 6) for sample in samples]
        record.write(new)
    _write_sums()
    return target


def answer(upsampler: Upsampler) -> np.ndarray:
    """Restores a chirp in noise; the record of a shipped network has the result, for its tests.

    Args:
        upsampler: the network. The low band that it returns is kept.

    Returns:
        float32 of shape (64,): samples of the restored wave.
    """
    instants = np.arange(upsampler.low_rate) / upsampler.low_rate
    chirp = np.sin(np.pi * upsampler.low_rate / 2 * instants**2)
    noise = np.random.default_rng(0).normal(0, 0.1, len(instants))
    wave = 0.3 * (chirp + noise)
    restored, _ = upsampler.upsample(wave, upsampler.low_rate, keep_low_band=False)
    return restored[:: len(restored) // 64][:64]


def to_float16(source: Path, target: Path) -> None:
    """Copies a Keras weights file, compressed and with 16-bit floats; Keras can load the copy."""
    from ..models import weights

    def convert(array: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        # Shuffling puts the bytes with the exponents next to each other. This reduces large arrays
        # by 5 %.
        options = {"shuffle": True, "compression": "gzip"} if array.size > 4096 else {}
        return array.astype("float16") if array.dtype.kind == "f" else array, options

    write_bytes(target, weights.rewrite(source.read_bytes(), convert))


def _read_record(folder: Path, named: str | None = None) -> Record:
    """Reads the record of a run, with a shipped vocoder and without the paths of its machine."""
    record = Record.read(folder)
    if named is not None or "vocoder" in record.arguments:
        _name_vocoder(folder, record, named)
    try:
        record.recipe = Recipe.from_json(record.recipe).to_json()
    except UserError as error:
        raise damaged(folder / RECORD, error) from error
    record.data = record.answer = None
    record.flags = [flag for flag in record.flags if not flag.startswith(PATH_FLAGS)]
    return record


def _name_vocoder(folder: Path, record: Record, named: str | None) -> None:
    """Names the shipped vocoder of a network in its record.

    Args:
        folder: the run.
        record: its record, which is changed.
        named: the shipped vocoder; None for that of the run.

    Raises:
        UserError: the vocoder is not a shipped one.
    """
    name = record.arguments["vocoder"] if named is None else named
    if name != vocoder.GRIFFIN_LIM and (exists(name) or name not in pretrained.names()):
        raise UserError(
            f"{folder}: its vocoder {name} is not shipped; ship the vocoder first, then name it "
            "with --vocoder=NAME"
        )
    sha256 = vocoder.checksum(name)
    record.parts = {} if sha256 is None else {"vocoder": sha256}
    record.arguments["vocoder"] = name


def _fold(network: Restorer, record: Record, folder: Path) -> Path:
    """Folds the weight normalization of a network into its weights.

    Returns:
        a new weights file in the folder, of the network that the changed record describes.
    """
    from ..models import weights
    from ..models.system import Network
    from ..models.weight_norm import folded

    assert isinstance(network, Network)
    file = folder / pretrained.KERAS_FILE
    weights.save(folded(network), file)
    record.arguments["weight_norm"] = False
    return file


def _export(folder: Path) -> None:
    """Exports the weights in a folder. The file keeps 16-bit weights as they are."""
    from ..upsample.export.exporter import export

    export(folder, folder / pretrained.TFLITE_FILE, licence=LICENCE)


@contextmanager
def _replacing_folder(target: Path) -> Iterator[Path]:
    """Yields a new folder, which replaces `target` if the block succeeds.

    The new folder is outside the folder of shipped networks, where it would count as a network.
    """
    with writing(target), hidden_folder(target.parent.parent) as hidden:
        new, old = hidden / target.name, hidden / "old"
        new.mkdir()
        yield new
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise


def _write_sums() -> None:
    """Writes the file with the checksums of all shipped files."""
    files = sorted(path for path in pretrained.WEIGHTS.glob("*/*") if path.is_file())
    lines = [
        f"{pretrained.checksum(path)}  {path.relative_to(pretrained.WEIGHTS).as_posix()}\n"
        for path in files
    ]
    write_text(pretrained.WEIGHTS / pretrained.SUMS, "".join(lines))
