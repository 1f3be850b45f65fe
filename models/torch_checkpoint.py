"""Reads the checkpoints of PyTorch without PyTorch, and without running code that is in them.

A checkpoint is a zip archive without compression. Its data.pkl is a pickle in which a tensor is a
view of a storage, and data/KEY has the samples of a storage. Memory follows the size of the file:
a size in the file is compared with the size of the entry before anything is read.

Source: torch/serialization.py and torch/_utils.py of PyTorch 2.
"""

import math
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..command import UserError
from .unpickling import unpickle

# Storages by their class: the type of their samples in the file. bfloat16 is the upper half of a
# float32, which NumPy does not have.
BFLOAT16 = "bfloat16"
STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "u1",
}
# Pickles of weights are far smaller; each byte of one can make an object of 64 bytes.
LARGEST_PICKLE = 2**22
MAX_DIMENSIONS = 16
# How PyTorch before 1.6 begins a file: its magic number as a pickle.
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


def read(path: Path) -> Any:
    """Reads a checkpoint.

    Returns:
        nested dicts, lists and tuples of strings, numbers, None and NumPy arrays. Tensors of
        bfloat16 are float32, and those of bool are uint8. Arrays are read-only, and may share
        their samples.

    Raises:
        UserError: the file cannot be read, is no checkpoint, is damaged, or contains something
            else.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(LEGACY))
        if start == LEGACY:
            raise UserError(
                "written by PyTorch before 1.6; load it with PyTorch, and torch.save it again"
            )
        with zipfile.ZipFile(path) as archive:
            return _Reader(archive, path.stat().st_size).read()
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise UserError(f"{path}: not a checkpoint of PyTorch, or damaged ({reason})") from error


class _Storage(NamedTuple):
    """A storage: its type, a value of STORAGES, and its samples."""

    kind: str
    samples: np.ndarray


class _Reader:
    """Reads one archive; its errors do not name the file."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._storages: dict[str, _Storage] = {}
        entries = archive.infolist()
        if any(each.compress_type != zipfile.ZIP_STORED for each in entries):
            raise UserError("compressed, which checkpoints of PyTorch never are")
        # Entries that overlap would multiply the memory.
        if sum(each.file_size for each in entries) > size:
            raise UserError("damaged, its entries are larger than the file")
        pickles = [each.filename for each in entries if each.filename.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise UserError("a zip archive, but not a checkpoint of PyTorch")
        self._folder = pickles[0].removesuffix("data.pkl")

    def read(self) -> Any:
        """Returns the content of the archive."""
        if self._entry("byteorder", b"little") != b"little":
            raise UserError("written on a big-endian machine, whose byte order is not supported")
        pickled = self._archive.getinfo(f"{self._folder}data.pkl")
        if pickled.file_size > LARGEST_PICKLE:
            raise UserError(
                f"its pickle of {pickled.file_size} bytes is too large for a file of weights, at "
                f"most {LARGEST_PICKLE}"
            )
        names = {
            "collections.OrderedDict": _ordered_dict,
            "torch._utils._rebuild_tensor_v2": _tensor,
            "torch._utils._rebuild_parameter": _parameter,
            **{f"torch.{name}": kind for name, kind in STORAGES.items()},
        }
        return unpickle(self._entry("data.pkl"), names, self._storage)

    def _entry(self, name: str, default: bytes | None = None) -> bytes:
        """Returns the bytes of an entry; without a default, it must be there."""
        try:
            return self._archive.read(self._folder + name)
        except KeyError as error:
            if default is None:
                raise UserError(f"damaged, its entry {name[:80]!r} is missing") from error
            return default

    def _storage(self, identifier: Any) -> _Storage:
        """Returns the storage of an identifier ("storage", type, key, device, samples)."""
        label, (kind,), key, _, count = identifier
        if label != "storage" or not isinstance(key, str) or not isinstance(count, int):
            raise TypeError
        if key not in self._storages:
            samples = np.frombuffer(
                self._entry(f"data/{key}"), "<u2" if kind == BFLOAT16 else np.dtype(kind)
            )
            if kind == BFLOAT16:
                samples = (samples.astype(np.uint32) << 16).view(np.float32)
                samples.flags.writeable = False
            self._storages[key] = _Storage(kind, samples)
        storage = self._storages[key]
        if storage.kind != kind or len(storage.samples) != count:
            raise UserError(f"damaged, its entry {f'data/{key}'[:80]!r} has another size or type")
        return storage


def _ordered_dict() -> dict:
    """Returns what an OrderedDict is before its entries are set."""
    return {}


def _tensor(storage: _Storage, start: int, shape: tuple, strides: tuple, *_: Any) -> np.ndarray:
    """Returns a tensor, a view of its storage."""
    if not isinstance(storage, _Storage) or not len(shape) == len(strides) <= MAX_DIMENSIONS:
        raise TypeError
    if not all(isinstance(each, int) and each >= 0 for each in (start, *shape, *strides)):
        raise TypeError
    samples, size = storage.samples, math.prod(shape)
    last = start + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    # A tensor that repeats its samples could be larger than the file.
    if size > len(samples) or (size and last >= len(samples)):
        raise UserError(f"damaged, a tensor exceeds its storage of {len(samples)} samples")
    if not size:
        return np.zeros(shape, samples.dtype)
    item = samples.itemsize
    return np.ndarray(
        shape, samples.dtype, samples, start * item, [stride * item for stride in strides]
    )


def _parameter(tensor: np.ndarray, *_: Any) -> np.ndarray:
    """Returns a parameter, which is its tensor."""
    if not isinstance(tensor, np.ndarray):
        raise TypeError
    return tensor
