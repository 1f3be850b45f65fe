"""Draws the spectrogram of a recording of any length."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .. import audio
from ..command.files import replacing
from .measure import BLOCK_SECONDS, Facts, spectra, window_length

COLUMNS = 1000
RANGE_DB = 80.0


def levels_db(path: Path, facts: Facts) -> np.ndarray:
    """Mean level over time and frequency, of the mono mix.

    Args:
        path: the recording.
        facts: what was measured of it; it has samples.

    Returns:
        shape (bins, columns), at most `COLUMNS` of them whatever the length; white noise reads
        its variance, -200 dB at least.
    """
    half = window_length(facts.sample_rate) // 2
    columns = int(np.clip(facts.frames // half, 1, COLUMNS))
    power = np.zeros((columns, half + 1))
    windows = np.zeros((columns, 1))
    start = 0
    for block in audio.blocks(path, BLOCK_SECONDS):
        news = spectra(np.nan_to_num(audio.mono(block), posinf=0, neginf=0), facts.sample_rate)
        instants = start + half * np.arange(len(news))
        where = np.minimum(instants * columns // facts.frames, columns - 1)
        np.add.at(power, where, news)
        np.add.at(windows, where, 1)
        start += len(block)
    return 10 * np.log10(np.maximum(power / np.maximum(windows, 1), 1e-20)).T


def save(path: Path, facts: Facts, picture: Path) -> None:
    """Draws a recording's spectrogram, its bandwidth as a dashed line, and saves it as a PNG."""
    levels = levels_db(path, facts)
    top_db = float(np.quantile(levels, 0.999))
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.add_subplot()
    image = axis.imshow(
        levels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top_db - RANGE_DB,
        vmax=top_db,
        extent=(0, facts.seconds, 0, facts.sample_rate / 2000),
    )
    axis.axhline(facts.bandwidth_hz / 1000, color="white", alpha=0.7, lw=0.8, ls=(0, (4, 4)))
    axis.set(title=path.name, xlabel="seconds", ylabel="kHz")
    figure.colorbar(image, label="dB")
    with replacing(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
