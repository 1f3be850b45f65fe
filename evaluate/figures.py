"""Pictures for reports and run folders: spectrograms, curves and weights, as PNG bytes.

Colours are from scales that hold for colour-blind readers and in grey: magma for spectrograms,
those of Okabe and Ito for curves.
"""

import io
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import librosa
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .metrics import METRICS

RANGE_DB = 80.0

# Okabe and Ito; their yellow is too faint on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_TRAINING, _VALIDATION = _COLOURS[:2]
_GREY = "#888888"
# Columns of a history that are no curves.
_NO_CURVES = ("epoch", "step", "steps", "seconds")


def _png(figure: Figure, dpi: int) -> bytes:
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi)
    # A palette makes a spectrogram four times smaller; 128 colours are more than it shows.
    picture = Image.open(drawn).convert("RGB").quantize(128, method=Image.Quantize.FASTOCTREE)
    picture.save(packed, format="png", optimize=True)
    return packed.getvalue()


def levels(wave: np.ndarray, sample_rate: int) -> np.ndarray:
    """Short-time levels of a wave, in dB of a full-scale sine's amplitude.

    Windows of 32 ms (Hann), every 8 ms.

    Args:
        wave: shape (n,).
        sample_rate: in Hz.

    Returns:
        shape (frequencies, frames), from 0 to the Nyquist frequency; -200 dB at least.
    """
    window = 2 * round(0.016 * sample_rate)
    wave = np.pad(wave, (0, max(0, window - len(wave))))
    # A Hann window sums to half its length, and a sine of amplitude 1 fills half of that.
    magnitudes = (
        np.abs(librosa.stft(wave, n_fft=window, hop_length=window // 4, center=False)) * 4 / window
    )
    return 20 * np.log10(np.maximum(magnitudes, 1e-10))


def top_level(waves: Iterable[np.ndarray], sample_rate: int) -> float:
    """The level that all but a thousandth of the points of some spectrograms stay below.

    Returns:
        a level in dB, -100 at least: silence is drawn dark.
    """
    tops = [np.quantile(levels(wave, sample_rate), 0.999) for wave in waves]
    return float(max(-100.0, *tops))


def spectrograms(
    waves: Mapping[str, np.ndarray],
    sample_rate: int,
    top_db: float | None = None,
    cutoff_hz: float | None = None,
) -> bytes:
    """Draws spectrograms side by side, on one scale of colours.

    Args:
        waves: title -> wave of shape (n,).
        sample_rate: of all waves, in Hz.
        top_db: level of the brightest colour, to compare several pictures; by default that of
            these waves (`top_level`). The darkest is `RANGE_DB` lower.
        cutoff_hz: where the input's band ends, drawn as a dashed line.

    Returns:
        a PNG.
    """
    if top_db is None:
        top_db = top_level(waves.values(), sample_rate)
    figure = Figure(figsize=(3.6 * len(waves) + 0.4, 2.7), layout="constrained")
    axes = figure.subplots(1, len(waves), sharey=True, squeeze=False)[0]
    for axis, (title, wave) in zip(axes, waves.items(), strict=True):
        seconds = len(wave) / sample_rate
        axis.imshow(
            levels(wave, sample_rate),
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=top_db - RANGE_DB,
            vmax=top_db,
            extent=(0, seconds, 0, sample_rate / 2000),
        )
        if cutoff_hz is not None:
            axis.axhline(cutoff_hz / 1000, color="white", lw=0.8, ls=(0, (4, 4)), aa=False)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("seconds", fontsize=9)
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=seconds > 3))
        axis.tick_params(labelsize=9, color=_GREY)
        axis.spines[:].set_visible(False)
    axes[0].set_ylabel("kHz", fontsize=9)
    bar = figure.colorbar(axes[-1].images[0], ax=list(axes), pad=0.02, aspect=24)
    bar.set_label("dB", fontsize=9)
    bar.ax.tick_params(labelsize=8, color=_GREY)
    bar.outline.set_visible(False)
    return _png(figure, dpi=160)


