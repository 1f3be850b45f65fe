"""Drawing helpers of all figures: PNG bytes, colours, axes and spectrograms.

The colours are safe for colour-blind readers and in greyscale: magma for spectrograms, the palette
of Okabe and Ito for curves.
"""

import io
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from PIL import Image

# The palette of Okabe and Ito without yellow, which is too faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GREY = "#888888"
# The darkest colour of a spectrogram is this far below the brightest.
RANGE_DB = 80.0


def png(figure: Figure, dpi: int = 130) -> bytes:
    """Returns a figure as a PNG of 128 colours, which has a quarter of the usual size."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    packed = io.BytesIO()
    picture.quantize(128, method=Image.Quantize.FASTOCTREE).save(packed, "png", optimize=True)
    return packed.getvalue()


def style(axis: Axes) -> None:
    """Styles the axes of curves or bars: a light grid, no frame."""
    axis.tick_params(labelsize=9.5, color=GREY)
    axis.grid(alpha=0.25)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def draw_spectrogram(
    axis: Axes,
    levels_db: np.ndarray,
    seconds: float,
    sample_rate: int,
    top_db: float,
    cutoff_hz: float | None = None,
) -> AxesImage:
    """Draws levels over time and frequency.

    Args:
        axis: the axes to draw on.
        levels_db: shape (bins, columns), from 0 Hz to the Nyquist frequency.
        seconds: total duration of the columns.
        sample_rate: in Hz.
        top_db: level of the brightest colour; the darkest is `RANGE_DB` lower.
        cutoff_hz: frequency to mark with a dashed line.

    Returns:
        the image, for a colour bar.
    """
    image = axis.imshow(
        levels_db,
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
    axis.tick_params(labelsize=9, color=GREY)
    axis.spines[:].set_visible(False)
    return image


def add_level_bar(figure: FigureBase, axes: Iterable[Axes]) -> None:
    """Adds one colour bar for several spectrograms with the same colours."""
    axes = list(axes)
    bar = figure.colorbar(axes[-1].images[0], ax=axes, pad=0.02, aspect=24)
    bar.set_label("dB", fontsize=9)
    bar.ax.tick_params(labelsize=8, color=GREY)
    bar.outline.set_visible(False)
