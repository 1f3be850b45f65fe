"""Augmentation: random changes of the training data, different in every epoch."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy  # loads scipy.signal, which takes most of a second, when it is used

from ..audio import Ratio
from ..command import UserError
from . import degrade
from .band_limit import limit_band
from .low_pass import filter_for_training

SPEED_STEP = 0.05
MAX_SPEED_PERTURBATION = 0.5
# Twice this is more than the range of 24 bits.
MAX_GAIN_DB = 100


@dataclass(frozen=True)
class Augmentation:
    """The changes that `pipeline.patches` makes to training data. The default makes none.

    Args:
        silence_rms: frames of 256 samples with a lower RMS are dropped (`pipeline.drop_silence`);
            0 keeps all. Not random.
        peak_db: each patch is scaled to this peak, in dB relative to 1, from -100 to 0. Its low
            side is scaled on its own, so that the levels of the two differ. None keeps the levels.
            Not random.
        gain_db: each patch is amplified or attenuated by at most this many dB, from 0 to 100.
        random_lowpass: fraction of the recordings whose low side is made again with a random filter
            (`decimate_randomly`), from 0 to 1.
        random_band: whether all low sides are made again, at the high rate, as random recordings
            of limited band (`band_limit.limit_band`); the fraction `random_lowpass` of them with
            the filters of AudioSR (`low_pass.filter_for_training`).
        speed_perturbation: each recording is sped up by a random fraction from 0 to this, in
            steps of 0.05 (`speed_up`); a multiple of 0.05, at most 0.5.

    Raises:
        UserError: a value is out of range.
    """

    silence_rms: float = 0.0
    peak_db: float | None = None
    gain_db: float = 0.0
    random_lowpass: float = 0.0
    random_band: bool = False
    speed_perturbation: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.silence_rms < 1:
            raise UserError(f"silence_rms {self.silence_rms} is not from 0 to below 1")
        if self.peak_db is not None and not -MAX_GAIN_DB <= self.peak_db <= 0:
            raise UserError(f"peak_db {self.peak_db} is not from -{MAX_GAIN_DB} to 0, or none")
        if not 0 <= self.gain_db <= MAX_GAIN_DB:
            raise UserError(f"gain_db {self.gain_db} is not from 0 to {MAX_GAIN_DB}")
        if not 0 <= self.random_lowpass <= 1:
            raise UserError(f"random_lowpass {self.random_lowpass} is not from 0 to 1")
        in_range = 0 <= self.speed_perturbation <= MAX_SPEED_PERTURBATION
        if not in_range or abs(self.speed_perturbation - self.speed_steps * SPEED_STEP) > 1e-9:
            raise UserError(
                f"speed_perturbation {self.speed_perturbation} is not a multiple of {SPEED_STEP} "
                f"from 0 to {MAX_SPEED_PERTURBATION}"
            )

    @property
    def speed_steps(self) -> int:
        """The largest number of 5 % steps by which a recording is sped up."""
        return round(self.speed_perturbation / SPEED_STEP)

    @property
    def changes_waves(self) -> bool:
        """Whether `perturb` may change a wave."""
        return self.random_lowpass > 0 or self.speed_perturbation > 0

    def perturb(
        self,
        high: np.ndarray,
        low: np.ndarray,
        protocol: degrade.Protocol,
        ratio: Ratio,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Speeds a recording up, or filters its low side, or both, at random.

        With `random_band`, the low side stays as it is, since `pipeline.patches` makes it again.

        Args:
            high: shape (n,).
            low: shape (n / ratio,).
            protocol: makes the low side of a faster recording, unless a random filter does.
            ratio: the high rate over the low rate.
            rng: draws the changes.

        Returns:
            high (m,), m at most n, and low (m / ratio,).
        """
        steps = int(rng.integers(0, self.speed_steps, endpoint=True))
        if steps:
            high = degrade.crop(speed_up(high, steps), ratio)
        if self.random_band:
            return high, low
        if rng.random() < self.random_lowpass:
            low = decimate_randomly(high, ratio, rng)
        elif steps:
            low = protocol.down(high, ratio)
        return high, low

    def limit(self, high: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
        """Makes a low side at the high rate, with `random_band`.

        Args:
            high: shape (n,).
            sample_rate: in Hz, at least 16000.
            rng: draws the kind of the recording.

        Returns:
            float32 of shape (n,).
        """
        if self.random_lowpass and rng.random() < self.random_lowpass:
            return filter_for_training(high, sample_rate, rng)
        return limit_band(high, sample_rate, rng)


NO_AUGMENTATION = Augmentation()


def decimate_randomly(wave: np.ndarray, ratio: Ratio, rng: np.random.Generator) -> np.ndarray:
    """Applies a random low-pass filter without lag and keeps every r-th sample.

    No paper does this. A network trained on one filter learns to invert that filter, and fails on
    low-rate waves of other resamplers. Half of the filters are Chebyshev I, run forwards and
    backwards; half are windowed sincs (Kaiser). Their cutoffs lie between 0.6 and 1 times the low
    band.

    Args:
        wave: shape (n,), n a multiple of the ratio.
        ratio: a whole number from 2 to 12.
        rng: draws the filter.

    Returns:
        float32 of shape (n / ratio,).
    """
    whole = degrade.check_whole(ratio, "random_lowpass")
    if rng.random() < 0.5:
        order, ripple, cutoff = rng.integers(6, 13), rng.uniform(0.02, 0.5), rng.uniform(0.6, 0.95)
        sections = scipy.signal.cheby1(order, ripple, cutoff / whole, output="sos")
        # SciPy needs more than 39 samples to filter in both directions.
        padded = np.pad(wave.astype(np.float64), (0, max(0, 64 - len(wave))))
        filtered = scipy.signal.sosfiltfilt(sections, padded)[: len(wave)]
    else:
        taps, beta, cutoff = rng.integers(16, 65), rng.uniform(4.0, 10.0), rng.uniform(0.7, 1.0)
        kernel = scipy.signal.firwin(2 * taps * whole + 1, cutoff / whole, window=("kaiser", beta))
        filtered = scipy.signal.oaconvolve(wave, kernel)[taps * whole :]
    return filtered[: len(wave) : whole].astype(np.float32)


def speed_up(wave: np.ndarray, steps: int) -> np.ndarray:
    """Speeds a wave up by 5 % per step, which raises its pitch and its formants.

    One voice thus becomes several.

    Source: Ko et al. 2015, "Audio augmentation for speech recognition".

    Deviations: they also make waves slower, which would empty the top of the band, where the
    network has to learn levels. An anti-aliasing filter would empty it too; without one, the
    content beyond the band folds back and fills the roll-off.

    Args:
        wave: shape (n,).
        steps: at least 1.

    Returns:
        float32 of shape (m,), m about n / (1 + 0.05 steps).
    """
    up, down = Fraction(20, 20 + steps).as_integer_ratio()
    kernel = scipy.signal.firwin(2 * 32 * up + 1, 1 / up, window=("kaiser", 5.0))
    return scipy.signal.resample_poly(wave, up, down, window=kernel).astype(np.float32)
