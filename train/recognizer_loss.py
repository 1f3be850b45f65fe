"""The distance of what a speech recognizer sees of two waves, as a training loss."""

from keras import ops

from ..models.features import Mel, filterbank

# 80 bands up to 8 kHz at 16 kHz, in frames of 25 ms every 10 ms. Whisper transforms the 400 samples
# of a frame, NeMo's Conformer pads them to 512.
FRONT_END = Mel(16000, 8000.0, bands=80, fft=512, hop=160)
WINDOW = 400
# Powers are bounded below, as in Whisper: by this, and by 80 dB below the loudest.
FLOOR, RANGE = 1e-10, 8.0


def recognizer_mel(reference, estimate):
    """Mean absolute difference of the log mel spectra that speech recognizers take as input.

    Recognizers hear fewer and wider bands than `log_spectral` compares: 80, of which 42 lie below
    1.8 kHz. Levels that are 80 dB below the loudest of the patch count as equal.

    Source: log_mel_spectrogram() in openai/whisper, audio.py, which bounds the levels of 30 seconds
    instead; NeMo's Conformer has the same bands and frames.

    Args:
        reference: (batch, n, 1) at 16 kHz; n must exceed 256, half of a transform. At other rates,
            the bands and the frames are those of 16 kHz in samples.
        estimate: (batch, n, 1).

    Returns:
        (batch,), as log10 of power: 1 for 10 dB.
    """
    filters = ops.convert_to_tensor(filterbank(FRONT_END))

    def log_mel(wave):
        # (batch, n, 1) to real and imaginary parts, each (batch, frames, bins)
        real, imaginary = ops.stft(wave[..., 0], WINDOW, FRONT_END.hop, FRONT_END.fft)
        power = ops.matmul(ops.square(real) + ops.square(imaginary), filters)
        return ops.log10(ops.maximum(power, FLOOR))

    left, right = log_mel(reference), log_mel(estimate)
    floor = ops.max(left, axis=(1, 2), keepdims=True) - RANGE
    difference = ops.maximum(left, floor) - ops.maximum(right, floor)
    return ops.mean(ops.abs(difference), axis=(1, 2))