def training_curves(
    history: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, float]] | None = None
) -> bytes:
    """Draws the course of a training, one panel per quantity.

    Args:
        history: one row per epoch, as read from history.csv: `epoch`, then any of `loss`,
            `val_loss`, `val_snr`, `val_lsd`, ...; a column `val_x` is drawn with its `x`. Values
            may be text; missing ones ("" or None) leave a gap.
        baselines: name of a baseline -> column -> its value, drawn as a dashed line.

    Returns:
        a PNG.

    Raises:
        ValueError: the history has no rows or no curves.
    """
    columns = [name for name in history[0] if name not in _NO_CURVES] if history else []
    if not columns:
        raise ValueError("the history holds no curves")
    panels = list(dict.fromkeys(name.removeprefix("val_") for name in columns))
    epochs = [float(row.get("epoch", i)) for i, row in enumerate(history)]
    figure = Figure(figsize=(3.9 * len(panels), 3.1), layout="constrained")
    for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, label, colour, marker in (
            (panel, "training", _TRAINING, "s"),
            (f"val_{panel}", "validation", _VALIDATION, "o"),
        ):
            if name in columns:
                values = [_number(row[name]) for row in history]
                axis.plot(
                    epochs,
                    values,
                    label=label,
                    color=colour,
                    lw=1.8,
                    marker=marker,
                    # A dot per epoch while they can be told apart.
                    markersize=4 if len(epochs) <= 30 else 0,
                )
        for name, values in (baselines or {}).items():
            if (value := values.get(f"val_{panel}")) is not None:
                axis.axhline(value, label=f"{name}, validation", color=_GREY, lw=1.4, ls="--")
        metric = METRICS.get(panel)
        axis.set_title(f"{metric.label}, {metric.unit}" if metric else panel, fontsize=11)
        axis.set_xlabel("epoch", fontsize=10)
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _tidy(axis)
        axis.legend(fontsize=9.5, frameon=False)
    return _png(figure, dpi=130)


def fusion_weights(
    weights: Mapping[str, np.ndarray], hz: np.ndarray, cutoffs_hz: Mapping[str, float]
) -> bytes:
    """Draws fusion weights, a column per network: their distribution, and them along frequency.

    Args:
        weights: name of the network -> weight on its time branch, in [0, 1], shape (bins,).
        hz: frequencies of the bins, ascending at equal distances, shape (bins,).
        cutoffs_hz: name of the network -> where its input's band ends.

    Returns:
        a PNG.
    """
    figure = Figure(figsize=(4.4 * len(weights) + 0.3, 5.6), layout="constrained")
    axes = figure.subplots(2, len(weights), sharey="row", squeeze=False)
    # An odd number of bins, over about 250 Hz.
    span = 2 * round(125 / hz[1]) + 1 if len(hz) > 1 else 1
    for column, colour, (name, values) in zip(
        axes.T, itertools.cycle(_COLOURS), weights.items(), strict=False
    ):
        distribution, course = column
        shares = np.full(len(values), 100 / len(values))
        distribution.hist(values, np.linspace(0, 1, 41), weights=shares, color=colour)
        distribution.axvline(values.mean(), color="black", lw=1.4, ls="--")
        distribution.set_title(f"{name}: mean {values.mean():.2f}", fontsize=11)
        distribution.set_xlabel("weight on the time branch", fontsize=10)
        distribution.set_xlim(0, 1)
        course.plot(hz / 1000, values, ".", markersize=2, color=colour, alpha=0.25)
        padded = np.pad(values, span // 2, mode="edge")
        smooth = np.convolve(padded, np.full(span, 1 / span), mode="valid")
        course.plot(hz / 1000, smooth, color="black", lw=1.6, label="mean over 250 Hz")
        course.axvline(
            cutoffs_hz[name] / 1000, color=_GREY, lw=1.4, ls="--", label="end of the input's band"
        )
        course.set_xlabel("kHz", fontsize=10)
        course.set_xlim(0, hz[-1] / 1000)
        course.set_ylim(-0.02, 1.02)
        for axis in column:
            _tidy(axis)
    axes[0, 0].set_ylabel("share of the bins, %", fontsize=10)
    axes[1, 0].set_ylabel("weight on the time branch", fontsize=10)
    axes[1, -1].legend(fontsize=9, loc="best")
    return _png(figure, dpi=130)


def _tidy(axis: Axes) -> None:
    axis.tick_params(labelsize=9.5, color=_GREY)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _number(value: Any) -> float:
    return float("nan") if value in ("", None) else float(value)
