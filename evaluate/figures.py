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
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .metrics import METRICS, bands

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
        _draw_levels(axis, wave, sample_rate, top_db, cutoff_hz)
        axis.set_title(title, fontsize=10)
    axes[0].set_ylabel("kHz", fontsize=9)
    _level_bar(figure, axes)
    return _png(figure, dpi=160)


def _draw_levels(
    axis: Axes, wave: np.ndarray, sample_rate: int, top_db: float, cutoff_hz: float | None
) -> None:
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
    axis.set_xlabel("seconds", fontsize=9)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=seconds > 3))
    axis.tick_params(labelsize=9, color=_GREY)
    axis.spines[:].set_visible(False)


def _level_bar(figure: FigureBase, axes: Iterable[Axes]) -> None:
    """Adds the scale of the colours beside spectrograms."""
    axes = list(axes)
    bar = figure.colorbar(axes[-1].images[0], ax=axes, pad=0.02, aspect=24)
    bar.set_label("dB", fontsize=9)
    bar.ax.tick_params(labelsize=8, color=_GREY)
    bar.outline.set_visible(False)


def comparison(
    waves: Mapping[str, np.ndarray], sample_rate: int, cutoff_hz: float | None = None
) -> bytes:
    """Draws estimates beside their reference: waves, spectrograms, and where they err.

    Args:
        waves: title -> wave of shape (n,), all of one length; the first is the reference.
        sample_rate: of all waves, in Hz.
        cutoff_hz: where the input's band ends, drawn as a dashed line.

    Returns:
        a PNG.

    Raises:
        ValueError: the waves cannot be compared.
    """
    (first, reference), *estimates = waves.items()
    columns = len(waves)
    figure = Figure(figsize=(max(3.6 * columns + 0.4, 10), 8), layout="constrained")
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.6, 1))
    panels = upper.subplots(2, columns, height_ratios=(1, 1.5), squeeze=False)
    left, right = lower.subplots(1, 2)
    peak = max(float(np.abs(wave).max()) for wave in waves.values()) or 1.0
    top_db = top_level(waves.values(), sample_rate)
    colours = ["black", *itertools.islice(itertools.cycle(_COLOURS), len(estimates))]
    for (axis, picture), colour, (title, wave) in zip(
        panels.T, colours, waves.items(), strict=True
    ):
        axis.plot(np.arange(len(wave)) / sample_rate, wave, color=colour, lw=0.5)
        axis.set_xlim(0, len(wave) / sample_rate)
        axis.set_ylim(-1.05 * peak, 1.05 * peak)
        axis.set_title(title, fontsize=11, color=colour)
        _tidy(axis)
        _draw_levels(picture, wave, sample_rate, top_db, cutoff_hz)
        for each in (axis, picture):
            each.tick_params(labelleft=title == first)
    panels[0, 0].set_ylabel("amplitude", fontsize=9)
    panels[1, 0].set_ylabel("kHz", fontsize=9)
    _level_bar(upper, panels[1])

    _draw_differences(
        left,
        {title: bands.level_differences(reference, wave) for title, wave in estimates},
        sample_rate,
        cutoff_hz,
    )
    width = 0.8 / max(1, len(estimates))
    distances = {}
    for number, (title, wave) in enumerate(estimates):
        distances = bands.lsd_by_band(reference, wave, sample_rate)
        places = np.arange(len(distances)) + (number + 0.5) * width - 0.4
        right.bar(places, list(distances.values()), width, color=colours[number + 1], label=title)
    labels = [f"{low / 1000:g}-{high / 1000:g}\n{what}" for low, high, what in distances]
    right.set_xticks(range(len(labels)), labels)
    right.set_xlabel("band in kHz, and what mostly lies there in speech", fontsize=10)
    right.set_ylabel("LSD (modern), log10", fontsize=10)
    _tidy(right)
    right.tick_params(axis="x", labelsize=8)
    return _png(figure, dpi=130)


