"""Finds the length of a recording before libsndfile opens it.

libsndfile takes the length from a header, though the file may be shorter or longer, or guesses it.
"""

import os
import re
import struct
from typing import BinaryIO

from . import chunks, mpeg
from .finding import INCOMPLETE, SLACK_BYTES, Finding, is_unknown, shortage
from .spliced import Piece

# The flags of the first and the last page of an Ogg stream.
_BEGINS, _ENDS = 2, 4


def examine(handle: BinaryIO, suffix: str) -> Finding:
    """Looks at the headers of a recording.

    Args:
        handle: the file.
        suffix: of its name, in lower case.

    Returns:
        what they say; an empty finding if libsndfile reads the whole file by itself.
    """
    size = handle.seek(0, os.SEEK_END)
    start = 0
    while skipped := mpeg.id3_size(handle, start):
        start += skipped
    handle.seek(start)
    head = handle.read(16)
    if head[:4] == b"fLaC":
        return _flac(handle, start, size)
    if head[:4] == b"OggS":
        return _ogg(handle, size)
    if head[:4] in (b".snd", b"dns."):
        offset, length = struct.unpack_from(">II" if head[:1] == b"." else "<II", head, 4)
        return Finding() if is_unknown(length) else shortage(length, size - offset, SLACK_BYTES)
    if head[:7] == b"NIST_1A":
        handle.seek(0)
        promised = re.search(rb"sample_count -i (\d+)", handle.read(1024))
        return Finding(frames=int(promised[1]) if promised else None)
    if mpeg.frame(head[:4]) or suffix in (".mp3", ".mp2"):
        return mpeg.examine(handle, start, size)
    return chunks.examine(handle, start, size) or Finding()


def _flac(handle: BinaryIO, start: int, size: int) -> Finding:
    """Takes the length out of the header, so that libsndfile reads to the end of the file."""
    handle.seek(start)
    head = bytearray(handle.read(26))
    if len(head) < 26:
        return Finding()
    frames = int.from_bytes(head[21:26], "big") & (1 << 36) - 1
    head[21] &= 0xF0
    head[22:] = bytes(4)
    return Finding(frames=frames or None, pieces=(bytes(head), Piece(start + 26, size)))


def _ogg(handle: BinaryIO, size: int) -> Finding:
    """Looks for the end of the stream, and for a second stream behind it, in the pages."""
    position, open_streams, ended = 0, set[bytes](), set[bytes]()
    while position < size:
        handle.seek(position)
        page = handle.read(27 + 255)
        if len(page) < 27 or page[:4] != b"OggS":
            break
        segments = page[26]
        flags, serial = page[5], page[14:18]
        if flags & _BEGINS:
            if ended:
                return Finding("a chain of Ogg streams, of which one is readable; convert it")
            open_streams.add(serial)
        position += 27 + segments + sum(page[27 : 27 + segments])
        if flags & _ENDS and position <= size:
            open_streams.discard(serial)
            ended.add(serial)
    return Finding(f"breaks off: its last page is missing; {INCOMPLETE}" if open_streams else "")
