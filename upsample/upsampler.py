"""The one way in which a model is applied to a wave."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data_gen import audio, degrade, interpolate
from ..data_gen.command import UserError

if TYPE_CHECKING:
    import keras

# Samples that a network sees at once, its context included, and windows at once.
WINDOW = 32768
WINDOWS_AT_ONCE = 8

# Low samples by which a wave is mirrored past its end.
END_SAMPLES = 32


def weights_file(run: Path) -> tuple[Path, Path]:
    """Finds a run's folder and its best weights, or those of a file that is named in it.

    Raises:
        UserError: it is no run folder, or the run has no weights yet.
    """
    folder, weights = (run, run / "best.weights.h5") if run.is_dir() else (run.parent, run)
    if not (folder / "run.json").is_file():
        raise UserError(f"{run}: no run folder, nor a weights file in one (run.json is missing)")
    if not weights.is_file():
        raise UserError(f"{weights}: there is no such file; has the run finished an epoch?")
    return folder, weights


class Upsampler:
    """Brings waves of any rate and length to a model's high rate and restores their treble.

    A wave is resampled to the model's low rate, interpolated to its high rate unless the network
    wants it at its low rate, and run through the network in windows on a fixed grid that starts at
    sample zero. Every window carries the network's context on either side, so the result has no
    seams and does not depend on the length of the wave.

    Args:
        model: a network, or the name of an interpolation (`interpolate.METHODS`) as a baseline.
        sample_rate: the high rate in Hz.
        ratio: the high rate over the low rate.
        interpolation: how the network's input is brought to the high rate, if it wants that.

    Example:
        >>> restored, sample_rate = Upsampler.from_run("runs/demo").upsample(wave, 4000)
    """

    def __init__(
        self,
        model: "keras.Model | str",
        sample_rate: int = 16000,
        ratio: int = 4,
        interpolation: str = "spline",
    ) -> None:
        self.network = None if isinstance(model, str) else model
        self.interpolate = interpolate.get(model if isinstance(model, str) else interpolation)
        self.sample_rate = sample_rate
        self.ratio = ratio

    @classmethod
    def from_run(cls, run: Path | str) -> "Upsampler":
        """Loads the best network of a run folder, or the one of a weights file inside it.

        Raises:
            UserError: it is no run folder, or the run has no weights yet.
        """
        from .. import models

        folder, weights = weights_file(Path(run))
        recipe = json.loads((folder / "run.json").read_text())["recipe"]
        network = models.build(recipe["model"], **recipe["arguments"])
        # XLA's one-dimensional convolutions are slower on CPUs, and it compiles for seconds.
        network.jit_compile = False
        try:
            network.load_weights(weights)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{weights}: no weights of {recipe['model']}: {error}") from error
        interpolation = degrade.get(recipe["protocol"]).interpolation
        return cls(network, recipe["sample_rate"], recipe["ratio"], interpolation)

    @property
    def low_rate(self) -> float:
        """The rate in Hz that the model takes; the input's band ends at half of it."""
        return self.sample_rate / self.ratio

    def upsample(self, wave: np.ndarray, sample_rate: float) -> tuple[np.ndarray, int]:
        """Restores the treble of a wave, in step with it to the sample.

        Args:
            wave: float in [-1, 1], shape (n,) or (n, channels).
            sample_rate: of the wave, in Hz; at least the model's low rate. What it holds above
                half the low rate is replaced.

        Returns:
            float32 of shape (m,) or (m, channels), m being n times the rates' quotient, and the
            model's high rate in Hz.

        Raises:
            UserError: the wave is empty, holds NaN or infinity, or its rate is too low.
        """
        if wave.ndim == 2:
            channels = [self.upsample(channel, sample_rate)[0] for channel in wave.T]
            return np.stack(channels, axis=1), self.sample_rate
        if len(wave) == 0:
            raise UserError("the recording is empty")
        if not np.isfinite(wave).all():
            raise UserError("the recording holds NaN or infinity; repair it first")
        if sample_rate < self.low_rate:
            raise UserError(
                f"the recording's rate of {sample_rate:g} Hz is below the {self.low_rate:g} Hz "
                f"that this model takes; use a model of a lower rate"
            )
        n = audio.resampled_length(len(wave), sample_rate, self.sample_rate)
        low = audio.resample(wave, sample_rate, self.low_rate)
        if len(low) == 0:
            low = wave[:1]
        # Mirrored past the end: a spline that has nothing to follow there runs off.
        pad = max(0, math.ceil(n / self.ratio) - len(low)) + END_SAMPLES
        low = np.pad(low, (0, pad), mode="symmetric")
        if self.network is not None and self.network.wants == "low":
            return self.restore(low)[:n], self.sample_rate
        interpolated = self.interpolate(low, self.ratio)[:n]
        return self.restore(interpolated), self.sample_rate

    def restore(self, wave: np.ndarray) -> np.ndarray:
        """Runs the network over a wave (n,), at the rate that it wants, and gives the high rate's.

        A baseline gives the wave back as it is.
        """
        if self.network is None:
            return wave
        window, context = self._window()
        hop = window - 2 * context
        count = math.ceil(len(wave) / hop)
        padded = np.zeros(count * hop + 2 * context, np.float32)
        padded[context : context + len(wave)] = wave
        # (count, window), a view
        windows = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
        # Samples out for one sample in.
        step = self.ratio if self.network.wants == "low" else 1
        restored = np.empty((count, step * hop), np.float32)
        for start in range(0, count, WINDOWS_AT_ONCE):
            some = windows[start : start + WINDOWS_AT_ONCE, :, np.newaxis]
            output = self.network.predict_on_batch(some)
            restored[start : start + WINDOWS_AT_ONCE] = output[
                :, step * context : step * (context + hop), 0
            ]
        return restored.reshape(-1)[: step * len(wave)]

    def _window(self) -> tuple[int, int]:
        """Samples that the network sees at once, and of these the context at either end."""
        assert self.network is not None
        if self.network.context is not None:
            return WINDOW, self.network.context
        # A network that sees all of its patch is given patches as in training, and of each the
        # middle half is kept.
        return self.network.patch, self.network.patch // 4
