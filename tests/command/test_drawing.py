"""Figures as PNG files, and spectrograms on axes."""

import io

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from wideband.command.drawing import RANGE_DB, add_level_bar, draw_spectrogram, png


def test_a_png_has_the_size_and_colours_of_its_figure():
    figure = Figure(figsize=(2, 1), facecolor="#0072B2")
    picture = Image.open(io.BytesIO(png(figure, dpi=50)))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "P", (100, 50))
    assert np.abs(np.asarray(picture.convert("RGB")) - (0x00, 0x72, 0xB2)).max() <= 4


def test_the_colour_bar_of_a_spectrogram_spans_its_range_below_the_top():
    figure = Figure()
    axis = figure.add_subplot()
    image = draw_spectrogram(axis, np.zeros((5, 7)), 3.0, 8000, -10.0, cutoff_hz=1000)
    add_level_bar(figure, [axis])
    assert image.get_clim() == (-10 - RANGE_DB, -10)
    assert tuple(image.get_extent()) == (0, 3, 0, 4)
    assert set(axis.lines[0].get_ydata()) == {1}
    assert len(figure.axes) == 2
