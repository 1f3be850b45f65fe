"""Random recordings of limited band: filters, resamplers, telephone lines and codecs.

A network that has met one decimation filter amplifies the slope of every other filter. These
recordings teach it that the band may end anywhere, and in any way. No paper has this list.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy  # loads scipy.signal, which takes most of a second, when it is used
import soundfile

from ..audio import fit_length, resample

# The fraction of each kind of recording.
KINDS: dict[str, float] = {"filter": 0.4, "resampler": 0.25, "telephone": 0.15, "codec": 0.2}
# The sample rate up to which a recording is narrow: it has speech only, and telephones are common.
NARROW_RATE = 24000
# Common low sample rates of narrow recordings and of others, in Hz.
LOW_RATES = (4000, 6000, 8000, 8000, 8000, 11025, 12000)
WIDE_LOW_RATES = (8000, 11025, 12000, 16000, 16000, 16000, 22050, 24000, 32000)
# LAME and its decoder delay a file by this many samples if its bit rate leaves no room for the tag
# that states the delay.
MP3_DELAY = 1105
# Shorter waves are followed by silence, since filters in both directions and codecs need so many
# samples.
SHORTEST = 512

Limiter = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def ends_hz(sample_rate: int) -> tuple[float, float]:
    """Returns the lowest and the highest frequency in Hz where the band may end.

    They are those of the shipped networks: 1000 and 7500 Hz at 16 kHz, 2000 and 20,000 Hz at
    48 kHz.
    """
    return min(sample_rate / 16, 2000.0), min(sample_rate * 15 / 32, 20000.0)


def limit_band(wave: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Makes a random recording of limited band.

    Args:
        wave: shape (n,).
        sample_rate: in Hz, at least 16000.
        rng: draws the kind of the recording, its band, and its flaws.

    Returns:
        float32 of shape (n,), aligned with the wave.
    """
    n = len(wave)
    wave = np.pad(wave, (0, max(0, SHORTEST - n)))
    if rng.random() < 0.25:
        wave = _add_noise(wave, rng)
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    if kind == "telephone" and sample_rate > NARROW_RATE and rng.random() < 0.7:
        kind = "resampler"
    limited = _LIMITERS[kind](wave, sample_rate, rng)
    if rng.random() < 0.1:
        limited = _clip(limited, rng)
    return limited[:n].astype(np.float32)


