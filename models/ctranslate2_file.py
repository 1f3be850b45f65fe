"""Reads the tensors of a CTranslate2 model, the format of Whisper for faster-whisper.

A model.bin holds names, shapes and numbers only, so nothing in it can run.

Source: ModelSpec._serialize() of OpenNMT/CTranslate2, python/ctranslate2/specs/model_spec.py, with
the binary version 6.
"""

import struct
from pathlib import Path

import numpy as np

from ..command import UserError
from ..command.errors import explain

VERSION = 6
# The types of the numbers, in the order of the file's numbers for them. bfloat16, which NumPy does
# not have, is the upper half of a float32.
TYPES = ("<f4", "i1", "<i2", "<i4", "<f2", "bfloat16")
MAX_DIMENSIONS = 8


class _Reader:
    """Reads the parts of a file in turn."""

    def __init__(self, path: Path) -> None:
        self.bytes = np.memmap(path, np.uint8, "r")
        self.at = 0

    def number(self, code: str) -> int:
        (value,) = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")).tobytes())
        return value

    def text(self) -> str:
        return self.take(self.number("H")).tobytes().rstrip(b"\0").decode()

    def take(self, count: int) -> np.ndarray:
        taken = self.bytes[self.at : self.at + count]
        if len(taken) < count:
            raise ValueError("the file ends early")
        self.at += count
        return taken

    def tensor(self) -> np.ndarray:
        dimensions = self.number("B")
        if dimensions > MAX_DIMENSIONS:
            raise ValueError(f"a tensor has {dimensions} dimensions")
        shape = [self.number("I") for _ in range(dimensions)]
        kind = TYPES[self.number("B")]
        numbers = self.take(self.number("I"))
        if kind == "bfloat16":
            numbers = (numbers.view("<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            numbers = numbers.view(kind)
        return numbers.reshape(shape)


def read(path: Path, prefix: str = "") -> dict[str, np.ndarray]:
    """Reads a model.bin.

    Args:
        path: the file.
        prefix: only the tensors whose names begin with it are returned.

    Returns:
        name, without the prefix -> tensor, in the precision of the file; bfloat16 as float32. A
        name that is another one's alias has the same tensor.

    Raises:
        UserError: the file is missing, damaged, or of another format.
    """
    try:
        reader = _Reader(path)
        if (version := reader.number("I")) != VERSION:
            raise ValueError(f"binary version {version}, not {VERSION}")
        # What kind of model it is, and the revision of that kind.
        _kind, _revision = reader.text(), reader.number("I")
        tensors = {}
        for _ in range(reader.number("I")):
            name = reader.text()
            tensors[name] = reader.tensor()
        for _ in range(reader.number("I")):
            alias = reader.text()
            tensors[alias] = tensors[reader.text()]
    except OSError as error:
        raise UserError(f"{path}: {explain(error, 'give another model')}") from error
    except (ValueError, IndexError, KeyError) as error:
        raise UserError(f"{path}: not readable as a model of CTranslate2 ({error})") from error
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
