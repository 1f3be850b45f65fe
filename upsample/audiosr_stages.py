"""What AudioSR does to a recording before and after its networks, exactly as its code does.

Source: haoheliu/versatile_audio_super_resolution at commit 034db6c, audiosr/utils.py and
audiosr/latent_diffusion/models/ddpm.py. `faithful` puts the stages together.
"""

import numpy as np

from ..audio import spectra
from ..command import UserError
from ..models.low_band import cutoff_index

SAMPLE_RATE, PEAK = 48000, 0.5
# Recordings are padded to a multiple of this many seconds, which is 512 frames.
GRAIN_SECONDS = 5.12
# The transform of the post-processing; the mel spectrogram has hops of 480 samples.
FFT, HOP = 2048, 512
# The band of the mel spectrogram ends at half the rate; its code counts 1024 bins up to there.
BINS = 1024
# What the level of the original low band may be divided by.
RATIOS = (0.8, 1.2)


def normalize(wave: np.ndarray) -> np.ndarray:
    """Removes the mean of a wave (n,), and scales it to a peak of 0.5."""
    wave = wave - wave.mean()
    return PEAK * wave / (np.abs(wave).max(initial=0) + 1e-8)


def padded_length(samples: int) -> int:
    """Returns the length to which AudioSR pads a recording, in samples at 48 kHz.

    It computes with seconds in floating point, so some multiples of 5.12 s get 5.12 s more: 25.6 s
    become 30.72 s.
    """
    seconds = samples / SAMPLE_RATE
    if seconds % GRAIN_SECONDS != 0:
        seconds += GRAIN_SECONDS - seconds % GRAIN_SECONDS
    return round(seconds * SAMPLE_RATE)


def cutoff_hz(magnitudes: np.ndarray) -> float:
    """Returns where the band of a recording ends, in Hz.

    Args:
        magnitudes: of the transform of the mel spectrogram, (frames, bins).

    Raises:
        UserError: it ends below 1000 Hz, as that of silence; the code fails there.
    """
    found = cutoff_index(magnitudes[:, :BINS]) / BINS * SAMPLE_RATE / 2
    if found < 1000:
        raise UserError(
            f"AudioSR's code finds a band up to {found:.0f} Hz, and takes recordings from 1000 Hz "
            "on; restore it with wideband-upsample"
        )
    return found


def restore_low_band(wave: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Puts the low band of the input into a generated wave, as AudioSR's post-processing does.

    The level of the input is changed to that of the generated wave at one bin, where the low band
    ends.

    Args:
        wave: generated, (m,).
        low: the input with a limited band, (n,).

    Returns:
        float32 of shape (m,), of the frames that both have.
    """
    generated, original = (_stft(each) for each in (wave, low))
    frames = min(len(generated), len(original))
    generated, original = generated[:frames], original[:frames]
    row = cutoff_index(np.abs(original))
    level, own = (np.abs(each[:, row]).sum() for each in (original, generated))
    ratio = np.clip(level / max(own, 1e-30), *RATIOS)
    generated[:, :row] = original[:, :row] / ratio
    return _inverse(generated, len(wave)).astype(np.float32)


def finish(wave: np.ndarray) -> np.ndarray:
    """Scales a wave (n,) to a peak of 0.5, then removes its mean."""
    wave = PEAK * wave / np.abs(wave).max(initial=1e-30)
    return wave - wave.mean()


def _stft(wave: np.ndarray) -> np.ndarray:
    """Transforms frames that are centred on the multiples of the hop, with silence at the ends."""
    return spectra.stft(np.pad(wave.astype(np.float64), FFT // 2), FFT, HOP)


def _inverse(spectrum: np.ndarray, n: int) -> np.ndarray:
    """Returns the wave (n,) whose transform is closest to a spectrum (frames, bins)."""
    window = spectra.hann(FFT)
    total, weight = (np.zeros(FFT + HOP * (len(spectrum) - 1)) for _ in range(2))
    for k, frame in enumerate(np.fft.irfft(spectrum, FFT)):
        place = slice(k * HOP, k * HOP + FFT)
        total[place] += window * frame
        weight[place] += window**2
    wave = (total / np.maximum(weight, 1e-8))[FFT // 2 :][:n]
    return np.pad(wave, (0, n - len(wave)))
