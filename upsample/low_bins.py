"""How AudioSR and NVSR put the low band of a recording into the wave that they generated.

They overwrite the bins of a short-time Fourier transform, with a hard edge. `wideband-upsample` has
a crossover instead (`stages.Crossover`).

Sources: haoheliu/versatile_audio_super_resolution at commit 034db6c, audiosr/utils.py;
haoheliu/ssr_eval, ssr_eval/eval.py.
"""

import numpy as np

from ..audio import spectra
from ..models.low_band import SHARE, cutoff_index

FFT, HOP = 2048, 512
# What the level of AudioSR's original low band may be divided by.
RATIOS = (0.8, 1.2)
# The share of the sum of magnitudes below the cutoff, in NVSR.
NVSR_SHARE = 0.97


def restore_low_band(
    wave: np.ndarray,
    low: np.ndarray,
    share: float = SHARE,
    ratios: tuple[float, float] = RATIOS,
) -> np.ndarray:
    """Puts the low band of the input into a generated wave, as the post-processing of the codes.

    The level of the input is changed to that of the generated wave at one bin, where the low band
    ends.

    Args:
        wave: generated, (m,).
        low: the input with a limited band, (n,).
        share: of all magnitudes of the input that are below the end of its band.
        ratios: the lowest and the highest number that its level may be divided by; NVSR keeps it.

    Returns:
        float32 of shape (m,), of the frames that both have.
    """
    generated, original = (_stft(each) for each in (wave, low))
    frames = min(len(generated), len(original))
    generated, original = generated[:frames], original[:frames]
    row = cutoff_index(np.abs(original), share)
    level, own = (np.abs(each[:, row]).sum() for each in (original, generated))
    ratio = np.clip(level / max(own, 1e-30), *ratios)
    generated[:, :row] = original[:, :row] / ratio
    return _inverse(generated, len(wave)).astype(np.float32)


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
