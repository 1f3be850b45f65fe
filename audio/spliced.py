"""A file that is put together from pieces, for libsndfile to read."""

import os
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple


class Piece(NamedTuple):
    """Bytes of a file, by their offsets."""

    start: int
    end: int


class Spliced:
    """Joins pieces of a file and new bytes, with the methods that libsndfile needs.

    Args:
        handle: the file.
        pieces: in order.
    """

    def __init__(self, handle: BinaryIO, pieces: Sequence[Piece | bytes]):
        self._handle = handle
        self._pieces = pieces
        self._position = 0
        # libsndfile cannot pass on an exception.
        self.error: OSError | None = None

    def tell(self) -> int:
        """Returns the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves the position and returns it."""
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += sum(_size(piece) for piece in self._pieces)
        self._position = offset
        return offset

    def read(self, count: int) -> bytes:
        """Reads `count` bytes; fewer mean the end of the file to libsndfile."""
        content = b""
        start = 0
        for piece in self._pieces:
            end = start + _size(piece)
            if start <= self._position < end and len(content) < count:
                taken = self._read_piece(piece, self._position - start, count - len(content))
                self._position += len(taken)
                content += taken
            start = end
        return content

    def _read_piece(self, piece: Piece | bytes, offset: int, count: int) -> bytes:
        if isinstance(piece, bytes):
            return piece[offset : offset + count]
        try:
            self._handle.seek(piece.start + offset)
            return self._handle.read(min(count, _size(piece) - offset))
        except OSError as error:
            self.error = error
            return b""


def _size(piece: Piece | bytes) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.end - piece.start
