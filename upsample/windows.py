"""The network's stage of a stream: windows on a fixed grid, whose outputs are joined."""

import math
from numbers import Integral
from typing import NamedTuple

import numpy as np

from ..command import UserError
from ..models.restorer import Recording, Restorer

# The least samples per window of a network with a limited context, including the context; a network
# whose multiple does not divide them takes a few less.
WINDOW = 32768
# The window of a long context, in contexts: half of the computation is kept if the wave is live,
# and five sixths if it is not.
LIVE, WHOLE = 4, 12
# The windows of a TFLite file with a long context, in contexts: a recording takes those with the
# least computation.
IN_FILE = (LIVE, 7, WHOLE)
# The longest context of a network for live audio, in samples of its input: about a second.
LONGEST_LIVE = 2**14
# Longer windows would need more memory and no less computation.
LONGEST_WINDOW = 2**22
# The largest number of samples in a batch of windows.
SAMPLES_AT_ONCE = 2**17


class NotFiniteError(UserError):
    """The output of a network contains NaN or infinity."""


class Grid(NamedTuple):
    """The windows of a network, in samples of its input."""

    window: int
    lead: int  # dropped at either end of a window
    fade: int  # cross-faded with the next window

    @property
    def hop(self) -> int:
        """Samples from one window to the next."""
        return self.window - 2 * self.lead - self.fade


