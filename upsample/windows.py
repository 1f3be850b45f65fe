"""The network's stage of a stream: windows on a fixed grid, and how their outputs are joined."""

import math

import numpy as np

from ..command import UserError
from ..models.restorer import Restorer

# Samples that a network of limited context sees in a window, its context included.
WINDOW = 32768
# Samples of all windows that a network sees at once.
SAMPLES_AT_ONCE = 2**17


class Windows:
    """Runs a network over a wave, piece by piece, in windows on a grid that starts at sample zero.

    A network of limited context is given it on either side of what is kept of a window, so that
    there are no seams. One that sees all of its patch is given patches as in training, half a
    patch apart: their first and last eighth are dropped, and the quarters beside these are
    cross-faded. One that has states is given window after window, in a session for each channel,
    and comes late by its delay. What precedes the wave and follows it is silence.

    Args:
        network: states its factor, the multiple and context of its lengths, and its patch where
            it sees all of that (see `wideband.models`); maps (batch, window, 1) by
            `restore`. One that is `streaming` gives a `session` that does so, and states
            its delay.
        channels: of the wave; each is restored by itself.
        rate: of the network's input, in Hz.
        window: samples that a network of limited context sees at once; a network with a `window`
            attribute takes no other.

    Raises:
        UserError: the network cannot take such windows.
    """

    def __init__(self, network: Restorer, channels: int, rate: float, window: int = WINDOW) -> None:
        self._step = network.factor
        self._window, self._lead, self._fade = grid(network, window)
        self._hop = self._window - 2 * self._lead - self._fade
        fade = self._step * self._fade
        fade_in = np.sin(0.5 * np.pi * (np.arange(fade) + 0.5) / max(1, fade)) ** 2
        flat = np.ones(self._step * (self._hop - self._fade))
        self._weights = np.concatenate([fade_in, flat, fade_in[::-1]]).astype(np.float32)
        self._before = self._lead + self._fade
        # Of the output, all that lies before sample zero.
        self._skip = fade
        self.latency = (self._window - self._lead) / rate
        # What restores the channels, each an equal share of them.
        self._networks: list[Restorer] = [network]
        if network.streaming:
            self._networks = [network.session() for _ in range(channels)]
            # States begin as zeros, and are those of silence after so many samples of it.
            assert network.context is not None
            self._before = math.ceil(network.context / self._hop) * self._hop
            self._skip = self._step * self._before + network.delay
            self.latency += network.delay / (self._step * rate)
        self._pending = np.zeros((channels, self._before), np.float32)
        self._tail = np.zeros((channels, fade), np.float32)
        self._taken = self._made = 0
        self._at_once = max(1, SAMPLES_AT_ONCE // (self._window * channels))

    @property
    def given(self) -> int:
        """Samples given so far."""
        return max(0, self._made - self._skip)

    def push(self, wave: np.ndarray) -> np.ndarray:
        """Restores a piece (channels, n) as far as full windows reach."""
        self._taken += wave.shape[1]
        return self._run(wave)

    def flush(self) -> np.ndarray:
        """Restores up to the end."""
        count = math.ceil((self._step * self._taken + self._skip) / (self._step * self._hop))
        total = (count - 1) * self._hop + self._window - self._before
        owed = self._step * self._taken - self.given
        silence = np.zeros((len(self._pending), max(0, total - self._taken)), np.float32)
        return self._run(silence)[:, :owed]

    def _run(self, wave: np.ndarray) -> np.ndarray:
        self._pending = np.concatenate([self._pending, wave], axis=1)
        count = max(0, (self._pending.shape[1] - self._window) // self._hop + 1)
        pieces = [np.zeros((len(wave), 0), np.float32)]
        start = 0
        while start < count:
            # Powers of four: a network is compiled for every size of a batch.
            some = 4 ** ((min(count - start, self._at_once).bit_length() - 1) // 2)
            pieces.append(self._restore(start, some))
            start += some
        self._pending = self._pending[:, count * self._hop :]
        restored = np.concatenate(pieces, axis=1)
        skipped = max(0, self._skip - self._made)
        self._made += restored.shape[1]
        return restored[:, skipped:]

    def _restore(self, start: int, count: int) -> np.ndarray:
        """Gives (channels, count hops) from that window on."""
        channels = len(self._pending)
        # (channels, count, window)
        windows = np.lib.stride_tricks.sliding_window_view(self._pending, self._window, axis=1)
        windows = windows[:, start * self._hop :: self._hop][:, :count]
        shares = windows.reshape(len(self._networks), -1, self._window, 1)
        output = [
            network.restore(share) for network, share in zip(self._networks, shares, strict=True)
        ]
        lead, hop, fade = (self._step * n for n in (self._lead, self._hop, self._fade))
        output = np.asarray(output, np.float32).reshape(channels, count, -1)
        kept = output[:, :, lead : lead + hop + fade] * self._weights
        kept[:, 0, :fade] += self._tail
        kept[:, 1:, :fade] += kept[:, :-1, hop:]
        self._tail = kept[:, -1, hop:]
        return kept[:, :, :hop].reshape(channels, -1)


def grid(network: Restorer, window: int) -> tuple[int, int, int]:
    """Samples of a window, of its ends that are dropped, and of the fade between two windows."""
    if network.streaming:
        assert network.window is not None
        return network.window, 0, 0
    if network.context is None:
        assert network.patch is not None
        return network.patch, network.patch // 8, network.patch // 4
    window = network.window or window
    if window % network.multiple or window <= 2 * network.context:
        raise UserError(
            f"a window of {window} samples will not do: this network takes multiples of "
            f"{network.multiple} above {2 * network.context}"
        )
    return window, network.context, 0
