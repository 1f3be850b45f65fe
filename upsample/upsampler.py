"""The one way in which a model is applied to a wave."""

import numpy as np

from .. import audio
from ..audio import Ratio, interpolate, measure
from ..command import UserError
from ..models.restorer import Restorer
from .stream import Stream
from .windows import WINDOW

# Length of the pieces in which a long wave is restored.
PIECE_SECONDS = 20


class Upsampler:
    """Brings waves of any rate and length to a model's high rate and restores their treble.

    A wave is resampled to the model's low rate, interpolated to its high rate unless the network
    wants it at its low rate, and run through the network in windows on a fixed grid that starts at
    sample zero (see `windows.Windows`). All of it flows in pieces: the result has no seams, and
    does not depend on the length of the wave nor on how it was cut.

    `upsample.load` makes one from a name or a path.

    Args:
        network: what restores; an `Interpolation` is a baseline.
        sample_rate: the high rate in Hz.
        ratio: the high rate over the low rate.
        interpolation: how the low-rate wave is brought to the high rate, a key of
            `audio.interpolate.METHODS`, if the network wants that.
        name: what messages call it; by default the network's name.

    Attributes:
        network: as given, and likewise the other arguments.

    Example:
        >>> restored, sample_rate = load("speech-4x").upsample(wave, 4000)
    """

    def __init__(
        self,
        network: Restorer,
        sample_rate: int,
        ratio: Ratio,
        interpolation: str,
        name: str | None = None,
    ) -> None:
        interpolate.get(interpolation)
        self.network, self.interpolation = network, interpolation
        self.sample_rate, self.ratio = sample_rate, ratio
        self.name = name or network.name

    @property
    def low_rate(self) -> float:
        """The rate in Hz that the model takes; the input's band ends at half of it."""
        return float(self.sample_rate / self.ratio)

    def check_rate(self, sample_rate: float) -> None:
        """Raises a UserError for a rate in Hz below what the model takes."""
        if sample_rate < self.low_rate:
            raise UserError(
                f"the recording's rate of {sample_rate:g} Hz is below the {self.low_rate:g} Hz "
                f"that this model takes; use a model of a lower rate"
            )

    def upsample(
        self, wave: np.ndarray, sample_rate: float, keep_low_band: bool = True
    ) -> tuple[np.ndarray, int]:
        """Restores the treble of a wave, in step with it to the sample.

        Args:
            wave: float in [-1, 1], shape (n,) or (n, channels).
            sample_rate: of the wave, in Hz; at least the model's low rate. What it holds above
                half the low rate is replaced.
            keep_low_band: takes the band that the wave has from the wave itself, by a crossover
                of linear phase, instead of the network's version of it.

        Returns:
            float32 of shape (m,) or (m, channels), m being n times the rates' quotient, and the
            model's high rate in Hz.

        Raises:
            UserError: the wave is empty, holds NaN or infinity, or its rate is too low.
        """
        if len(wave) == 0:
            raise UserError("the recording is empty")
        keep_hz = None
        if keep_low_band:
            keep_hz = measure.wave_bandwidth_hz(audio.mono(wave), round(sample_rate))
        stream = self.stream(sample_rate, wave.shape[1] if wave.ndim == 2 else None, keep_hz)
        # In pieces, so that the windows of long waves need no memory of their own.
        step = round(PIECE_SECONDS * sample_rate)
        pieces = [stream.push(wave[start : start + step]) for start in range(0, len(wave), step)]
        return np.concatenate([*pieces, stream.flush()]), self.sample_rate

    def stream(
        self,
        sample_rate: float,
        channels: int | None = None,
        keep_hz: float | None = None,
        window: int = WINDOW,
    ) -> Stream:
        """Begins a wave that comes piece by piece.

        Args:
            sample_rate: of the wave, in Hz.
            channels: of the pieces (n, channels), or None for pieces (n,).
            keep_hz: where the band ends that the wave has, and that is taken from it unchanged; 0
                if that is not known. None leaves all to the network.
            window: samples that a network of limited context sees at once. Fewer make the stream
                lag less, and cost more; the outcome is the same.

        Raises:
            UserError: the rate is below what the model takes, or the window will not do.
        """
        self.check_rate(sample_rate)
        return Stream(
            self.network,
            self.interpolation,
            rates=(sample_rate, self.low_rate, self.sample_rate),
            ratio=self.ratio,
            channels=channels,
            keep_hz=keep_hz,
            window=window,
        )
