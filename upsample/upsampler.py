"""The one way in which a model is applied to a wave."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data_gen import audio, interpolate, measure
from ..data_gen.command import UserError
from ..models import pretrained
from .stream import Stream
from .windows import WINDOW

if TYPE_CHECKING:
    import keras

    from .tflite import TFLiteNetwork

# Of a wave that is restored at once.
PIECE_SECONDS = 20


def weights_file(run: Path) -> tuple[Path, Path]:
    """Finds a run's folder and its best weights, or those of a file that is named in it.

    Where there is no such path, it may be a network that comes with the package.

    Raises:
        UserError: it is no run folder, or a TFLite file, or the run has no weights yet.
    """
    name = run
    if not run.exists() and str(run) in pretrained.names():
        run = pretrained_path(str(run))
    if run.suffix == ".tflite":
        raise UserError(f"{name}: a TFLite file, which has no weights for Keras; name a run")
    folder, weights = (run, run / "best.weights.h5") if run.is_dir() else (run.parent, run)
    if not (folder / "run.json").is_file():
        raise UserError(f"{run}: no run folder, nor a weights file in one (run.json is missing)")
    if not weights.is_file():
        raise UserError(f"{weights}: there is no such file; has the run finished an epoch?")
    return folder, weights


def pretrained_path(name: str) -> Path:
    """Finds a trained network that comes with the package: a run folder or a TFLite file.

    Raises:
        UserError: there is none of this name, or it is damaged.
    """
    try:
        return pretrained.find(name)
    except ValueError as error:
        raise UserError(str(error)) from error


class Upsampler:
    """Brings waves of any rate and length to a model's high rate and restores their treble.

    A wave is resampled to the model's low rate, interpolated to its high rate unless the network
    wants it at its low rate, and run through the network in windows on a fixed grid that starts at
    sample zero (see `windows.Windows`). All of it flows in pieces: the result has no seams, and
    does not depend on the length of the wave nor on how it was cut.

    Args:
        model: a network, or the name of an interpolation (`interpolate.METHODS`) as a baseline.
        sample_rate: the high rate in Hz.
        ratio: the high rate over the low rate.
        interpolation: how the network's input is brought to the high rate, if it wants that.
        name: what messages call it; by default the network's name.

    Example:
        >>> upsampler = Upsampler.from_pretrained("speech-4x")
        >>> restored, sample_rate = upsampler.upsample(wave, 4000)
    """

    def __init__(
        self,
        model: "keras.Model | TFLiteNetwork | str",
        sample_rate: int = 16000,
        ratio: int = 4,
        interpolation: str = "spline",
        name: str | None = None,
    ) -> None:
        self.network = None if isinstance(model, str) else model
        self.interpolation = model if isinstance(model, str) else interpolation
        interpolate.get(self.interpolation)
        self.name = name or (model if isinstance(model, str) else str(model.name))
        self.sample_rate = sample_rate
        self.ratio = ratio

    @classmethod
    def from_pretrained(cls, name: str) -> "Upsampler":
        """Loads a trained network that comes with the package.

        Args:
            name: one of `models.pretrained.names()`; `python -m wideband.models` lists them.

        Raises:
            UserError: there is none of this name, or a file of it is damaged.
        """
        path = pretrained_path(name)
        upsampler = cls.from_tflite(path) if path.suffix == ".tflite" else cls.from_run(path)
        upsampler.name = name
        return upsampler

    @classmethod
    def from_run(cls, run: Path | str) -> "Upsampler":
        """Loads the best network of a run folder, or the one of a weights file inside it.

        Raises:
            UserError: it is no run folder, or the run has no weights yet.
        """
        from .. import models
        from ..data_gen import degrade

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
        return cls(network, recipe["sample_rate"], recipe["ratio"], interpolation, str(run))

    @classmethod
    def from_tflite(cls, path: Path | str, threads: int = 1) -> "Upsampler":
        """Loads a file of wideband-export, for which TensorFlow is not needed.

        Raises:
            UserError: it is no such file, or ai-edge-litert is missing.
        """
        from .tflite import TFLiteNetwork

        network = TFLiteNetwork(path, threads)
        facts = network.facts
        return cls(network, facts.sample_rate, facts.ratio, facts.interpolation, str(path))

    @property
    def low_rate(self) -> float:
        """The rate in Hz that the model takes; the input's band ends at half of it."""
        return self.sample_rate / self.ratio

    def check_rate(self, sample_rate: float) -> None:
        """Raises a UserError for a rate in Hz below what the model takes."""
        if sample_rate < self.low_rate:
            raise UserError(
                f"the recording's rate of {sample_rate:g} Hz is below the {self.low_rate:g} Hz "
                f"that this model takes; use a model of a lower rate"
            )

    def upsample(
        self, wave: np.ndarray, sample_rate: float, keep_low_band: bool = False
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
        return Stream(self, sample_rate, channels, keep_hz, window)
