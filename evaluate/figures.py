"""Figures: spectrograms, comparisons with a reference, level differences, fusion weights.

`command.drawing.png` turns a figure into a file.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..audio import spectra
from ..command.drawing import COLOURS, GREY, add_level_bar, draw_spectrogram, style
from .metrics import bands


def levels(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Computes short-time levels, in dB relative to the amplitude of a full-scale sine.

    Hann windows of 32 ms every 8 ms.

    Args:
        wave: shape (n,).
        sample_rate: in Hz.

    Returns:
        shape (bins, frames), from 0 Hz to the Nyquist frequency; at least -200 dB.
    """
    window = 2 * round(0.016 * sample_rate)
    wave = np.pad(wave, (0, max(0, window - len(wave))))
    # A Hann window sums to half its length, and a sine of amplitude 1 has half of that at its bin.
    blocks = (np.abs(each) * 4 / window for each in spectra.stft_blocks(wave, window, window // 4))
    return np.concatenate([20 * np.log10(np.maximum(each, 1e-10)) for each in blocks]).T


def top_level(waves: Iterable[np.ndarray], sample_rate: int) -> float:
    """Finds the level below which 99.9 % of the points of every spectrogram are.

    Returns:
        a level in dB, at least -100, which keeps silence dark.
    """
    tops = [np.quantile(levels(wave, sample_rate), 0.999) for wave in waves]
    return float(max(-100.0, *tops))


def spectrograms(
    waves: Mapping[str, np.ndarray],
    sample_rate: int,
    top_db: float | None = None,
    cutoff_hz: float | None = None,
) -> Figure:
    """Draws spectrograms side by side with the same colours, six in a row.

    Args:
        waves: title -> wave of shape (n,).
        sample_rate: of all waves, in Hz.
        top_db: level of the brightest colour, for comparable figures; by default that of these
            waves (`top_level`).
        cutoff_hz: the end of the input's band, drawn as a dashed line.
    """
    if top_db is None:
        top_db = top_level(waves.values(), sample_rate)
    columns = min(len(waves), 6)
    rows = -(-len(waves) // columns)
    figure = Figure(figsize=(3.6 * columns + 0.4, 2.7 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    axes = grid.flat[: len(waves)]
    for axis, (title, wave) in zip(axes, waves.items(), strict=True):
        _draw_wave_levels(axis, wave, sample_rate, top_db, cutoff_hz)
        axis.set_title(title, fontsize=10)
    for axis in grid[:, 0]:
        axis.set_ylabel("kHz", fontsize=9)
    for axis in grid.flat[len(waves) :]:
        axis.set_axis_off()
    add_level_bar(figure, axes)
    return figure


def _draw_wave_levels(
    axis: Axes, wave: np.ndarray, sample_rate: int, top_db: float, cutoff_hz: float | None
) -> None:
    seconds = len(wave) / sample_rate
    draw_spectrogram(axis, levels(wave, sample_rate), seconds, sample_rate, top_db, cutoff_hz)


def differences(
    by_title: Mapping[str, np.ndarray], sample_rate: int, cutoff_hz: float | None = None
) -> Figure:
    """Draws the level of estimates relative to their reference over frequency.

    Args:
        by_title: title -> difference in dB, shape (bins,), from 0 Hz to the Nyquist frequency, as
            from `bands.level_differences`.
        sample_rate: of all waves, in Hz.
        cutoff_hz: the end of the input's band, drawn as a dashed line.
    """
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    _draw_differences(figure.add_subplot(), by_title, sample_rate, cutoff_hz)
    return figure


def _draw_differences(
    axis: Axes,
    by_title: Mapping[str, np.ndarray],
    sample_rate: int,
    cutoff_hz: float | None,
) -> None:
    axis.axhline(0, color="black", lw=1)
    for colour, (title, values) in zip(itertools.cycle(COLOURS), by_title.items(), strict=False):
        khz = np.linspace(0, sample_rate / 2000, len(values))
        axis.plot(khz, values, color=colour, lw=1.2, label=title)
    if cutoff_hz is not None:
        axis.axvline(cutoff_hz / 1000, color=GREY, lw=1.4, ls="--", label="end of the input's band")
    axis.set_xlim(0, sample_rate / 2000)
    axis.set_xlabel("kHz", fontsize=10)
    axis.set_ylabel("estimate - reference, dB,\nmean over time", fontsize=10)
    style(axis)
    # Above the axes, since the curves fill all corners.
    legend: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1)}
    axis.legend(**legend, ncols=min(4, len(by_title) + 1), fontsize=9, frameon=False)


def comparison(
    waves: Mapping[str, np.ndarray], sample_rate: int, cutoff_hz: float | None = None
) -> Figure:
    """Draws estimates next to their reference: waves, spectrograms, and errors over frequency.

    Args:
        waves: title -> wave of shape (n,), all of one length; the first is the reference.
        sample_rate: of all waves, in Hz.
        cutoff_hz: the end of the input's band, drawn as a dashed line.

    Raises:
        UserError: the waves cannot be compared.
    """
    (_, reference), *estimates = waves.items()
    figure = Figure(figsize=(max(3.6 * len(waves) + 0.4, 10), 8), layout="constrained")
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.6, 1))
    colours = ["black", *itertools.islice(itertools.cycle(COLOURS), len(estimates))]
    panels = upper.subplots(2, len(waves), height_ratios=(1, 1.5), squeeze=False)
    _draw_waves(panels, waves, colours, sample_rate, cutoff_hz)
    add_level_bar(upper, panels[1])
    left, right = lower.subplots(1, 2)
    _draw_differences(
        left,
        {title: bands.level_differences(reference, wave) for title, wave in estimates},
        sample_rate,
        cutoff_hz,
    )
    distances = {
        title: bands.lsd_by_band(reference, wave, sample_rate) for title, wave in estimates
    }
    _draw_distances(right, distances, colours[1:])
    return figure


def _draw_waves(
    panels: np.ndarray,
    waves: Mapping[str, np.ndarray],
    colours: list[str],
    sample_rate: int,
    cutoff_hz: float | None,
) -> None:
    """Draws each wave above its spectrogram on axes (2, waves)."""
    peak = max(float(np.abs(wave).max()) for wave in waves.values()) or 1.0
    top_db = top_level(waves.values(), sample_rate)
    for column, (axes, colour, (title, wave)) in enumerate(
        zip(panels.T, colours, waves.items(), strict=True)
    ):
        upper, lower = axes
        upper.plot(np.arange(len(wave)) / sample_rate, wave, color=colour, lw=0.5)
        upper.set_xlim(0, len(wave) / sample_rate)
        upper.set_ylim(-1.05 * peak, 1.05 * peak)
        upper.set_title(title, fontsize=11, color=colour)
        style(upper)
        _draw_wave_levels(lower, wave, sample_rate, top_db, cutoff_hz)
        for axis in axes:
            axis.tick_params(labelleft=column == 0)
    panels[0, 0].set_ylabel("amplitude", fontsize=9)
    panels[1, 0].set_ylabel("kHz", fontsize=9)


def _draw_distances(
    axis: Axes,
    distances: Mapping[str, Mapping[tuple[int, int, str], float]],
    colours: list[str],
) -> None:
    """Draws the LSD of each estimate in each band as bars."""
    width = 0.8 / max(1, len(distances))
    by_band = {}
    for number, (title, by_band) in enumerate(distances.items()):
        positions = np.arange(len(by_band)) + (number + 0.5) * width - 0.4
        axis.bar(positions, list(by_band.values()), width, color=colours[number], label=title)
    labels = [f"{low / 1000:g}-{high / 1000:g}\n{sound}" for low, high, sound in by_band]
    axis.set_xticks(range(len(labels)), labels)
    axis.set_xlabel("band in kHz, and what it mostly contains in speech", fontsize=10)
    axis.set_ylabel("LSD (modern), log10", fontsize=10)
    style(axis)
    axis.tick_params(axis="x", labelsize=8)


def fusion_weights(
    weights: Mapping[str, np.ndarray], hz: np.ndarray, cutoffs_hz: Mapping[str, float]
) -> Figure:
    """Draws fusion weights, one column per network: their histogram above their curve.

    Args:
        weights: network -> weight of the time branch, in [0, 1], shape (bins,).
        hz: frequencies of the bins, ascending and equidistant, shape (bins,).
        cutoffs_hz: network -> the end of its input's band.
    """
    figure = Figure(figsize=(4.4 * len(weights) + 0.3, 5.6), layout="constrained")
    axes = figure.subplots(2, len(weights), sharey="row", squeeze=False)
    for column, colour, (name, values) in zip(
        axes.T, itertools.cycle(COLOURS), weights.items(), strict=False
    ):
        histogram, curve = column
        percent = np.full(len(values), 100 / len(values))
        histogram.hist(values, np.linspace(0, 1, 41), weights=percent, color=colour)
        histogram.axvline(values.mean(), color="black", lw=1.4, ls="--")
        histogram.set_title(f"{name}: mean {values.mean():.2f}", fontsize=11)
        histogram.set_xlabel("weight of the time branch", fontsize=10)
        histogram.set_xlim(0, 1)
        _draw_weight_curve(curve, values, hz, cutoffs_hz[name], colour)
        for axis in column:
            style(axis)
    axes[0, 0].set_ylabel("share of the bins, %", fontsize=10)
    axes[1, 0].set_ylabel("weight of the time branch", fontsize=10)
    axes[1, -1].legend(fontsize=9, loc="best")
    return figure


def _draw_weight_curve(
    axis: Axes, values: np.ndarray, hz: np.ndarray, cutoff_hz: float, colour: str
) -> None:
    # An odd number of bins, about 250 Hz wide.
    span = 2 * round(125 / hz[1]) + 1 if len(hz) > 1 else 1
    padded = np.pad(values, span // 2, mode="edge")
    smooth = np.convolve(padded, np.full(span, 1 / span), mode="valid")
    axis.plot(hz / 1000, values, ".", markersize=2, color=colour, alpha=0.25)
    axis.plot(hz / 1000, smooth, color="black", lw=1.6, label="mean over 250 Hz")
    axis.axvline(cutoff_hz / 1000, color=GREY, lw=1.4, ls="--", label="end of the input's band")
    axis.set_xlabel("kHz", fontsize=10)
    axis.set_xlim(0, hz[-1] / 1000)
    axis.set_ylim(-0.02, 1.02)
