"""The distance of what a speech recognizer makes of two waves, as training losses.

`recognizer_mel` compares what recognizers take as input, `WhisperDistance` what Whisper's encoder
makes of it.
"""

from dataclasses import replace

import keras
from keras import ops

from ..models import whisper_encoder
from ..models.features import Mel, filterbank

# 80 bands up to 8 kHz at 16 kHz, in frames of 25 ms every 10 ms. NeMo's Conformer pads the frames
# of 400 samples to 512.
FRONT_END = Mel(16000, 8000.0, bands=80, fft=400, hop=160)
# Powers are bounded below, as in Whisper: by this, and by 80 dB below the loudest.
FLOOR, RANGE = 1e-10, 8.0


def log_mel(wave, bands: int = FRONT_END.bands):
    """Logarithms of mel powers, as Whisper's front end and NeMo's Conformer compute them.

    Source: log_mel_spectrogram() in openai/whisper, audio.py.

    Args:
        wave: (batch, n, 1) at 16 kHz; n must exceed 200, half of a frame.
        bands: of the spectrogram.

    Returns:
        (batch, n // 160 + 1, bands), as log10 of power.
    """
    filters = ops.convert_to_tensor(filterbank(replace(FRONT_END, bands=bands)))
    # (batch, n, 1) to real and imaginary parts, each (batch, frames, bins)
    real, imaginary = ops.stft(wave[..., 0], FRONT_END.fft, FRONT_END.hop, FRONT_END.fft)
    power = ops.matmul(ops.square(real) + ops.square(imaginary), filters)
    return ops.log10(ops.maximum(power, FLOOR))


def recognizer_mel(reference, estimate):
    """Mean absolute difference of the log mel spectra that speech recognizers take as input.

    Recognizers hear fewer and wider bands than `log_spectral` compares: 80, of which 42 lie below
    1.8 kHz. Levels that are 80 dB below the loudest of the patch count as equal; Whisper bounds the
    levels of 30 seconds instead.

    Args:
        reference: (batch, n, 1) at 16 kHz; n must exceed 200, half of a frame. At other rates, the
            bands and the frames are those of 16 kHz in samples.
        estimate: (batch, n, 1).

    Returns:
        (batch,), as log10 of power: 1 for 10 dB.
    """
    left, right = log_mel(reference), log_mel(estimate)
    floor = _floor(left)
    difference = ops.maximum(left, floor) - ops.maximum(right, floor)
    return ops.mean(ops.abs(difference), axis=(1, 2))


class WhisperDistance(keras.layers.Layer):
    """The square distance of what Whisper's encoder makes of two waves, relative to the reference.

    The encoder is frozen. From no paper; the README of a project like that of `asr_unet` compares
    latents of wav2vec 2.0.

    Args:
        model: folder of a Whisper model in the format of CTranslate2, or the name of one that
            faster-whisper has downloaded before, such as "base".

    Raises:
        UserError: there is no such model, or it is damaged.
    """

    def __init__(self, model: str) -> None:
        from ..evaluate.words.whisper import find_model

        super().__init__(name="whisper_distance", dtype="float32")
        self.encoder = whisper_encoder.load(find_model(model, "recognizer")[0] / "model.bin")
        self.bands = self.encoder.input_shape[-1]

    def call(self, reference, estimate):
        """Compares waves (batch, n, 1) of up to 30 seconds at 16 kHz; returns (batch,)."""
        target = ops.stop_gradient(self._encode(reference))
        error = ops.sum(ops.square(self._encode(estimate) - target), axis=(1, 2))
        return error / ops.sum(ops.square(target), axis=(1, 2))

    def _encode(self, wave):
        # Whisper leaves out the last frame, half of which is beyond the end.
        levels = log_mel(wave, self.bands)[:, :-1]
        return self.encoder((ops.maximum(levels, _floor(levels)) + 4) / 4)


def _floor(levels):
    return ops.max(levels, axis=(1, 2), keepdims=True) - RANGE
