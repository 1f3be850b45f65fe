"""Training curves over epochs: a figure of one run, or of several runs."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..command import UserError
from ..command.drawing import COLOURS, GREY, style
from .metrics import METRICS

TRAINING, VALIDATION = COLOURS[:2]
# Columns of a history that are not drawn.
_NO_CURVES = ("epoch", "step", "steps", "seconds")


def training_curves(
    history: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, float]] | None = None
) -> Figure:
    """Draws the history of a run, one panel per quantity.

    Args:
        history: one row per epoch, as read from history.csv: `epoch`, then any of `loss`,
            `val_loss`, `val_snr`, `val_lsd`, ...; a column `val_x` shares the panel of `x`. Values
            may be text; missing ones ("" or None) leave a gap.
        baselines: baseline -> column -> value, drawn as a dashed line.

    Returns:
        the figure; `command.drawing.png` turns it into a file.

    Raises:
        UserError: the history has no rows or no curves.
    """
    columns = _columns(history, "history.csv")
    panels, epochs = _panels(columns), _epochs(history)
    figure = Figure(figsize=(3.9 * len(panels), 3.1), layout="constrained")
    for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, label, colour, marker in (
            (panel, "training", TRAINING, "s"),
            (f"val_{panel}", "validation", VALIDATION, "o"),
        ):
            if name in columns:
                values = [_number(row[name]) for row in history]
                # Markers of more epochs would overlap.
                markersize = 4 if len(epochs) <= 30 else 0
                style_of_points: dict[str, Any] = {"marker": marker, "markersize": markersize}
                axis.plot(epochs, values, label=label, color=colour, lw=1.8, **style_of_points)
        for name, values in (baselines or {}).items():
            if (value := values.get(f"val_{panel}")) is not None:
                axis.axhline(value, label=f"{name}, validation", color=GREY, lw=1.4, ls="--")
        _label(axis, panel)
        axis.legend(fontsize=9.5, frameon=False)
    return figure


def histories(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draws the histories of several runs in the same panels, one panel per quantity.

    Args:
        runs: run -> history, as for `training_curves`. Validation is a solid line, training a
            dotted one.

    Raises:
        UserError: a history has no rows or no curves.
    """
    columns = {name: _columns(history, name) for name, history in runs.items()}
    panels = _panels(itertools.chain.from_iterable(columns.values()))
    colours = dict(zip(runs, itertools.cycle(COLOURS), strict=False))
    figure = Figure(figsize=(3.9 * len(panels), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        for name, history in runs.items():
            for column, line in ((panel, ":"), (f"val_{panel}", "-")):
                if column in columns[name]:
                    values = [_number(row[column]) for row in history]
                    axis.plot(_epochs(history), values, line, color=colours[name], lw=1.8)
        _label(axis, panel)
    handles = [
        *(Line2D([], [], color=colour, lw=1.8, label=name) for name, colour in colours.items()),
        Line2D([], [], color=GREY, lw=1.8, label="validation"),
        Line2D([], [], color=GREY, lw=1.8, ls=":", label="training"),
    ]
    legend: dict[str, Any] = {"loc": "outside lower center", "ncols": len(handles)}
    figure.legend(handles=handles, fontsize=9, frameon=False, **legend)
    return figure


def _columns(history: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    columns = [column for column in history[0] if column not in _NO_CURVES] if history else []
    if not columns:
        raise UserError(f"{name}: the history has no curves; it needs rows with a loss or a metric")
    return columns


def _panels(columns: Iterable[str]) -> list[str]:
    """Lists the panels: `x` and `val_x` share one."""
    return list(dict.fromkeys(name.removeprefix("val_") for name in columns))


def _epochs(history: Sequence[Mapping[str, Any]]) -> list[float]:
    return [float(row.get("epoch", i)) for i, row in enumerate(history)]


def _label(axis: Axes, panel: str) -> None:
    metric = METRICS.get(panel)
    axis.set_title(f"{metric.label}, {metric.unit}" if metric else panel, fontsize=11)
    axis.set_xlabel("epoch", fontsize=10)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    style(axis)


def _number(value: Any) -> float:
    return float("nan") if value in ("", None) else float(value)