def differences(
    by_title: Mapping[str, np.ndarray], sample_rate: int, cutoff_hz: float | None = None
) -> bytes:
    """Draws how much louder than their reference estimates are, along frequency.

    Args:
        by_title: title -> `bands.level_differences`, or their mean over recordings.
        sample_rate: in Hz.
        cutoff_hz: where the input's band ends, drawn as a dashed line.

    Returns:
        a PNG.
    """
    figure = Figure(figsize=(7.5, 3.4), layout="constrained")
    _draw_differences(figure.add_subplot(), by_title, sample_rate, cutoff_hz)
    return _png(figure, dpi=130)


def _draw_differences(
    axis: Axes,
    by_title: Mapping[str, np.ndarray],
    sample_rate: int,
    cutoff_hz: float | None,
) -> None:
    axis.axhline(0, color="black", lw=1)
    for colour, (title, values) in zip(itertools.cycle(_COLOURS), by_title.items(), strict=False):
        khz = np.linspace(0, sample_rate / 2000, len(values))
        axis.plot(khz, values, color=colour, lw=1.2, label=title)
    if cutoff_hz is not None:
        axis.axvline(
            cutoff_hz / 1000, color=_GREY, lw=1.4, ls="--", label="end of the input's band"
        )
    axis.set_xlim(0, sample_rate / 2000)
    axis.set_xlabel("kHz", fontsize=10)
    axis.set_ylabel("estimate - reference, dB,\nmean over time", fontsize=10)
    _tidy(axis)
    # Above the curves, which leave no corner free.
    above: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1)}
    axis.legend(**above, ncols=min(4, len(by_title) + 1), fontsize=9, frameon=False)


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
    columns = _columns(history)
    panels, epochs = _panels(columns), _epochs(history)
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
        _head(axis, panel)
        axis.legend(fontsize=9.5, frameon=False)
    return _png(figure, dpi=130)


def histories(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    """Draws the courses of several trainings over each other, one panel per quantity.

    Args:
        runs: name of the run -> its history, as for `training_curves`. Validation is a full line,
            training a dotted one.

    Returns:
        a PNG.

    Raises:
        ValueError: a history has no rows or no curves.
    """
    columns = {name: _columns(history) for name, history in runs.items()}
    panels = _panels(itertools.chain.from_iterable(columns.values()))
    figure = Figure(figsize=(3.9 * len(panels), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        for colour, (name, history) in zip(itertools.cycle(_COLOURS), runs.items(), strict=False):
            for column, style in ((panel, ":"), (f"val_{panel}", "-")):
                if column in columns[name]:
                    values = [_number(row[column]) for row in history]
                    axis.plot(_epochs(history), values, style, color=colour, lw=1.8)
        _head(axis, panel)
    handles = [
        *(
            Line2D([], [], color=colour, lw=1.8, label=name)
            for colour, name in zip(itertools.cycle(_COLOURS), runs, strict=False)
        ),
        Line2D([], [], color=_GREY, lw=1.8, label="validation"),
        Line2D([], [], color=_GREY, lw=1.8, ls=":", label="training"),
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9, frameon=False
    )
    return _png(figure, dpi=130)


def _columns(history: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = [name for name in history[0] if name not in _NO_CURVES] if history else []
    if not columns:
        raise ValueError("the history holds no curves")
    return columns


def _panels(columns: Iterable[str]) -> list[str]:
    """What is drawn in a panel each: a quantity of training shares it with that of validation."""
    return list(dict.fromkeys(name.removeprefix("val_") for name in columns))


def _epochs(history: Sequence[Mapping[str, Any]]) -> list[float]:
    return [float(row.get("epoch", i)) for i, row in enumerate(history)]


def _head(axis: Axes, panel: str) -> None:
    """Dresses a panel over epochs."""
    metric = METRICS.get(panel)
    axis.set_title(f"{metric.label}, {metric.unit}" if metric else panel, fontsize=11)
    axis.set_xlabel("epoch", fontsize=10)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _tidy(axis)


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
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _number(value: Any) -> float:
    return float("nan") if value in ("", None) else float(value)
