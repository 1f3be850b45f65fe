"""Weights files of Keras networks, in HDF5.

Files are made and read in memory. HDF5 crashes the whole process if it cannot write to a full disk.

The bytes of a file depend on the weights alone: the automatic names of layers, such as "add_2", are
left out, since they depend on what else the process has built. Each array that `save` writes has a
checksum, so that damaged numbers are refused.
"""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..command import UserError
from ..command.files import write_bytes
from ..command.reading import read_bytes

if TYPE_CHECKING:
    import keras

# What h5py and Keras raise for damaged files and for the files of other networks.
_ERRORS = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ArithmeticError)
_ERRORS += (MemoryError, UserWarning)
# HDF5 computes checksums of blocks, which are smaller than 4 GiB.
_MAX_BLOCK = 2**32


class _Memory(io.BytesIO):
    """A file in memory that Keras takes for a weights file, which it recognizes by the name."""

    def __str__(self) -> str:
        return "memory.weights.h5"


def save(network: "keras.Model", path: Path) -> None:
    """Writes the weights file of a network.

    Raises:
        UserError: the file cannot be written, such as on a full disk.
    """
    file = _Memory()
    network.save_weights(file)
    write_bytes(path, rewrite(file.getvalue(), _with_checksum))


def load(network: "keras.Model", path: Path, advice: str) -> None:
    """Loads a weights file into a network.

    Args:
        network: the same network as that of the file.
        path: the file.
        advice: what to do if it cannot be used, for the message.

    Raises:
        UserError: the file is missing, damaged, or has the weights of another network.
    """
    file = _Memory(read_bytes(path, advice))
    try:
        with warnings.catch_warnings():
            # What Keras says before it leaves layers of another network with random weights.
            warnings.filterwarnings("error", "Skipping nested container", UserWarning)
            network.load_weights(file)
        arrays = _count_arrays(file)
    except _ERRORS as error:
        raise UserError(
            f"{path}: damaged, or not the weights of this {network.name}; {advice}"
        ) from error
    # Keras ignores arrays of a larger network.
    if arrays != len(network.weights):
        raise UserError(
            f"{path}: has {arrays} arrays of weights, and this {network.name} has "
            f"{len(network.weights)}; {advice}"
        )


def rewrite(
    content: bytes, convert: Callable[[np.ndarray], tuple[np.ndarray, dict[str, Any]]]
) -> bytes:
    """Rewrites a weights file without the names of layers.

    Args:
        content: the file that Keras wrote.
        convert: returns the array to write, and options for h5py's `create_dataset`.
    """
    target = io.BytesIO()
    with h5py.File(io.BytesIO(content)) as old, h5py.File(target, "w") as new:
        _rewrite(old, new, convert)
    return target.getvalue()


def write(network: "keras.Model", path: Path, precision: str) -> None:
    """Writes the weights file of a network array by array, for large ones.

    Args:
        network: the network.
        path: the file, in a folder for unfinished files. HDF5 crashes the process if the disk has
            no room for it and for the network in float32.
        precision: of its floats, such as "float16".
    """

    def convert(array: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        return _with_checksum(array.astype(precision) if array.dtype.kind == "f" else array)

    written = path.with_name(f"all-{path.name}")
    network.save_weights(written)
    with h5py.File(written) as old, h5py.File(path, "w") as new:
        _rewrite(old, new, convert)
    written.unlink()


def _rewrite(
    old: h5py.File,
    new: h5py.File,
    convert: Callable[[np.ndarray], tuple[np.ndarray, dict[str, Any]]],
) -> None:
    """Copies all arrays, without the names of layers."""

    def copied(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            array, options = convert(item[()])
            target = new.create_dataset(name, data=array, **options)
        else:
            target = new.require_group(name)
        target.attrs.update({key: item.attrs[key] for key in item.attrs if key != "name"})

    old.visititems(copied)


def _with_checksum(array: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    if array.ndim and 0 < array.nbytes < _MAX_BLOCK:
        return array, {"chunks": array.shape, "fletcher32": True}
    return array, {}


def _count_arrays(file: io.BytesIO) -> int:
    """Counts the arrays of a weights file."""
    arrays = []
    with h5py.File(file) as opened:
        opened.visititems(
            lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None
        )
    return len(arrays)
