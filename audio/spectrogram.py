"""Spectrograms of recordings of any length, as pictures."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from .. import audio
from ..command.drawing import add_level_bar, draw_spectrogram, png
from ..command.files import write_bytes
from .bandwidth import power_spectra, window_length
from .measure import BLOCK_SECONDS, Facts

COLUMNS = 1000


def levels_db(path: Path, facts: Facts) -> np.ndarray:
    """Measures the mean levels of all channels over time and frequency.

    Args:
        path: the recording.
        facts: from `measure`, of a recording that has samples.

    Returns:
        shape (bins, columns), with at most `COLUMNS` columns for any length. The level of white
        noise is its variance in each bin; silence has -200 dB.
    """
    hop = window_length(facts.sample_rate) // 2
    columns = int(np.clip(facts.frames // hop, 1, COLUMNS))
    power = np.zeros((columns, hop + 1))
    windows = np.zeros((columns, 1))
    start = 0
    for block in audio.blocks(path, BLOCK_SECONDS):
        channels = np.nan_to_num(block.astype(np.float64), posinf=0, neginf=0).T
        powers = np.mean([power_spectra(each, facts.sample_rate) for each in channels], axis=0)
        instants = start + hop * np.arange(len(powers))
        column = np.minimum(instants * columns // facts.frames, columns - 1)
        np.add.at(power, column, powers)
        np.add.at(windows, column, 1)
        start += len(block)
    return 10 * np.log10(np.maximum(power / np.maximum(windows, 1), 1e-20)).T


def draw(path: Path, facts: Facts) -> Figure:
    """Draws a recording's spectrogram, with its bandwidth as a dashed line."""
    levels = levels_db(path, facts)
    top_db = float(np.quantile(levels, 0.999))
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.add_subplot()
    draw_spectrogram(
        axis, levels, facts.seconds, facts.sample_rate, top_db, cutoff_hz=facts.bandwidth_hz
    )
    axis.set_title(path.name)
    axis.set_ylabel("kHz", fontsize=9)
    add_level_bar(figure, [axis])
    return figure


def save(path: Path, facts: Facts, picture: Path) -> None:
    """Draws a recording's spectrogram and saves it as a PNG."""
    write_bytes(picture, png(draw(path, facts)))
