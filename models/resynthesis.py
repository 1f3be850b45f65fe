"""Vocoders as networks from wave to wave: a recording, its mel spectrogram, the wave from it."""

import math

import keras

from ..command import UserError
from .features import MELS, LogMel, Mel
from .griffin_lim import PERIOD
from .system import Network, Outputs


class Resynthesis(Network):
    """Makes a recording anew: (batch, n, 1) to its log mel spectrogram to (batch, n, 1).

    A subclass passes its vocoder to the constructor. All layers with weights are in the vocoder,
    the layer "vocoder".

    Args:
        vocoder: a model from (batch, frames, bands) to a wave of `MELS[mel].hop` samples per frame,
            without the last hop if frames are centred on the multiples of the hop.
        mel: what the vocoder takes, a key of `features.MELS`.
        compared: the mel spectrograms that training compares.
        reach: samples on either side of a frame on which the vocoder's output depends.
        name: the name of the Keras model.
    """

    wants = "high"

    def __init__(
        self, vocoder: keras.Model, mel: str, compared: Mel, reach: int, name: str
    ) -> None:
        wave = keras.Input((None, 1), name="high")  # (batch, n, 1)
        # (batch, frames, bands)
        features = LogMel(mel, name="analysis")(wave)
        super().__init__(wave, vocoder(features), name=name)
        own = MELS[mel]
        self.mel, self.sample_rate, self.reach = mel, own.sample_rate, reach
        self.multiple, self.context = lengths(own, reach)
        self._compared = compared

    def generate(self, low: keras.KerasTensor, high: keras.KerasTensor) -> Outputs:
        """Returns the wave that was made anew, and its mel spectrogram."""
        return self.target(self(low))

    def target(self, high: keras.KerasTensor) -> Outputs:
        """Returns the reference and its mel spectrogram."""
        return {"wave": high, "mel": LogMel(self._compared)(high)}


def lengths(mel: Mel, reach: int, grid: int = PERIOD) -> tuple[int, int]:
    """Returns the `multiple` and the `context` of a network that goes through a mel spectrogram.

    Args:
        mel: the mel spectrogram.
        reach: samples on either side of a frame on which the output depends.
        grid: the hops of a wave must be a multiple of this number, which must be a multiple of the
            period of Griffin-Lim's phases.
    """
    # A wave must be longer than the part that is mirrored.
    shortest = mel.mirrored + 1 if mel.padding == "same" else mel.fft
    step = grid * mel.hop
    multiple = math.ceil(shortest / step) * step
    # The frame that a sample is in sees half a window on either side of its middle.
    return multiple, math.ceil((mel.fft // 2 + mel.hop + reach) / multiple) * multiple


def check_mel(mel: str, **needed: int | str) -> Mel:
    """Returns a mel spectrogram by its name.

    Args:
        mel: a key of `features.MELS`.
        **needed: attributes that a vocoder needs.

    Raises:
        UserError: there is none of this name, or the vocoder does not take it.
    """
    fitting = [
        name
        for name, each in MELS.items()
        if all(getattr(each, key) == value for key, value in needed.items())
    ]
    if mel not in fitting:
        raise UserError(f"unsupported mel {mel!r}; choose one of {', '.join(fitting)}")
    return MELS[mel]
