"""Ships a run: makes it a network of the package."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from ..command import UserError
from ..command.files import write_text
from ..models import pretrained
from ..models.record import Record
from ..upsample import Upsampler, find_run, load
from ..upsample.tflite import read
from .recipe import Recipe

# Flags of wideband-train that contain paths.
PATH_FLAGS = ("--data", "--run", "--initial_weights")
# The licence of the package applies to the weights.
LICENCE = "MIT"


def check(run: str | Path, name: str, tflite: Path | None = None) -> None:
    """Checks the arguments of `ship`, without TensorFlow.

    Raises:
        UserError: the name is malformed, the run or the file is missing, or the file was exported
            from other weights.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise UserError(f"--name={name}: use lower-case letters, digits, and dashes between them")
    _, weights = find_run(run)
    if tflite and read(tflite)[1].weights_sha256 != pretrained.checksum(weights):
        raise UserError(f"{tflite}: not exported from {weights}; export it again")


def ship(run: str | Path, name: str, tflite: Path | None = None, weights: bool = True) -> Path:
    """Adds a run to the shipped networks, or replaces the network of that name.

    Args:
        run: a run folder, or a weights file in one.
        name: lower-case letters, digits, and dashes between them.
        tflite: a file that was exported from the run. By default, the 16-bit weights are exported.
        weights: also ships the Keras weights, in 16 bits, for fine-tuning.

    Returns:
        the folder of the network in the package.

    Raises:
        UserError: as `check`; or the network cannot be exported.
    """
    check(run, name, tflite)
    folder, source = find_run(run)
    record = _read_record(folder)
    target = pretrained.WEIGHTS / name
    with _replacing_folder(target) as new:
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
    with h5py.File(source) as old, h5py.File(target, "w") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                kind = "float16" if item.dtype.kind == "f" else item.dtype
                # Shuffling puts the bytes with the exponents next to each other. This reduces
                # large arrays by 5 %.
                options = {"shuffle": True, "compression": "gzip"} if item.size > 4096 else {}
                copied = new.create_dataset(name, data=item[()].astype(kind), **options)
            else:
                copied = new.require_group(name)
            copied.attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)


def _read_record(folder: Path) -> Record:
    """Reads the record of a run, without the paths of its machine."""
    record = Record.read(folder)
    record.recipe = Recipe.from_json(record.recipe).to_json()
    record.data = record.answer = None
    record.flags = [flag for flag in record.flags if flag.partition("=")[0] not in PATH_FLAGS]
    return record


def _export(folder: Path) -> None:
    """Exports the weights in a folder. The file keeps 16-bit weights as they are."""
    from ..upsample.export.exporter import export

    export(folder, folder / pretrained.TFLITE_FILE, licence=LICENCE)


@contextmanager
def _replacing_folder(target: Path) -> Iterator[Path]:
    """Yields a new folder, which replaces `target` if the block succeeds.

    The new folder is outside the folder of shipped networks, where it would count as a network.
    """
    new, old = (target.parent.with_name(f".{kind}-{target.name}") for kind in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        yield new
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            target.rename(old)
        new.rename(target)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _write_sums() -> None:
    """Writes the file with the checksums of all shipped files."""
    files = sorted(path for path in pretrained.WEIGHTS.glob("*/*") if path.is_file())
    lines = [
        f"{pretrained.checksum(path)}  {path.relative_to(pretrained.WEIGHTS).as_posix()}\n"
        for path in files
    ]
    write_text(pretrained.WEIGHTS / pretrained.SUMS, "".join(lines))
