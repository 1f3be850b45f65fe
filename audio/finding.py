"""What the headers of a file say about its length."""

from typing import NamedTuple

from .spliced import Piece

# What to do with a file that is not complete.
INCOMPLETE = "get the whole file, or convert what there is"
# Some programs count their own header as samples.
SLACK_BYTES = 64
# A program that could not go back to the header leaves 0 in it, or a number near these.
_UNKNOWN = (range(0x7EFF0000, 0x80010000), range(0xFFFF0000, 1 << 32), range(1 << 62, 1 << 64))


class Finding(NamedTuple):
    """What the headers of a file say, as far as libsndfile needs help to read it whole."""

    # Why libsndfile would lose samples of the file, and what to do; "" if it would not.
    fault: str = ""
    # What ffmpeg needs to read such a file whole.
    options: str = ""
    # The length in samples by the header; None if libsndfile finds it.
    frames: int | None = None
    # The length in samples of a code that is stored in whole blocks.
    unpadded_frames: int | None = None
    # What to read in place of the file.
    pieces: tuple[Piece | bytes, ...] = ()


def is_unknown(length: int) -> bool:
    """Says whether a length in a header means that the samples end with the file."""
    return length == 0 or any(length in unknown for unknown in _UNKNOWN)


def shortage(promised: int, present: int, slack: int) -> Finding:
    """Compares the length in a header with what there is, in bytes or in frames.

    Args:
        promised: the length by the header, above 0.
        present: the length in the file.
        slack: how much less is accepted, because programs count differently.

    Returns:
        a fault if the file breaks off.
    """
    if present + slack >= promised:
        return Finding()
    share = 100 * present // promised
    return Finding(f"breaks off: it has {share} % of its samples; {INCOMPLETE}")
