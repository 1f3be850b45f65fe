"""Makes references.json: the metrics in a plain implementation, one formula per line.

python tests/evaluate/metrics/make_references.py

It shares nothing with the package: the waves come from formulas, Fourier transforms are sums of
cosines and sines (except TFNet's of a whole patch), and loops go frame by frame. The tests run it
again and compare it with the file.
"""

import functools
import itertools
import json
import math
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16000
CUTOFF_HZ = 2000
N = 9000


def waves():
    """A gliding tone over three steady ones with a slow swell, and a dull, delayed copy."""
    t = np.arange(N + 1) / SAMPLE_RATE
    tone = 0.2 * np.sin(2 * np.pi * (300 * t + 5000 * t**2))
    steady = sum(0.1 / k * np.sin(2 * np.pi * 530 * k * t + k) for k in (1, 3, 9))
    wave = (0.6 + 0.4 * np.cos(2 * np.pi * 2 * t)) * (tone + steady) + 0.01
    return wave[1:], 0.9 * (wave[1:] + wave[:-1]) / 2


@functools.cache
def cosines_and_sines(n):
    angles = 2 * np.pi * (np.outer(np.arange(n // 2 + 1), np.arange(n)) % n) / n
    return np.cos(angles), np.sin(angles)


def dft(frame):
    cosines, sines = cosines_and_sines(len(frame))
    return cosines @ frame - 1j * (sines @ frame)


def stft(wave, window=2048, hop=512):
    """A list of spectra, one per frame."""
    half = window // 2
    mirrored = np.concatenate([wave[half:0:-1], wave, wave[-2 : -half - 2 : -1]])
    hann = np.array([math.sin(math.pi * i / window) ** 2 for i in range(window)])
    starts = range(0, len(mirrored) - window + 1, hop)
    return [dft(mirrored[start : start + window] * hann) for start in starts]


def rms(values):
    return math.sqrt(sum(v * v for v in np.ravel(values)) / np.size(values))


def db(signal, error):
    return 20 * math.log10(rms(signal) / rms(error))


def wrap(angles):
    return np.arctan2(np.sin(angles), np.cos(angles))


def values():
    """Metric -> its value for `waves`."""
    y, p = waves()
    centred_y, centred_p = y - sum(y) / N, p - sum(p) / N
    target = centred_y * (sum(centred_p * centred_y) / sum(centred_y * centred_y))
    in_order = sorted(y)

    def quantile(level):
        below, fraction = divmod(level * (N - 1), 1)
        return in_order[int(below)] * (1 - fraction) + in_order[int(below) + 1] * fraction

    first, error = slice(0, 8192), rms(y - p)
    padded = math.sqrt(rms((y - p)[first]) ** 2 + 1e-6)
    spectra = list(zip(stft(y), stft(p), strict=True))
    logs = [[np.log10(np.maximum(abs(s) ** 2, 1e-8)) for s in pair] for pair in spectra]
    natural = [np.log((abs(a) ** 2 + 1e-8) / (abs(b) ** 2 + 1e-8)) for a, b in spectra]
    phases = [[np.arctan2(s.imag, s.real) for s in pair] for pair in spectra]
    turned = [a - b for a, b in phases]
    delays = [np.append(wrap(d[0]), wrap(d[1:] - d[:-1])) for d in turned]
    in_patch = [
        np.log((abs(a) ** 2 + 1e-8) / (abs(b) ** 2 + 1e-8))
        for a, b in zip(stft(y[first]), stft(p[first]), strict=True)
    ]
    at_44k = zip(stft(y, 743, 160), stft(p, 743, 160), strict=True)
    whole = [np.log10(np.maximum(abs(np.fft.fft(w[first])) ** 2, 1e-8)) for w in (y, p)]
    split = 256  # of 1025 bins, a quarter as 2 of 8 kHz
    bands = [[sum(max(abs(x) ** 2, 1e-8) for x in s[split:]) for s in pair] for pair in spectra]
    loudest = sorted(bands, reverse=True)[: math.ceil(len(bands) / 10)]

    def level(energies):
        y_sum, p_sum = (sum(each) for each in zip(*energies, strict=True))
        return 10 * math.log10(p_sum / y_sum)

    def kuleshov(differences):
        bins = np.array(differences).T
        return np.mean([math.sqrt(np.mean(row**2 + 1e-8)) for row in bins])

    return {
        "snr": db(y, y - p),
        "snr_ln": 10 * math.log(rms(y) / error),
        "segmental_snr": 20 * math.log10(rms(y[first]) / padded + 1e-8),
        "si_snr": db(target, centred_p - target),
        "mse": error**2,
        "nrmse_mean": error / abs(sum(y) / N),
        "nrmse_sd": error / rms(centred_y),
        "nrmse_range": error / (max(y) - min(y)),
        "nrmse_iqr": error / (quantile(0.75) - quantile(0.25)),
        "nmae_iqr": sum(abs(y - p)) / N / (quantile(0.75) - quantile(0.25)),
        "lsd": np.mean([rms(a - b) for a, b in logs]),
        # The gliding tone ends at 5925 Hz, the last bin with content at 191 times 31.25 Hz.
        "lsd_band": np.mean([rms((a - b)[: int(1025 * 191 * 31.25 / 8000)]) for a, b in logs]),
        "lsd_lf": np.mean([rms((a - b)[:split]) for a, b in logs]),
        "lsd_hf": np.mean([rms((a - b)[split:]) for a, b in logs]),
        "level_hf": level(bands),
        "level_hf_loud": level(loudest),
        "lsd_kuleshov": kuleshov(natural),
        "lsd_bini": kuleshov(in_patch),
        "lsd_frame_ln": np.mean([rms(difference) for difference in natural]),
        "lsd_ssr_eval": np.mean(
            [rms(np.log10(abs(a) ** 2 / (abs(b) + 1e-12) ** 2 + 1e-12)) for a, b in at_44k]
        ),
        "lsd_tfnet": rms(whole[0] - whole[1]),
        "apd_ip": np.mean([rms(wrap(d)) for d in turned]),
        "apd_gd": np.mean([rms(over_time) for over_time in zip(*delays, strict=True)]),
        "apd_iaf": np.mean(
            [
                rms(wrap(turned[0])),
                *(rms(wrap(b - a)) for a, b in itertools.pairwise(turned)),
            ]
        ),
    }


if __name__ == "__main__":
    path = Path(__file__).with_name("references.json")
    numbers = {name: float(value) for name, value in values().items()}
    path.write_text(json.dumps(numbers, indent=2) + "\n")
