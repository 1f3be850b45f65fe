"""Upsampling of whole waves and streams. Every command applies models through this module."""

import numpy as np

from .. import audio
from ..audio import Ratio, interpolate, measure
from ..audio.bandwidth import Band
from ..command import UserError
from ..models.restorer import Restorer
from .checks import MAX_CHANNELS, check_model, check_rate, check_samples
from .settings import Settings
from .stream import Stream
from .windows import SAMPLES_AT_ONCE, whole_window

# Long waves are restored in chunks of this length.
CHUNK_SECONDS = 20


class Upsampler:
    """Brings waves of any rate and length to a model's high rate and restores their high band.

    A wave is resampled to the model's low rate, interpolated to its high rate unless the network
    takes the low rate, and passed through the network in windows on a fixed grid that starts at
    sample zero (see `windows.Windows`). The wave flows through these stages in chunks: the output
    has no seams and does not depend on the length of the wave or on how it was chunked.

    `upsample.load` makes one from a name or a path.

    Args:
        network: a network or an `Interpolation`.
        sample_rate: the high rate in Hz.
        ratio: the high rate over the low rate: a whole number, or a quotient if the network wants
            an interpolated input. With 1, the network takes waves of any band at the high rate, as
            a vocoder must.
        interpolation: how the wave is brought from the low to the high rate, a key of
            `audio.interpolate.METHODS`; unused if the network wants the wave at the low rate.
        name: the model's name in messages; by default the network's name.

    The arguments are also attributes.

    Raises:
        UserError: there is no such interpolation, the rate or the ratio is out of range, or the
            network does not take the rate or the ratio.

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
        ratio = audio.quotient(ratio)
        check_model(sample_rate, ratio)
        if network.wants == "high" and ratio != 1:
            raise UserError(f"ratio {ratio}: {network.name} is a vocoder, which has a ratio of 1")
        if ratio.denominator != 1 and network.wants == "low":
            raise UserError(f"ratio {ratio}: {network.name} needs a whole number")
        self.network, self.interpolation = network, interpolation
        self.sample_rate, self.ratio = sample_rate, ratio
        self.name = name or network.name

    @property
    def low_rate(self) -> float:
        """The rate in Hz that the model takes.

        The low band ends at half this rate, except for a model with `band_hz`.
        """
        return float(self.sample_rate / self.ratio)

    @property
    def band_hz(self) -> tuple[float, float] | None:
        """Where the band of a recording may end, in Hz: the lowest and the highest frequency.

        None if the model takes one low rate, and the band ends at half of it.
        """
        return self.network.band_hz if self.ratio == 1 else None

    @property
    def is_vocoder(self) -> bool:
        """Whether the model makes the whole wave anew, and keeps no part of it."""
        return self.network.wants == "high"

    def upsample(
        self,
        wave: np.ndarray,
        sample_rate: float,
        keep_low_band: bool = Settings.keep_low_band,
        output_rate: int | None = None,
    ) -> tuple[np.ndarray, int]:
        """Upsamples a wave. The output is aligned with it to the sample.

        Args:
            wave: float in [-1, 1], shape (n,) or (n, channels).
            sample_rate: rate of the wave in Hz. Content above half the model's low rate is
                replaced; with `band_hz`, content above the wave's own band.
            keep_low_band: keep the wave's own band unchanged, through a linear-phase crossover,
                instead of taking it from the network. With `band_hz`, only the band that the
                filters of the recording did not weaken is kept (see `audio.pass_band`). A vocoder
                keeps nothing.
            output_rate: rate of the output in Hz, to which the restored wave is resampled; None
                for the model's high rate.

        Returns:
            float32 of shape (m,) or (m, channels), where m is n times the quotient of the rates,
            and the rate of the output in Hz.

        Raises:
            UserError: the wave is empty, has another shape, contains integers, NaN, infinity or
                samples far above 1, its rate is out of range, or the network's output is not
                finite.
        """
        wave = check_samples(wave)
        if wave.ndim not in (1, 2) or (wave.ndim == 2 and not 1 <= wave.shape[1] <= MAX_CHANNELS):
            raise UserError(
                f"wave of shape {wave.shape}: must be (n,) or (n, channels) with 1 to "
                f"{MAX_CHANNELS} channels; reshape or transpose it"
            )
        if len(wave) == 0:
            raise UserError("the recording is empty")
        check_rate("sample_rate", sample_rate)
        keep_from_hz, keep_hz = 0.0, None
        if keep_low_band:
            keep_from_hz, keep_hz = self.kept(measure.wave_band(wave, sample_rate))
        stream = self.stream(
            sample_rate,
            wave.shape[1] if wave.ndim == 2 else None,
            keep_hz,
            self.window(len(wave), sample_rate),
            keep_from_hz,
            float(np.abs(wave).max()),
            output_rate,
        )
        # In chunks, so that the windows of a long wave need little memory.
        n = round(CHUNK_SECONDS * sample_rate)
        chunks = [stream.push(wave[start : start + n]) for start in range(0, len(wave), n)]
        return np.concatenate([*chunks, stream.flush()]), output_rate or self.sample_rate

    def length(self, n: int, sample_rate: float, output_rate: int | None = None) -> int:
        """Returns the number of samples that `upsample` makes of a wave of n samples."""
        restored = audio.resampled_length(n, sample_rate, self.sample_rate)
        return audio.resampled_length(restored, self.sample_rate, output_rate or self.sample_rate)

    @property
    def chunk_seconds(self) -> float:
        """Seconds of a wave after which it is worth showing progress."""
        patch = self.network.patch or 0
        # Such windows are restored one by one.
        if patch <= SAMPLES_AT_ONCE:
            return CHUNK_SECONDS
        return min(CHUNK_SECONDS, patch / 2 / self.low_rate)

    def cost(self) -> float | None:
        """Measures how many seconds a slow model takes for a second of a wave; None for others."""
        measure = getattr(self.network, "cost", None)
        return measure() if measure else None

    def kept(self, band: Band) -> tuple[float, float]:
        """Returns `keep_from_hz` and `keep_hz` of a `stream` for a recording with this band.

        A model with `band_hz` restores what the filters of the recording weakened. One for a single
        low rate knows what its own filter weakens.
        """
        return (0.0, band.end_hz) if self.band_hz is None else (band.lowest_hz, band.highest_hz)

    def window(self, n: int, sample_rate: float) -> int | None:
        """Returns the window of a `stream` for a wave of n samples that need not be live."""
        rate = self.sample_rate if self.network.wants == "interpolated" else self.low_rate
        return whole_window(self.network, audio.resampled_length(n, sample_rate, rate))

    def stream(
        self,
        sample_rate: float,
        channels: int | None = None,
        keep_hz: float | None = None,
        window: int | None = None,
        keep_from_hz: float = 0.0,
        peak: float | None = None,
        output_rate: int | None = None,
    ) -> Stream:
        """Starts a wave that arrives in chunks.

        By default, the whole output comes from the network, as with `keep_low_band=False` in
        `upsample`. `upsample` itself keeps the band that it measures in the whole wave; a stream
        does not know the whole wave, so the caller names the band with `keep_hz`.

        Args:
            sample_rate: rate of the wave in Hz.
            channels: number of channels of chunks (n, channels), up to 64; None for chunks (n,).
            keep_hz: where the band of the wave ends, in Hz. A crossover takes everything below
                from the wave itself, but at most 95 % of half the wave's rate or of half the
                model's low rate, above which both paths roll off. 0 means these 95 %. None takes
                everything from the network. The crossover adds 50 / low_rate seconds to the
                latency: 12.5 ms at 4 kHz. With `band_hz`, it adds 25 / keep_hz seconds.
            window: samples per window of a network with a limited context, by default about 32768,
                or four contexts if they are longer. Of a TFLite file, the next longer one that it
                has, by default its shortest. The network waits for a whole window less its context.
                Shorter windows reduce this latency and cost more computation, since the context of
                every window is computed again; the output is the same.
            keep_from_hz: where the band of the wave begins, in Hz: about 200 to 300 after a
                telephone. The crossover takes what is below from the network, which should have
                `band_hz`; its slope is 100 Hz wide. This raises the latency of the crossover to at
                least 25 ms.
            peak: the largest magnitude of the whole wave, if it is known. AudioSR brings all of the
                wave to the same level with it; other networks ignore it.
            output_rate: as in `upsample`. Resampling adds to the latency.

        A vocoder makes the whole wave, whatever band is to be kept.

        Raises:
            UserError: one of the arguments is out of range, or the network cannot take such a
                window.
        """
        check_rate("sample_rate", sample_rate)
        if output_rate is not None:
            check_rate("output_rate", output_rate)
        return Stream(
            self.network,
            self.interpolation,
            rates=(sample_rate, self.low_rate, self.sample_rate),
            ratio=self.ratio,
            channels=channels,
            keep_hz=None if self.is_vocoder else keep_hz,
            keep_from_hz=keep_from_hz,
            window=window,
            peak=peak,
            band_hz=self.band_hz,
            output_rate=output_rate,
        )
