"""The records of a shard, a TFRecord file, without TensorFlow.

Around the data of a record are its length, a checksum of the length, and one of the data. A file
that is cut between two records shows no sign of it. The layout of a dataset says which examples a
shard has; the headers of its records, which are read in a moment, say how many bytes each one has.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import google_crc32c

from ..audio import Ratio
from ..command import UserError
from .layout import Piece

# A length (8 bytes) and a checksum (4 bytes) precede the data, another checksum follows.
_HEADER_BYTES, _FOOTER_BYTES = 12, 4
# See https://github.com/tensorflow/tensorflow/blob/v2.16.1/tensorflow/core/lib/hash/crc32c.h
_MASK = 0xA282EAD8
# The names, numbers and lengths in a record: 197 bytes at most.
_OVERHEAD_BYTES = 256


def frame(data: bytes) -> bytes:
    """Makes a record of data."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _checksum(length), data, _checksum(data)))


def _checksum(data: bytes) -> bytes:
    """Returns the masked CRC-32C."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", (crc >> 15 | crc << 17) + _MASK & 0xFFFFFFFF)


def read(path: Path) -> Iterator[bytes]:
    """Reads the data of the records one by one.

    Raises:
        ValueError: the file breaks off, or a checksum is wrong.
    """
    with path.open("rb") as file:
        while header := file.read(_HEADER_BYTES):
            length = header[:8]
            if header[8:] != _checksum(length):
                raise ValueError("the length of a record has another checksum")
            data = file.read(int.from_bytes(length, "little"))
            if file.read(_FOOTER_BYTES) != _checksum(data):
                raise ValueError("a record has another checksum")
            yield data


def check(path: Path, pieces: Sequence[Piece], ratio: Ratio) -> None:
    """Checks that a shard is complete, without reading its waves.

    Args:
        path: the shard.
        pieces: the examples that it should contain, in any order.
        ratio: the high rate over the low rate.

    Raises:
        UserError: it is missing or damaged, or has other examples.
    """
    try:
        found, rest = _record_bytes(path)
    except FileNotFoundError as error:
        raise _incomplete(path, "is missing") from error
    expected = sorted(_content_bytes(piece, ratio) for piece in pieces)
    if len(found) != len(expected):
        fault = f"has {len(found)} complete examples, manifest.csv lists {len(expected)}"
        raise _incomplete(path, fault)
    if rest:
        raise _incomplete(path, f"has {rest} bytes after its last example")
    sizes = zip(sorted(found), expected, strict=True)
    if not all(content <= size < content + _OVERHEAD_BYTES for size, content in sizes):
        raise _incomplete(path, "has examples of other lengths than manifest.csv lists")


def _incomplete(path: Path, fault: str) -> UserError:
    # wideband-prepare finds this damage, too.
    return UserError(
        f"{path}: {fault}; run the same wideband-prepare command again, which repairs the dataset"
    )


def _record_bytes(path: Path) -> tuple[list[int], int]:
    """Lists the bytes of data of each complete record; also returns the bytes after the last."""
    sizes = []
    with path.open("rb", buffering=0) as file:
        rest = os.fstat(file.fileno()).st_size
        while len(header := file.read(_HEADER_BYTES)) == _HEADER_BYTES:
            size = int.from_bytes(header[:8], "little")
            if size > rest - _HEADER_BYTES - _FOOTER_BYTES:
                break
            sizes.append(size)
            rest -= _HEADER_BYTES + size + _FOOTER_BYTES
            file.seek(size + _FOOTER_BYTES, os.SEEK_CUR)
    return sizes, rest


def _content_bytes(piece: Piece, ratio: Ratio) -> int:
    """Returns the bytes of the waves and texts of an example (see `shards`)."""
    row = piece.row
    high = piece.samples - piece.samples % ratio.numerator
    low = high * ratio.denominator // ratio.numerator
    return (
        2 * high + 4 * low + sum(len(text.encode()) for text in (row.name, row.speaker, row.text))
    )
