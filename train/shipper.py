"""From a run to a trained network of the package."""

import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np

from ..command import UserError
from ..command.files import replacing
from ..models import pretrained
from ..upsample import Upsampler
from ..upsample.tflite import read
from ..upsample.upsampler import weights_file

# Flags of wideband-train that name places.
PLACES = ("--data", "--run", "--initial_weights")


def ship(run: Path, name: str, tflite: Path | None = None) -> Path:
    """Puts a run among the trained networks, in the place of what had its name.

    Args:
        run: a run folder, or a weights file in one.
        name: in small letters, digits and dashes.
        tflite: a file that was exported from it, to ship in place of its weights.

    Returns:
        its folder in the package.

    Raises:
        UserError: there is no such run or file, or the file is not of that run, or the name will
            not do.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise UserError(f"--name={name}: a name has small letters, digits and dashes")
    folder, weights = weights_file(run)
    if tflite and read(tflite)[1].weights_sha256 != pretrained.checksum(weights):
        raise UserError(f"{tflite} was not made of {weights}; export it again")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    del record["data"]
    record["flags"] = [flag for flag in record["flags"] if flag.partition("=")[0] not in PLACES]
    upsampler = Upsampler.from_tflite(tflite) if tflite else Upsampler.from_run(run)
    record["answer"] = [round(float(sample), 6) for sample in answer(upsampler)]
    target = pretrained.WEIGHTS / name
    shutil.rmtree(target, ignore_errors=True)
    with replacing(target / pretrained.RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if tflite:
        with replacing(target / pretrained.TFLITE_FILE) as temporary:
            shutil.copyfile(tflite, temporary)
    else:
        with replacing(target / pretrained.KERAS_FILE) as temporary:
            halve(weights, temporary)
    _write_sums()
    return target


def answer(upsampler: Upsampler) -> np.ndarray:
    """Gives some samples of what a network makes of a chirp in noise; shipped ones keep theirs.

    Args:
        upsampler: of the network.

    Returns:
        float32 of shape (64,).
    """
    instants = np.arange(upsampler.low_rate) / upsampler.low_rate
    chirp = np.sin(np.pi * upsampler.low_rate / 2 * instants**2)
    noise = np.random.default_rng(0).normal(0, 0.1, len(instants))
    restored, _ = upsampler.upsample(0.3 * (chirp + noise), upsampler.low_rate)
    return restored[:: len(restored) // 64][:64]


def halve(source: Path, target: Path) -> None:
    """Copies a weights file of Keras with its numbers in 16 bits, packed; Keras reads that too."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                kind = "float16" if item.dtype.kind == "f" else item.dtype
                # With the bytes of exponents side by side, packing saves 5 % of large ones.
                packed = {"shuffle": True, "compression": "gzip"} if item.size > 4096 else {}
                copied = new.create_dataset(name, data=item[()].astype(kind), **packed)
            else:
                copied = new.require_group(name)
            copied.attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)


def _write_sums() -> None:
    """Writes the checksums of all files that are there."""
    files = sorted(path for path in pretrained.WEIGHTS.glob("*/*") if path.is_file())
    lines = [
        f"{pretrained.checksum(path)}  {path.relative_to(pretrained.WEIGHTS).as_posix()}\n"
        for path in files
    ]
    with replacing(pretrained.WEIGHTS / pretrained.SUMS) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