def filter_randomly(
    wave: np.ndarray, cutoff_hz: float, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Applies a low-pass filter of random type, order and ripple.

    Recursive filters run forwards and backwards, or (a quarter of them) forwards only; windowed
    sincs have no lag.

    Args:
        wave: shape (n,).
        cutoff_hz: where the pass band ends.
        sample_rate: in Hz.
        rng: draws the filter.
    """
    if rng.random() < 0.35:
        taps = int(sample_rate / cutoff_hz * rng.integers(8, 65))
        kernel = scipy.signal.firwin(
            2 * taps + 1, cutoff_hz, window=("kaiser", rng.uniform(4, 12)), fs=sample_rate
        )
        return scipy.signal.oaconvolve(wave, kernel)[taps : taps + len(wave)]
    order, ripple = int(rng.integers(2, 7)), rng.uniform(0.02, 0.5)
    attenuation = rng.uniform(30, 80)
    design = rng.choice(["butterworth", "chebyshev", "inverse chebyshev", "elliptic", "bessel"])
    sos = {
        "butterworth": lambda: scipy.signal.butter(
            2 * order, cutoff_hz, fs=sample_rate, output="sos"
        ),
        "chebyshev": lambda: scipy.signal.cheby1(
            2 * order, ripple, cutoff_hz, fs=sample_rate, output="sos"
        ),
        "inverse chebyshev": lambda: scipy.signal.cheby2(
            2 * order,
            attenuation,
            min(1.2 * cutoff_hz, 0.49375 * sample_rate),
            fs=sample_rate,
            output="sos",
        ),
        "elliptic": lambda: scipy.signal.ellip(
            order + 2, ripple, attenuation, cutoff_hz, fs=sample_rate, output="sos"
        ),
        "bessel": lambda: scipy.signal.bessel(2 * order, cutoff_hz, fs=sample_rate, output="sos"),
    }[design]()
    if rng.random() < 0.25:
        return scipy.signal.sosfilt(sos, wave)
    return scipy.signal.sosfiltfilt(sos, wave)


def _filter(wave: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    return filter_randomly(wave, _cutoff(sample_rate, rng), sample_rate, rng)


def _resampler(wave: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Brings the wave to a low rate, with a sharp filter or a random one, and back."""
    common = LOW_RATES if sample_rate <= NARROW_RATE else WIDE_LOW_RATES
    usual = rng.random() < 0.6
    low_rate = int(rng.choice(common) if usual else round(2 * _cutoff(sample_rate, rng)))
    if rng.random() < 0.5:
        cutoff_hz = low_rate / 2 * rng.uniform(0.7, 0.97)
        wave = filter_randomly(wave, cutoff_hz, sample_rate, rng)
    low = resample(wave.astype(np.float32), sample_rate, low_rate)
    return fit_length(resample(_quantize(low, rng), low_rate, sample_rate), len(wave))


def _telephone(wave: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Applies the band of a telephone line, 300 to 3400 Hz more or less, and its codec."""
    highpass = scipy.signal.butter(
        int(rng.integers(1, 5)), rng.uniform(150, 400), "highpass", fs=sample_rate, output="sos"
    )
    lowpass = scipy.signal.ellip(
        int(rng.integers(4, 11)),
        rng.uniform(0.02, 0.5),
        rng.uniform(40, 70),
        rng.uniform(3100, 3800),
        fs=sample_rate,
        output="sos",
    )
    apply = scipy.signal.sosfilt if rng.random() < 0.25 else scipy.signal.sosfiltfilt
    line = apply(lowpass, apply(highpass, wave)).astype(np.float32)
    subtype = rng.choice(["ULAW", "ALAW", "GSM610", "PCM_16"], p=[0.4, 0.25, 0.15, 0.2])
    line = _encode(resample(line, sample_rate, 8000), 8000, "WAV", subtype)
    return fit_length(resample(line, 8000, sample_rate), len(wave))


def _codec(wave: np.ndarray, sample_rate: int, rng: np.random.Generator) -> np.ndarray:
    """Encodes the wave at a low bit rate, at its own or at half the rate."""
    rate = sample_rate if rng.random() < 0.6 else 8000 if sample_rate <= NARROW_RATE else 24000
    low = resample(wave.astype(np.float32), sample_rate, rate)
    coding = rng.choice(["mp3", "vorbis", "opus"])
    if coding == "mp3":
        level = rng.uniform(0.7, 0.97)
        low = _encode(low, rate, "MP3", "MPEG_LAYER_III", level, bitrate_mode="CONSTANT")
    elif coding == "vorbis":
        low = _encode(low, rate, "OGG", "VORBIS", rng.uniform(0.7, 1.0))
    else:
        low = _encode(low, rate, "OGG", "OPUS", rng.uniform(0.92, 1.0))
    if rate == sample_rate and rng.random() < 0.7:
        # Most codecs keep a weak and coarse high band; a filter removes it.
        return filter_randomly(low, _cutoff(sample_rate, rng), sample_rate, rng)
    return fit_length(resample(low, rate, sample_rate), len(wave))


_LIMITERS: dict[str, Limiter] = {
    "filter": _filter,
    "resampler": _resampler,
    "telephone": _telephone,
    "codec": _codec,
}


def _cutoff(sample_rate: int, rng: np.random.Generator) -> float:
    return float(rng.uniform(*ends_hz(sample_rate)))


def _encode(
    wave: np.ndarray,
    sample_rate: int,
    container: str,
    subtype: str,
    level: float | None = None,
    **options: Any,
) -> np.ndarray:
    """Encodes and decodes a wave, without the delay of the codec.

    Args:
        wave: float32, shape (n,).
        sample_rate: in Hz.
        container: libsndfile's name.
        subtype: libsndfile's name.
        level: the compression, from 0 to 1.
        **options: further arguments of `soundfile.write`.

    Returns:
        float32 of shape (n,).
    """
    if level is not None:
        options["compression_level"] = level
    file = io.BytesIO()
    soundfile.write(file, wave, sample_rate, subtype, format=container, **options)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    if subtype == "MPEG_LAYER_III" and len(decoded) > len(wave):
        decoded = decoded[MP3_DELAY:]
    return fit_length(decoded, len(wave))


def _quantize(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rounds some waves to 8 to 16 bits."""
    if rng.random() < 0.5:
        return wave
    steps = 2.0 ** (rng.integers(10, 17) - 1)
    return np.rint(wave * steps) / steps


def _clip(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Clips the wave 1 to 6 dB below its peak."""
    peak = np.abs(wave).max(initial=0) * 10 ** (-rng.uniform(1, 6) / 20)
    return np.clip(wave, -peak, peak)


def _add_noise(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds white noise, 25 to 60 dB below the wave."""
    rms = np.sqrt(np.mean(np.square(wave)))
    return wave + rms * 10 ** (-rng.uniform(25, 60) / 20) * rng.normal(size=len(wave))
