"""Picks the model that fits a recording."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from threading import Lock

from ..command import UserError
from ..models import pretrained
from ..models.record import Record
from .loading import check, load
from .upsampler import Upsampler

# The models if the user names none: speech of any band at low rates, any sound at high ones.
DEFAULTS = ("speech", "fullband")

# The limits of a recording's bandwidth, relative to a model's low band. Above the upper limit, the
# content is more than the slope of a filter. Below the lower limit, a hole remains between the
# recording's band and the model's high band.
WIDEST, NARROWEST = 1.1, 0.5
# The end of a recording's band may be measured too high by this much: recordings from 2 kHz, stored
# at 16 kHz, end at 1031 to 1250 Hz.
SLACK_HZ = 250.0
# Nobody hears what is above.
HIGHEST_HZ = 20000.0
# A recording whose content reaches this fraction of a model's whole band lacks nothing that a model
# for one low rate could restore.
COMPLETE = 0.95


class Candidate:
    """A model that may fit, loaded when a recording needs it.

    Args:
        name: the model's name.
        low_rate: the model's low rate in Hz.
        sample_rate: the model's high rate in Hz.
        load: loads the model.
        band_hz: where the band of a recording may end, in Hz: the lowest and the highest frequency;
            None if it ends at half the low rate.
        is_vocoder: whether the model makes any recording anew, whatever its band.

    All arguments but `load` are also attributes.
    """

    def __init__(
        self,
        name: str,
        low_rate: float,
        sample_rate: int,
        load: Callable[[], Upsampler],
        band_hz: tuple[float, float] | None = None,
        is_vocoder: bool = False,
    ) -> None:
        self.band_hz, self.is_vocoder = band_hz, is_vocoder
        self.name, self.low_rate, self.sample_rate = name, low_rate, sample_rate
        self._load = load
        self._upsampler: Upsampler | None = None
        self._lock = Lock()

    @property
    def upsampler(self) -> Upsampler:
        """The model, loaded on the first access."""
        with self._lock:
            if self._upsampler is None:
                self._upsampler = self._load()
            return self._upsampler

    def fits(self, band_hz: float) -> bool:
        """Whether a recording lacks what the model restores, by where its content ends."""
        if self.is_vocoder:
            return True
        if self.band_hz is None:
            half = self.low_rate / 2
            return NARROWEST * half <= band_hz <= max(WIDEST * half, half + SLACK_HZ)
        # Also beyond the limits of the training: no other network would be better there.
        return band_hz < min(self.sample_rate / 2, HIGHEST_HZ)

    def is_trained_for(self, band_hz: float) -> bool:
        """Whether a recording that fits has a band that the model met in its training."""
        return self.band_hz is None or self.distance_hz(band_hz) == 0

    def distance_hz(self, band_hz: float) -> float:
        """Returns how far the content of a recording ends from the model's low band."""
        lowest, highest = self.band_hz or (self.low_rate / 2, self.low_rate / 2)
        return max(lowest - band_hz, band_hz - highest, 0.0)


def candidates(
    models: Sequence[str],
    sample_rate: int,
    ratio: str | float | Fraction,
    vocoder: str | None = None,
) -> list[Candidate]:
    """Lists the models to pick from.

    Args:
        models: names or paths as `load` takes them; if empty, `DEFAULTS`.
        sample_rate: the high rate in Hz of interpolations.
        ratio: the high rate over the low rate of interpolations, as `load` takes it.
        vocoder: of all models, as `load` takes it.

    Raises:
        UserError: one of the models cannot be loaded, or does not take the vocoder.
    """
    if not models:
        return [_shipped(name) for name in DEFAULTS]
    for model in models:
        check(model)
    # Loaded at once, so that damaged files are found before anything is restored.
    upsamplers = [load(model, sample_rate, ratio, vocoder) for model in models]
    return [
        Candidate(
            each.name,
            each.low_rate,
            each.sample_rate,
            lambda each=each: each,
            each.band_hz,
            each.is_vocoder,
        )
        for each in upsamplers
    ]


def pick(
    models: Sequence[Candidate], band_hz: float, sample_rate: float, force: bool = False
) -> Upsampler:
    """Picks the model whose low band ends where the recording's band ends.

    The band of a recording at 6 kHz and of the same recording at 8 kHz ends at 3 kHz, so the rate
    does not tell which models fit. Among those that fit, one that would lower the rate of the
    recording comes last.

    Args:
        models: the models to pick from.
        band_hz: the frequency where the recording's content ends; 0 for silence.
        sample_rate: rate of the recording in Hz.
        force: pick the nearest model even if none fits.

    Raises:
        UserError: no model fits.
    """

    def rank(each: Candidate) -> tuple[float, ...]:
        rate = min(each.sample_rate, sample_rate)
        return not each.is_trained_for(band_hz), -rate, each.low_rate

    # Silence has no band: any model will do.
    if fitting := [each for each in models if each.fits(band_hz) or not band_hz]:
        return min(fitting, key=rank).upsampler
    nearest = min(models, key=lambda each: each.distance_hz(band_hz))
    if force:
        return nearest.upsampler
    low_band_hz = nearest.low_rate / 2
    shipped = next((name for name in DEFAULTS if _shipped(name).fits(band_hz)), None)
    if band_hz >= min(COMPLETE * nearest.sample_rate / 2, HIGHEST_HZ):
        raise UserError(
            f"already has content up to {band_hz:.0f} Hz; there is nothing for {nearest.name} to "
            "restore" + (f"; use --model={shipped}" if shipped else "")
        )
    advice = (
        f"use --model={shipped}"
        if shipped
        else f"no shipped network fits; train one with a low rate near {2 * band_hz:.0f} Hz"
    )
    if band_hz > low_band_hz:
        raise UserError(
            f"has content up to {band_hz:.0f} Hz, and {nearest.name} replaces everything above "
            f"{low_band_hz:.0f} Hz; {advice}, or --force"
        )
    raise UserError(
        f"its content ends at {band_hz:.0f} Hz, and {nearest.name} restores only what is above "
        f"{low_band_hz:.0f} Hz, which leaves a hole; {advice}, or --force"
    )


def _shipped(name: str) -> Candidate:
    # `pretrained.find` would read all of its files to check them; `load` does so when needed.
    record = Record.read(pretrained.WEIGHTS / name)
    return Candidate(name, record.low_rate, record.sample_rate, lambda: load(name), record.band_hz)
