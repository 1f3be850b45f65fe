"""The chunk of samples in wav, AIFF, CAF and their relatives, and whether it is complete.

libsndfile reads such a file without complaint if it ends before its header says so, and stops
where the header ends the samples though more follow. These are errors here. A program that could
not go back to the header has left no length in it; then the samples end with the file.
"""

from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

from . import mpeg
from .finding import SLACK_BYTES, Finding, is_unknown, shortage
from .spliced import Piece

# Some programs append less than this that is not a chunk.
_APPENDED_BYTES = 1 << 16
# The codes of MPEG in wav.
_MPEG = (0x50, 0x55)


class _Form(NamedTuple):
    """How a kind of file writes its chunks."""

    first: int  # offset of the first chunk
    name_bytes: int
    length_bytes: int
    order: Literal["big", "little"]
    counted: int  # bytes of the chunk's header that the length includes
    multiple: int  # chunks begin at multiples of this


_FORMS = {
    b"RIFF": _Form(12, 4, 4, "little", 0, 2),
    b"RIFX": _Form(12, 4, 4, "big", 0, 2),
    b"RF64": _Form(12, 4, 4, "little", 0, 2),
    b"FORM": _Form(12, 4, 4, "big", 0, 2),
    b"caff": _Form(8, 4, 8, "big", 0, 1),
    # Wave64
    b"riff": _Form(40, 16, 8, "little", 24, 8),
}


class _Chunk(NamedTuple):
    """A chunk."""

    name: bytes
    field: Piece  # where its length is written
    start: int
    length: int


def examine(handle: BinaryIO, start: int, size: int) -> Finding | None:
    """Compares the length of the chunk of samples with that of the file.

    Args:
        handle: the file.
        start: where its first header begins.
        size: of the file.

    Returns:
        what is found; None if the file does not consist of chunks.
    """
    handle.seek(start)
    form = _FORMS.get(handle.read(4))
    if form is None:
        return None
    long_length = unpadded_frames = code = None
    for chunk in _chunks(handle, form, start, size):
        handle.seek(chunk.start)
        content = handle.read(16)
        if chunk.name == b"ds64":
            long_length = Piece(chunk.start + 8, chunk.start + 16)
        elif chunk.name == b"fmt ":
            code = int.from_bytes(content[:2], "little")
        elif chunk.name == b"fact":
            unpadded_frames = int.from_bytes(content[:4], "little")
        elif chunk.name in (b"data", b"SSND"):
            if code in _MPEG:
                return mpeg.examine(handle, chunk.start, min(chunk.start + chunk.length, size))
            if long_length and chunk.length == 0xFFFFFFFF:
                handle.seek(long_length.start)
                length = int.from_bytes(handle.read(8), "little")
                chunk = chunk._replace(field=long_length, length=length)
            found = _samples(handle, form, chunk, size)
            return found._replace(unpadded_frames=unpadded_frames)
    return Finding()


def _samples(handle: BinaryIO, form: _Form, chunk: _Chunk, size: int) -> Finding:
    """Judges the chunk of samples."""
    rest = size - chunk.start
    if chunk.length > rest and not is_unknown(chunk.length):
        return shortage(chunk.length, rest, SLACK_BYTES)
    if chunk.length <= rest and _is_complete(handle, form, chunk, size):
        return Finding()
    width = chunk.field.end - chunk.field.start
    length = rest + form.counted
    if 0 < chunk.length <= rest or length >= 1 << 8 * width:
        return Finding("has more samples than its header says; convert it", "-ignore_length 1")
    field = length.to_bytes(width, form.order)
    return Finding(pieces=(Piece(0, chunk.field.start), field, Piece(chunk.field.end, size)))


def _is_complete(handle: BinaryIO, form: _Form, chunk: _Chunk, size: int) -> bool:
    """Says whether the samples end with their chunk: with the file, another chunk or some bytes."""
    end = chunk.start + chunk.length + -chunk.length % form.multiple
    header_bytes = form.name_bytes + form.length_bytes
    rest = size - end - header_bytes
    if rest < 0:
        return True
    handle.seek(end)
    head = handle.read(header_bytes)
    length = int.from_bytes(head[form.name_bytes :], form.order) - form.counted
    is_chunk = all(32 <= byte < 127 for byte in head[:4]) and length <= rest + 1
    return is_chunk or (chunk.length > 0 and rest < _APPENDED_BYTES)


def _chunks(handle: BinaryIO, form: _Form, start: int, size: int) -> Iterator[_Chunk]:
    """Lists the chunks up to one that the file is too short for."""
    position = start + form.first
    while position < size:
        handle.seek(position)
        name = handle.read(form.name_bytes)[:4]
        length = int.from_bytes(handle.read(form.length_bytes), form.order) - form.counted
        field = Piece(position + form.name_bytes, position + form.name_bytes + form.length_bytes)
        if length < 0:
            return
        yield _Chunk(name, field, field.end, length)
        position = field.end + length + -length % form.multiple
