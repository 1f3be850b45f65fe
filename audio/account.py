"""What a file says about its own length."""

from typing import NamedTuple

from .spliced import Piece

# What to do with a file that is not complete.
INCOMPLETE = "get the whole file, or convert what there is"
# Some programs count their own header as samples.
SLACK_BYTES = 64
# A program that could not go back to the header leaves 0 in it, or a number near these.
_UNKNOWN = (range(0x7EFF0000, 0x80010000), range(0xFFFF0000, 1 << 32), range(1 << 62, 1 << 64))


class Account(NamedTuple):
    """What a file's headers say about the samples in it, and what libsndfile makes of them."""

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


def shortage(promised: int, present: int, slack: int) -> Account:
    """Compares the length in a header with what there is.

    Args:
        promised: by the header.
        present: in the file.
        slack: how much less is accepted, because programs count differently.
    """
    if present + slack >= promised:
        return Account()
    share = 100 * present // promised
    return Account(f"breaks off: it has {share} % of its samples; {INCOMPLETE}")
