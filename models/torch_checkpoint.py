"""Reads the checkpoints of PyTorch without PyTorch, and without running code that is in them.

A checkpoint is a zip archive without compression. Its data.pkl is a pickle in which a tensor is a
view of a storage, and data/KEY has the samples of a storage. A storage is read when a tensor of it
is, and not kept, so that a checkpoint may be larger than the memory. Before anything is read, its
size is compared with the size of the entry.

Source: torch/serialization.py and torch/_utils.py of PyTorch 2.
"""

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


# What zipfile raises for damaged archives.
_ERRORS = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError)


@dataclass(frozen=True)
class _Storage:
    """A storage that has not been read: its entry, type and number of samples."""

    archive: zipfile.ZipFile
    entry: str
    kind: str  # a value of STORAGES
    count: int

    def read(self) -> np.ndarray:
        """Reads the samples."""
        content = self.archive.read(self.entry)
        if self.kind != BFLOAT16:
            return np.frombuffer(content, self.kind)
        samples = (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)
        samples.flags.writeable = False
        return samples


@dataclass(frozen=True)
class Tensor:
    """A tensor of an open checkpoint, a view of its storage that has not been read.

    Args:
        shape: of the array that `read` returns.
        storage: what it is a view of.
        start: its first sample in the storage.
        strides: from one sample to the next along each axis, in samples.
    """

    shape: tuple[int, ...]
    storage: _Storage
    start: int
    strides: tuple[int, ...]

    def read(self) -> np.ndarray:
        """Reads the samples, while the checkpoint is open.

        Returns:
            a read-only array. It is float32 for bfloat16, and uint8 for bool.

        Raises:
            UserError: the samples cannot be read, or are damaged. The message does not name the
                file.
        """
        try:
            samples = self.storage.read()
        except OSError as error:
            raise UserError(f"cannot be read ({error.strerror or error})") from error
        except _ERRORS as error:
            raise _damaged(error) from error
        if not math.prod(self.shape):
            return np.zeros(self.shape, samples.dtype)
        item = samples.itemsize
        strides = [stride * item for stride in self.strides]
        return np.ndarray(self.shape, samples.dtype, samples, self.start * item, strides)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Opens a checkpoint. Its tensors can be read until the end of the block.

    Yields:
        nested dicts, lists and tuples of strings, numbers, None and `Tensor`s.

    Raises:
        UserError: the file cannot be read, is no checkpoint, is damaged, or contains something
            else.
    """
    try:
        archive, content = _open(path)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except _ERRORS as error:
        raise UserError(f"{path}: {_damaged(error)}") from error
    with archive:
        yield content


def _open(path: Path) -> tuple[zipfile.ZipFile, Any]:
    """Returns the archive and its content; its errors do not name the file."""
    with path.open("rb") as file:
        start = file.read(len(LEGACY))
    if start == LEGACY:
        raise UserError(
            "written by PyTorch before 1.6; load it with PyTorch, and torch.save it again"
        )
    archive = zipfile.ZipFile(path)
    try:
        return archive, _Reader(archive, path.stat().st_size).read()
    except BaseException:
        archive.close()
        raise


def _damaged(error: Exception) -> UserError:
    """Returns the error for what is no checkpoint."""
    reason = str(error) or type(error).__name__
    return UserError(f"not a checkpoint of PyTorch, or damaged ({reason})")


class _Reader:
    """Reads one archive; its errors do not name the file."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
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
                raise _missing(name) from error
            return default

    def _storage(self, identifier: Any) -> _Storage:
        """Returns the storage of an identifier ("storage", type, key, device, samples)."""
        label, (kind,), key, _, count = identifier
        if label != "storage" or not isinstance(key, str) or not isinstance(count, int):
            raise TypeError
        entry = f"{self._folder}data/{key}"
        try:
            size = self._archive.getinfo(entry).file_size
        except KeyError as error:
            raise _missing(f"data/{key}") from error
        if size != count * np.dtype("<u2" if kind == BFLOAT16 else kind).itemsize:
            raise UserError(f"damaged, its entry {f'data/{key}'[:80]!r} has another size or type")
        return _Storage(self._archive, entry, kind, count)


def _missing(entry: str) -> UserError:
    return UserError(f"damaged, its entry {entry[:80]!r} is missing")


def _ordered_dict() -> dict:
    """Returns what an OrderedDict is before its entries are set."""
    return {}


def _tensor(storage: _Storage, start: int, shape: tuple, strides: tuple, *_: Any) -> Tensor:
    """Returns a tensor, a view of its storage."""
    if not isinstance(storage, _Storage) or not len(shape) == len(strides) <= MAX_DIMENSIONS:
        raise TypeError
    if not all(isinstance(each, int) and each >= 0 for each in (start, *shape, *strides)):
        raise TypeError
    size = math.prod(shape)
    if not size:
        np.empty(shape)  # raises a ValueError if the other axes are impossible
    last = start + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    # A tensor that repeats its samples could be larger than the file.
    if size > storage.count or (size and last >= storage.count):
        raise UserError(f"damaged, a tensor exceeds its storage of {storage.count} samples")
    return Tensor(shape, storage, start, strides)


def _parameter(tensor: Tensor, *_: Any) -> Tensor:
    """Returns a parameter, which is its tensor."""
    if not isinstance(tensor, Tensor):
        raise TypeError
    return tensor
