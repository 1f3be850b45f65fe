"""Draws docs/interpolation.png: what interpolations make of one sample, and of white noise.

python docs/generate/interpolations.py
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import signal
from wideband.audio import interpolate
from wideband.command.drawing import COLOURS, GREY, png, style
from wideband.command.files import write_bytes

PICTURE = Path(__file__).parents[1] / "interpolation.png"
# Similar interpolations share a column.
COLUMNS = {
    "steps and lines": ["hold", "nearest", "linear"],
    "splines": ["quadratic", "spline", "quintic"],
    "cubics": ["catmull_rom", "pchip", "akima", "makima"],
    "sincs": ["lanczos3", "lanczos8", "kaiser", "sinc"],
}
LINES = ("-", "--", "-.", ":")
# The top row has a fine grid, so that curves look like curves.
FINE, SHOWN = 32, 5
# The bottom row is for 4 to 16 kHz. Bins of the spectrum: 15.6 Hz.
RATIO, LOW_RATE, SECONDS, BIN_COUNT = 4, 4000, 60, 1024


def impulse(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Interpolates one sample of 1 among zeros; returns instants in samples, and values."""
    low = np.zeros(601)
    low[300] = 1
    high = interpolate.get(name)(low, FINE)
    instants = np.arange(len(high)) / FINE - 300
    shown = np.abs(instants) <= SHOWN
    return instants[shown], high[shown]


def noise_levels(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Interpolates white noise; returns frequencies in Hz, and levels in dB below the noise's."""
    low = np.random.default_rng(0).normal(0, 0.1, SECONDS * LOW_RATE)
    high = interpolate.get(name)(low, RATIO)
    options = {"window": "blackmanharris", "nperseg": BIN_COUNT, "detrend": False}
    frequencies, density = signal.welch(high, RATIO * LOW_RATE, **options)
    return frequencies, 10 * np.log10(np.maximum(density * LOW_RATE / 2 / 0.01, 1e-12))


def draw() -> Figure:
    """Draws one column for each kind of interpolation."""
    figure = Figure(figsize=(13, 6), layout="constrained")
    axes = figure.subplots(2, len(COLUMNS), sharey="row")
    for (title, names), upper, lower in zip(COLUMNS.items(), *axes, strict=True):
        for name, colour, line in zip(names, COLOURS, LINES, strict=False):
            upper.plot(*impulse(name), color=colour, ls=line, lw=1.5, label=name)
            frequencies, levels = noise_levels(name)
            lower.plot(frequencies / 1000, levels, color=colour, ls=line, lw=1.5, label=name)
        upper.set_title(title, fontsize=11)
        upper.set_xlabel("low-rate samples", fontsize=9.5)
        upper.legend(fontsize=8.5, frameon=False, loc="upper right")
        lower.axvspan(LOW_RATE / 2000, RATIO * LOW_RATE / 2000, color=GREY, alpha=0.12, lw=0)
        lower.set_xlabel("kHz", fontsize=9.5)
        lower.set_xlim(0, RATIO * LOW_RATE / 2000)
        lower.set_ylim(-90, 5)
        style(upper)
        style(lower)
    axes[0, 0].set_ylabel("response to one sample", fontsize=9.5)
    axes[1, 0].set_ylabel("level of white noise, dB", fontsize=9.5)
    return figure


if __name__ == "__main__":
    write_bytes(PICTURE, png(draw()))
