"""Ways to a low side that no recipe draws, to measure what a model makes of them."""

import io

import numpy as np
import soundfile
from scipy import signal
from wideband.audio import alignment

# Of the MP3 encoder, in kbit/s; libsndfile takes the part of the way from the most to the least.
MP3_KBITS, MP3_MOST, MP3_LEAST = 32, 160, 8


def butterworth(wave: np.ndarray, ratio: int) -> np.ndarray:
    """A Butterworth filter of order 10 at 0.9 of the low band, both ways; (n,) to (n / ratio,)."""
    sections = signal.butter(10, 0.9 / ratio, output="sos")
    return signal.sosfiltfilt(sections, wave)[::ratio].astype(np.float32)


def elliptic(wave: np.ndarray, ratio: int) -> np.ndarray:
    """An elliptic filter of order 8 at 0.9 of the low band, both ways; (n,) to (n / ratio,)."""
    sections = signal.ellip(8, 0.1, 60, 0.9 / ratio, output="sos")
    return signal.sosfiltfilt(sections, wave)[::ratio].astype(np.float32)


def through_mp3(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """A wave (n,) as MP3 of 32 kbit/s gives it back, with the encoder's delay undone."""
    file = io.BytesIO()
    level = (MP3_MOST - MP3_KBITS) / (MP3_MOST - MP3_LEAST)
    soundfile.write(
        *(file, wave, sample_rate),
        format="MP3",
        bitrate_mode="CONSTANT",
        compression_level=level,
    )
    file.seek(0)
    found = soundfile.read(file, dtype="float32")[0][:, np.newaxis]
    late = alignment.delay(wave[:, np.newaxis], found, sample_rate)
    _, found = alignment.align(wave[:, np.newaxis], found, late)
    return np.pad(found[: len(wave), 0], (0, max(0, len(wave) - len(found))))
