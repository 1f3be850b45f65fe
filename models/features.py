"""Log mel spectrograms of the published systems, by name, as a Keras layer and in NumPy.

The systems differ in the scale, in the norm of the filters, in the highest frequency, and in the
number of frames: the same recording differs by 3 to 6 nats between them. Filters are triangles
that are linear in Hz, as those of librosa and torchaudio. Those of keras.layers.MelSpectrogram are
linear in mel.

Sources: Slaney 1998, "Auditory Toolbox"; Young et al., "The HTK Book"; librosa 0.11 and torchaudio
2, whose filters these equal.
"""

from dataclasses import dataclass

import numpy as np
from keras import layers, ops

from ..command import UserError
from ..command.errors import lookup
from .stft import POWER_FLOOR, STFT

# Slaney's scale is linear below 1 kHz, 3 mel for 200 Hz, and logarithmic above, 27 mel for a factor
# of 6.4.
LINEAR_HZ, LOG_FROM_HZ, LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27


@dataclass(frozen=True)
class Mel:
    """How a log mel spectrogram is made: the natural logarithm of filtered magnitudes.

    Args:
        sample_rate: of the wave, in Hz.
        highest_hz: where the highest filter ends.
        lowest_hz: where the lowest filter begins.
        bands: number of filters.
        fft: samples of a frame and of its Fourier transform; the window is a periodic Hann window.
        hop: samples from one frame to the next.
        scale: "slaney" or "htk", on which the filters have the same distance.
        norm: "slaney" gives each filter an area of 1 Hz, None a height of 1.
        floor: the lower bound of filtered magnitudes.
        padding: "same" (n / hop frames) or "center" (n / hop + 1), see `stft.PADDINGS`.
        offset: added to powers before the root.
        lowest_power: the lower bound of powers.
    """

    sample_rate: int
    highest_hz: float
    lowest_hz: float = 0.0
    bands: int = 80
    fft: int = 1024
    hop: int = 256
    scale: str = "slaney"
    norm: str | None = "slaney"
    floor: float = 1e-5
    padding: str = "same"
    offset: float = 0.0
    lowest_power: float = 0.0

    @property
    def mirrored(self) -> int:
        """Samples of a wave that are mirrored at either end."""
        return (self.fft - self.hop if self.padding == "same" else self.fft) // 2


MELS = {
    # Audio-Super-Resolution and the Vocos for 22 kHz (langtech-bsc/vocos, branch matcha).
    "seed": Mel(22050, 8000.0),
    # jik876/hifi-gan, meldataset.py. The loss of its training has filters up to 11025 Hz.
    "hifigan": Mel(22050, 8000.0, offset=1e-9),
    # gemelo-ai/vocos, feature_extractors.py.
    "vocos24": Mel(24000, 12000.0, bands=100, scale="htk", norm=None, floor=1e-7, padding="center"),
    # Ours: Griffin-Lim and the generator also need what is above 8 kHz.
    "nyquist": Mel(22050, 11025.0, scale="htk", norm=None),
    # AudioSR (haoheliu/versatile_audio_super_resolution, audiosr/utils.py).
    "audiosr": Mel(48000, 24000.0, lowest_hz=20.0, bands=256, fft=2048, hop=480),
    # VoiceFixer and NVSR (haoheliu/voicefixer, tools/modules/fDomainHelper.py and mel_scale.py).
    "voicefixer": Mel(
        44100,
        22050.0,
        bands=128,
        fft=2048,
        hop=441,
        scale="htk",
        norm=None,
        floor=1e-8,
        padding="center",
        lowest_power=1e-8,
    ),
}


def get(mel: str | Mel) -> Mel:
    """Returns a mel spectrogram by its name, a key of `MELS`.

    Raises:
        UserError: there is no such mel spectrogram.
    """
    return mel if isinstance(mel, Mel) else lookup(MELS, mel, "mel")