class Windows:
    """Runs a network over a wave, chunk by chunk, in windows on a grid that starts at sample zero.

    There are three kinds of networks:

    - With a limited context, a window overlaps its neighbours by that context, and only samples
      with a full context are kept: there are no seams.
    - A network that sees its whole patch takes patches as in training, half a patch apart. The
      first and the last eighth of its output are dropped; the next quarters are cross-faded.
    - A streaming network takes one window after another, in a session per channel, and lags by
      its delay.

    The wave is preceded and followed by silence.

    Args:
        network: a network, TFLite file or interpolation.
        channels: number of channels of the wave; each is restored separately.
        rate: rate in Hz of the network's input.
        window: samples per window of a network with a limited context, by default about `WINDOW`,
            or `LIVE` contexts. Of a network that takes certain lengths only, the next longer one.
        peak: of the whole wave, if it is known.
        band_end_hz: where the band of the wave that is kept ends, if one is.

    Raises:
        UserError: the network cannot take such windows.
    """

    def __init__(
        self,
        network: Restorer,
        channels: int,
        rate: float,
        window: int | None = None,
        peak: float | None = None,
        band_end_hz: float | None = None,
    ) -> None:
        self._name, self._factor = network.name, network.factor
        self._grid = grid(network, window)
        fade = self._factor * self._grid.fade
        fade_in = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / max(1, fade)) ** 2
        flat = np.ones(self._factor * (self._grid.hop - self._grid.fade))
        self._weights = np.concatenate([fade_in, flat, fade_in[::-1]]).astype(np.float32)
        # Input samples of silence before sample zero, and output samples to drop.
        self._before = self._grid.lead + self._grid.fade
        self._skip = fade
        self.latency = (self._grid.window - self._grid.lead) / rate
        # Each session restores an equal share of the channels.
        count = channels if network.streaming else 1
        recording = Recording(channels // count, peak, band_end_hz)
        self._sessions = [network.session(recording) for _ in range(count)]
        if network.streaming:
            assert network.context is not None
            # States start as zeros; after `context` samples of silence they are those of silence.
            self._before = math.ceil(network.context / self._grid.hop) * self._grid.hop
            self._skip = self._factor * self._before + network.delay
            self.latency += network.delay / (self._factor * rate)
        self._pending = np.zeros((channels, self._before), np.float32)
        self._tail = np.zeros((channels, fade), np.float32)
        self._taken = self._made = 0
        self._at_once = max(1, SAMPLES_AT_ONCE // (self._grid.window * channels))

    @property
    def emitted(self) -> int:
        """The number of samples returned so far."""
        return max(0, self._made - self._skip)

    def push(self, wave: np.ndarray) -> np.ndarray:
        """Takes a chunk (channels, n) and returns the output of all complete windows."""
        self._taken += wave.shape[1]
        return self._run(wave)

    def flush(self) -> np.ndarray:
        """Returns the rest of the output."""
        hop = self._grid.hop
        count = math.ceil((self._factor * self._taken + self._skip) / (self._factor * hop))
        total = (count - 1) * hop + self._grid.window - self._before
        missing = self._factor * self._taken - self.emitted
        silence = np.zeros((len(self._pending), max(0, total - self._taken)), np.float32)
        return self._run(silence)[:, :missing]

    def _run(self, wave: np.ndarray) -> np.ndarray:
        self._pending = np.concatenate([self._pending, wave], axis=1)
        count = max(0, (self._pending.shape[1] - self._grid.window) // self._grid.hop + 1)
        chunks = [np.zeros((len(wave), 0), np.float32)]
        start = 0
        while start < count:
            # A network is compiled for each batch size, so only powers of four are used.
            size = 4 ** ((min(count - start, self._at_once).bit_length() - 1) // 2)
            chunks.append(self._restore(start, size))
            start += size
        self._pending = self._pending[:, count * self._grid.hop :]
        restored = np.concatenate(chunks, axis=1)
        skipped = max(0, self._skip - self._made)
        self._made += restored.shape[1]
        return restored[:, skipped:]

    def _restore(self, start: int, count: int) -> np.ndarray:
        """Restores `count` windows from window `start` on, to (channels, factor count hop)."""
        window, hop = self._grid.window, self._grid.hop
        channels = len(self._pending)
        # (channels, count, window)
        windows = np.lib.stride_tricks.sliding_window_view(self._pending, window, axis=1)
        windows = windows[:, start * hop :: hop][:, :count]
        shares = windows.reshape(len(self._sessions), -1, window, 1)
        output = [
            session.restore(share) for session, share in zip(self._sessions, shares, strict=True)
        ]
        lead, fade = self._factor * self._grid.lead, self._factor * self._grid.fade
        hop *= self._factor
        # (channels, count, factor window) to (channels, count, hop + fade)
        output = np.asarray(output, np.float32).reshape(channels, count, -1)
        kept = output[:, :, lead : lead + hop + fade] * self._weights
        if not np.isfinite(kept).all():
            raise NotFiniteError(
                f"the output of the network {self._name} contains NaN or infinity; use another "
                "model, or train or export this one again"
            )
        kept[:, 0, :fade] += self._tail
        kept[:, 1:, :fade] += kept[:, :-1, hop:]
        self._tail = kept[:, -1, hop:]
        return kept[:, :, :hop].reshape(channels, -1)


def whole_window(network: Restorer, n: int) -> int | None:
    """Returns the window for a wave that need not be restored while it arrives.

    Args:
        network: a network, TFLite file or interpolation.
        n: samples of the wave, at the rate of the network's input.

    Returns:
        samples per window, at most `WHOLE` contexts; None, the default, if the context is short.
    """
    context = network.context or 0
    if len(network.windows) > 1:
        return min(
            reversed(network.windows),
            key=lambda window: math.ceil(n / (window - 2 * context)) * window,
        )
    if WHOLE * context <= WINDOW:
        return None
    window = context * min(WHOLE, math.ceil(n / context) + 2)
    return math.ceil(window / network.multiple) * network.multiple


def file_windows(network: Restorer) -> tuple[int, ...]:
    """Returns the windows of a TFLite file of a network with a limited context."""
    context = network.context or 0
    counts = (LIVE,) if context <= LONGEST_LIVE else IN_FILE
    return tuple(count * context for count in counts)


def grid(network: Restorer, window: int | None = None) -> Grid:
    """Returns the windows of a network.

    Args:
        network: a network, TFLite file or interpolation.
        window: samples per window of a network with a limited context, by default about `WINDOW`,
            or `LIVE` contexts. Of a network that takes certain lengths only, the next longer one.

    Raises:
        UserError: the network cannot take such windows.
    """
    if network.streaming:
        return Grid(network.windows[0], 0, 0)
    if network.context is None:
        assert network.patch is not None
        return Grid(network.patch, network.patch // 8, network.patch // 4)
    if network.windows:
        if window is not None and (not isinstance(window, Integral) or window < 1):
            lengths = ", ".join(map(str, network.windows))
            raise UserError(
                f"window of {window!r} samples: must be a whole number above 0; this file has "
                f"windows of {lengths}"
            )
        longer = (each for each in network.windows if each >= (window or 0))
        window = next(longer, network.windows[-1])
    elif window is None:
        window = max(WINDOW, LIVE * network.context)
        window -= window % network.multiple
    if (
        not isinstance(window, Integral)
        or window % network.multiple
        or not 2 * network.context < window <= LONGEST_WINDOW
    ):
        raise UserError(
            f"window of {window} samples: this network takes multiples of {network.multiple} "
            f"above {2 * network.context} and up to {LONGEST_WINDOW}"
        )
    return Grid(window, network.context, 0)
