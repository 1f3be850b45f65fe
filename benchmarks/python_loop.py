"""The low sides of a folder of FLAC files as a short script makes them, for preparing.py.

It keeps nothing: neither does it measure the recordings nor write a dataset.
"""

import sys
from pathlib import Path

import librosa
import numpy as np
from scipy import interpolate, signal

SAMPLE_RATE, RATIO = 16000, 4

for path in sorted(Path(sys.argv[1]).rglob("*.flac")):
    high, _ = librosa.load(path, sr=SAMPLE_RATE)
    low = signal.decimate(high, RATIO)
    spline = interpolate.splrep(RATIO * np.arange(len(low)), low)
    interpolated = interpolate.splev(np.arange(len(high)), spline)