def filterbank(mel: str | Mel) -> np.ndarray:
    """Returns the filters of a mel spectrogram, (bins, bands) float32."""
    mel = get(mel)
    frequencies = np.arange(mel.fft // 2 + 1) * mel.sample_rate / mel.fft
    lowest, highest = _to_mel(np.array([mel.lowest_hz, mel.highest_hz]), mel.scale)
    edges = _to_hz(np.linspace(lowest, highest, mel.bands + 2), mel.scale)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    distance = frequencies[:, np.newaxis]
    filters = np.minimum((distance - low) / (middle - low), (high - distance) / (high - middle))
    filters = np.maximum(filters, 0.0)
    if mel.norm == "slaney":
        filters *= 2 / (high - low)
    return filters.astype(np.float32)


def bands_at(mel: Mel, end_hz: float) -> tuple[int, int]:
    """Returns how many bands lie below a frequency, and the first band that lies above it.

    Args:
        mel: the mel spectrogram.
        end_hz: above 0 and below half its rate.
    """
    filters = filterbank(mel) > 0
    above = np.arange(len(filters)) * mel.sample_rate / mel.fft > end_hz
    inside = int(filters[above].any(axis=0).argmax())
    outside = np.flatnonzero(filters[~above].any(axis=0))[-1] + 1
    return inside, int(outside)


def begin_hz(mel: Mel, band: int) -> float:
    """Returns the frequency of the lowest bin of a band, in Hz."""
    return float(np.flatnonzero(filterbank(mel)[:, band])[0] * mel.sample_rate / mel.fft)


def _to_mel(hz: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 2595 * np.log10(1 + hz / 700)
    above = np.log(np.maximum(hz, LOG_FROM_HZ) / LOG_FROM_HZ) / LOG_STEP
    return np.minimum(hz, LOG_FROM_HZ) / LINEAR_HZ + above


def _to_hz(mel: np.ndarray, scale: str) -> np.ndarray:
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    above = np.maximum(mel - LOG_FROM_HZ / LINEAR_HZ, 0.0)
    return np.minimum(LINEAR_HZ * mel, LOG_FROM_HZ) * np.exp(LOG_STEP * above)


class LogMel(layers.Layer):
    """The log mel spectrogram of a wave: (batch, n, 1) to (batch, frames, bands), in float32.

    n is a multiple of the hop, and longer than the part that is mirrored at either end.

    Args:
        mel: a key of `MELS`, or a `Mel`.
        **kwargs: arguments of a Keras layer, such as `name`.

    Raises:
        UserError: there is no such mel spectrogram.
    """

    def __init__(self, mel: str | Mel, **kwargs) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.mel = get(mel)
        self.stft = STFT(self.mel.fft, self.mel.hop, self.mel.fft, self.mel.padding)
        self._filters = filterbank(self.mel)

    def call(self, wave):
        """Transforms a wave (batch, n, 1)."""
        real, imaginary = self.stft(wave)
        power = real**2 + imaginary**2 + self.mel.offset
        magnitude = ops.sqrt(ops.maximum(power, max(POWER_FLOOR, self.mel.lowest_power)))
        # (batch, frames, bins) to (batch, frames, bands)
        filtered = ops.matmul(magnitude, ops.convert_to_tensor(self._filters))
        return ops.log(ops.maximum(filtered, self.mel.floor))

    def compute_output_shape(self, input_shape):
        """Returns (batch, frames, bands); n may be None."""
        batch, frames, _ = self.stft.compute_output_shape(input_shape)[0]
        return batch, frames, self.mel.bands


def log_mel(wave: np.ndarray, mel: str | Mel) -> np.ndarray:
    """Returns the log mel spectrogram of a wave in NumPy, the same as that of `LogMel`.

    Args:
        wave: (..., n) with any n; samples past the last whole frame are not used.
        mel: a key of `MELS`, or a `Mel`.

    Returns:
        (..., frames, bands) float32.

    Raises:
        UserError: there is no such mel spectrogram, or the wave is too short.
    """
    magnitude = magnitudes(wave, mel)
    return np.log(np.maximum(magnitude @ filterbank(mel), get(mel).floor)).astype(np.float32)


def magnitudes(wave: np.ndarray, mel: str | Mel) -> np.ndarray:
    """Returns the magnitudes of which a mel spectrogram is made, in NumPy.

    Args:
        wave: (..., n) with any n; samples past the last whole frame are not used.
        mel: a key of `MELS`, or a `Mel`.

    Returns:
        (..., frames, bins) float64.

    Raises:
        UserError: there is no such mel spectrogram, or the wave is too short.
    """
    mel = get(mel)
    n = wave.shape[-1]
    if n <= mel.mirrored:
        raise UserError(f"a wave of {n} samples is too short; it must have {mel.mirrored + 1}")
    ends = [(0, 0)] * (wave.ndim - 1) + [(mel.mirrored, mel.mirrored)]
    padded = np.pad(wave.astype(np.float64), ends, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, mel.fft, axis=-1)[..., :: mel.hop, :]
    hann = np.sin(np.pi * np.arange(mel.fft) / mel.fft) ** 2
    power = np.abs(np.fft.rfft(hann * frames)) ** 2 + mel.offset
    return np.sqrt(np.maximum(power, mel.lowest_power))
