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

    def readinto(self, buffer: memoryview) -> int:
        """Fills a buffer and returns how many bytes it got; fewer mean the end of the file."""
        buffer = memoryview(buffer)
        count = start = 0
        for piece in self._pieces:
            end = start + _size(piece)
            if start <= self._position < end and count < len(buffer):
                offset = self._position - start
                room = buffer[count : count + _size(piece) - offset]
                taken = self._read_piece(piece, offset, room)
                self._position += taken
                count += taken
            start = end
        return count

    def _read_piece(self, piece: Piece | bytes, offset: int, room: memoryview) -> int:
        if isinstance(piece, bytes):
            room[:] = piece[offset : offset + len(room)]
            return len(room)
        try:
            self._handle.seek(piece.start + offset)
            taken = self._handle.read(len(room))
        except OSError as error:
            self.error = error
            return 0
        room[: len(taken)] = taken
        return len(taken)


def _size(piece: Piece | bytes) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.end - piece.start
