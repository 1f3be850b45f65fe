"""Low-pass filters that no recipe uses, for benchmarks/robustness.py."""

import io

import numpy as np
import soundfile
from scipy import signal
from wideband import audio
from wideband.audio import alignment

# Bit rates of the MP3 encoder in kbit/s: the one used here, the highest and the lowest. The
# compression level of libsndfile is a fraction of the distance from the highest to the lowest.
MP3_KBITS, MP3_HIGHEST, MP3_LOWEST = 32, 160, 8


def butterworth(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Zero-phase Butterworth filter of order 10 at 0.9 of the low band; (n,) to (n / ratio,)."""
    sections = signal.butter(10, 0.9 / ratio, output="sos")
    return signal.sosfiltfilt(sections, wave)[::ratio].astype(np.float32)


def elliptic(wave: np.ndarray, ratio: int) -> np.ndarray:
    """Zero-phase elliptic filter of order 8 at 0.9 of the low band; (n,) to (n / ratio,)."""
    sections = signal.ellip(8, 0.1, 60, 0.9 / ratio, output="sos")
    return signal.sosfiltfilt(sections, wave)[::ratio].astype(np.float32)


def through_mp3(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Encodes a wave (n,) as MP3 with 32 kbit/s, decodes it and undoes the encoder's delay."""
    file = io.BytesIO()
    level = (MP3_HIGHEST - MP3_KBITS) / (MP3_HIGHEST - MP3_LOWEST)
    soundfile.write(
        file,
        wave,
        sample_rate,
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=level,
    )
    file.seek(0)
    decoded = soundfile.read(file, dtype="float32")[0][:, np.newaxis]
    delay = alignment.delay(wave[:, np.newaxis], decoded, sample_rate)
    _, decoded = alignment.align(wave[:, np.newaxis], decoded, delay)
    return audio.fit_length(decoded[:, 0], len(wave))
