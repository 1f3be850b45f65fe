"""Counts the frames of MP3 files.

A stream of MPEG frames has no length of its own. Encoders write it into a first frame without
audio, the tag of Xing or LAME. Without a tag, libmpg123 guesses the length from the size of the
first frame, and libsndfile stops there: a VBR file would be cut.
"""

import struct
from functools import lru_cache
from typing import BinaryIO, NamedTuple

from .finding import Finding, shortage
from .spliced import Piece

# kbit/s by version and layer, from index 1 on; frames of the indices 0 and 15 have no known size.
_KILOBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# By the version's two bits; 1 is reserved.
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
# The bits of a header that all frames of a stream share: sync, version, layer, rate.
_SHARED = 0xFFFE0C00
_RESYNC_BYTES = 1 << 16


class Frame(NamedTuple):
    """The header of an MPEG frame."""

    bits: int
    size: int  # bytes with the header
    samples: int
    layer: int
    tag_offset: int  # of the tag of Xing in a frame of layer 3


class Stream(NamedTuple):
    """The MPEG frames of a file."""

    start: int  # offset of the first frame with audio
    end: int  # after the last complete frame
    first: Frame
    total: int  # frames with audio
    tag: bytes  # the frame in front, b"" without one
    tagged: int | None  # the number of frames by the tag
    constant: bool  # whether all frames have the same size, but for the padding

    @property
    def samples(self) -> int:
        """Samples in all frames."""
        return self.total * self.first.samples


@lru_cache(maxsize=4096)
def frame(header: bytes) -> Frame | None:
    """Reads the four bytes of a frame's header; None if they are not one, or name no size."""
    if len(header) < 4:
        return None
    bits = int.from_bytes(header, "big")
    version, layer = bits >> 19 & 3, 4 - (bits >> 17 & 3)
    kilobits, rate = bits >> 12 & 15, bits >> 10 & 3
    if bits >> 21 != 0x7FF or version == 1 or layer == 4 or kilobits in (0, 15) or rate == 3:
        return None
    # MPEG-1, or MPEG-2 and 2.5, which have lower rates.
    generation = 1 if version == 3 else 2
    bits_per_second = 1000 * _KILOBITS[generation, layer][kilobits - 1]
    padding = bits >> 9 & 1
    hz = _RATES[version][rate]
    samples = 384 if layer == 1 else 1152 // generation if layer == 3 else 1152
    if layer == 1:
        size = 4 * (12 * bits_per_second // hz + padding)
    else:
        size = samples // 8 * bits_per_second // hz + padding
    # Bytes between the header and the tag, of mono and of stereo frames.
    side = (17, 9) if bits >> 6 & 3 == 3 else (32, 17)
    return Frame(bits, size, samples, layer, 4 + side[generation - 1])


def examine(handle: BinaryIO, start: int, end: int) -> Finding:
    """Counts the frames of a stream, and gives libsndfile their number if it would guess it.

    Args:
        handle: the file.
        start: where the stream begins.
        end: where the file, or the chunk with the stream, ends.
    """
    stream = _scan(handle, start, end)
    if stream is None:
        return Finding()
    if stream.tagged is not None and stream.tagged > stream.total + 1:
        return shortage(stream.tagged, stream.total, slack=1)
    frames = Piece(stream.start, stream.end)
    if not stream.tag and stream.constant:
        return Finding(frames=stream.samples, pieces=(frames,))
    if stream.first.layer != 3:
        return Finding("its length is unknown; convert it")
    return Finding(pieces=(_new_tag(stream), frames))


def _scan(handle: BinaryIO, start: int, end: int) -> Stream | None:
    """Walks over all frames between two offsets of a file; None if there are none."""
    start = _resync(handle, start, end, None)
    handle.seek(start)
    first = frame(handle.read(4))
    if first is None or start >= end:
        return None
    tag, tagged = _read_tag(handle, start, first)
    start += len(tag)
    position, count, last = start, 0, start
    sizes = set[int]()
    while position < end:
        handle.seek(position)
        header = handle.read(4)
        found = frame(header)
        if found is None or (found.bits ^ first.bits) & _SHARED:
            if header[:3] == b"ID3":
                position += id3_size(handle, position)
            position = _resync(handle, position, end, first)
            continue
        position += found.size
        if position <= end:
            last = position
            count += 1
            sizes.add(found.size - (found.bits >> 9 & 1))
    return Stream(start, last, first, count, tag, tagged, len(sizes) < 2)


def id3_size(handle: BinaryIO, position: int) -> int:
    """Returns the size of the ID3v2 tag at an offset, 0 if there is none."""
    handle.seek(position)
    header = handle.read(10)
    if len(header) < 10 or header[:3] != b"ID3":
        return 0
    a, b, c, d = (byte & 127 for byte in header[6:])
    footer = 10 if header[5] & 16 else 0
    return 10 + (a << 21 | b << 14 | c << 7 | d) + footer


def _new_tag(stream: Stream) -> bytes:
    """Makes the tag that gives a stream of layer 3 its length; the encoder's delay is kept."""
    first = stream.first
    if stream.tagged is not None:
        content = bytearray(stream.tag)
        struct.pack_into(">I", content, first.tag_offset + 8, stream.total)
        if content[first.tag_offset + 7] & 2:
            size = len(content) + stream.end - stream.start
            struct.pack_into(">I", content, first.tag_offset + 12, size)
        return bytes(content)
    # Without a checksum and padding; the highest bit rate has room for the tag.
    header = (first.bits & ~0xF200 | 0x1E000).to_bytes(4, "big")
    longest = frame(header)
    assert longest
    content = bytearray(longest.size)
    content[:4] = header
    struct.pack_into(">4sII", content, first.tag_offset, b"Info", 1, stream.total)
    return bytes(content)


def _read_tag(handle: BinaryIO, start: int, first: Frame) -> tuple[bytes, int | None]:
    """Returns the tag's frame, b"" without one, and the number of frames in it, if any."""
    handle.seek(start)
    content = handle.read(first.size)
    offset = first.tag_offset
    # A checksum of two bytes may follow the header.
    empty = first.layer == 3 and not any(content[6:offset])
    if empty and content[offset : offset + 4] in (b"Xing", b"Info"):
        flags, frames = struct.unpack_from(">II", content, offset + 4)
        return content, frames if flags & 1 else None
    if content[36:40] == b"VBRI":
        return content, None
    return b"", None


def _resync(handle: BinaryIO, position: int, end: int, like: Frame | None) -> int:
    """Finds the next frame that another one, or the end, follows; `end` without one."""
    handle.seek(position)
    window = handle.read(min(_RESYNC_BYTES, end - position))
    at = window.find(b"\xff")
    while at >= 0:
        found = frame(window[at : at + 4])
        if found and not (like and (found.bits ^ like.bits) & _SHARED):
            following = position + at + found.size
            handle.seek(following)
            second = frame(handle.read(4)) if following < end else found
            if second and not (second.bits ^ found.bits) & _SHARED and following <= end:
                return position + at
        at = window.find(b"\xff", at + 1)
    return end
