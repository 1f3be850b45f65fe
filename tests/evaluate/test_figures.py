"""Figures, checked on the contents of their axes."""

import io

import numpy as np
import pytest
from matplotlib import image
from wideband.command import UserError
from wideband.command.drawing import COLOURS, GREY, RANGE_DB, png
from wideband.evaluate import figures

SAMPLE_RATE = 8000


def sine(hz, amplitude=1.0, seconds=1.0):
    return amplitude * np.sin(
        2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    )


def panels(figure):
    """The axes of a figure without the colour bar."""
    return [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]


@pytest.mark.parametrize(("amplitude", "expected"), [(1, 0), (0.5, -6.0206), (1e-3, -60)])
def test_a_sine_has_its_level_at_its_frequency(amplitude, expected):
    levels = figures.levels(sine(1000, amplitude), SAMPLE_RATE)
    hz = np.linspace(0, SAMPLE_RATE / 2, len(levels))
    peak = levels.mean(axis=1).argmax()
    assert len(hz) == 129  # windows of 32 ms
    assert hz[peak] == 1000
    assert levels[peak] == pytest.approx(expected, abs=0.01)


def test_a_spectrogram_holds_the_levels_on_axes_in_seconds_and_khz():
    [axis] = panels(figures.spectrograms({"tone": sine(1000, seconds=2)}, SAMPLE_RATE))
    [drawn] = axis.images
    np.testing.assert_array_equal(drawn.get_array(), figures.levels(sine(1000, 1, 2), SAMPLE_RATE))
    assert tuple(drawn.get_extent()) == (0, 2, 0, 4)
    assert drawn.origin == "lower"
    assert axis.get_title() == "tone"


def test_each_wave_has_a_panel_and_all_share_their_colours():
    loud, faint = sine(1000), sine(1000, 0.01)
    top = figures.top_level([faint, loud], SAMPLE_RATE)
    assert top == figures.top_level([loud], SAMPLE_RATE) == pytest.approx(0, abs=0.1)
    axes = panels(figures.spectrograms({"loud": loud, "faint": faint}, SAMPLE_RATE))
    assert [axis.get_title() for axis in axes] == ["loud", "faint"]
    assert [axis.images[0].get_clim() for axis in axes] == [(top - RANGE_DB, top)] * 2
    [alone] = panels(figures.spectrograms({"": faint}, SAMPLE_RATE, top_db=-7))
    assert alone.images[0].get_clim() == (-7 - RANGE_DB, -7)


def test_the_cutoff_is_a_line_at_the_end_of_the_input_band():
    [axis] = panels(figures.spectrograms({"": sine(1000)}, SAMPLE_RATE, cutoff_hz=1500))
    assert set(axis.lines[0].get_ydata()) == {1.5}
    [axis] = panels(figures.spectrograms({"": sine(1000)}, SAMPLE_RATE))
    assert not axis.lines


@pytest.mark.parametrize("n", [1, 50, 4000])
@pytest.mark.filterwarnings("error")
def test_silence_and_short_waves_are_black_and_without_a_warning(n):
    drawn = png(figures.spectrograms({"silence": np.zeros(n)}, SAMPLE_RATE))
    pixels = image.imread(io.BytesIO(drawn), format="png")[..., :3]
    assert pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].max() < 0.05


def test_level_differences_are_curves_over_khz():
    error = np.zeros(1025)
    error[513:] = -20
    drawn = {"a": error, "b": np.full(1025, 10.0)}
    [axis] = figures.differences(drawn, SAMPLE_RATE, cutoff_hz=2000).axes
    zero, first, second, cutoff = axis.lines
    assert set(zero.get_ydata()) == {0}
    np.testing.assert_array_equal(first.get_ydata(), error)
    np.testing.assert_allclose(first.get_xdata(), np.linspace(0, 4, 1025))
    assert set(second.get_ydata()) == {10}
    assert [first.get_color(), second.get_color()] == [*COLOURS[:2]]
    assert set(cutoff.get_xdata()) == {2}


def test_a_comparison_has_waves_spectrograms_differences_and_distances():
    rng = np.random.default_rng(0)
    clean = 0.1 * rng.standard_normal(SAMPLE_RATE)
    waves = {"reference": clean, "half": 0.5 * clean, "noisy": clean + 0.01 * rng.random(8000)}
    axes = panels(figures.comparison(waves, SAMPLE_RATE, 1000))
    upper, lower, (differences, distances) = axes[:3], axes[3:6], axes[6:]
    colours = ["black", *COLOURS[:2]]
    for axis, below, colour, (title, wave) in zip(
        upper, lower, colours, waves.items(), strict=True
    ):
        assert (axis.get_title(), axis.lines[0].get_color()) == (title, colour)
        np.testing.assert_array_equal(axis.lines[0].get_ydata(), wave)
        expected = figures.levels(wave, SAMPLE_RATE)
        np.testing.assert_array_equal(below.images[0].get_array(), expected)
    np.testing.assert_allclose(differences.lines[1].get_ydata(), 20 * np.log10(0.5), atol=1e-6)
    # Four bands below 4 kHz, a bar per estimate.
    assert [bar.get_label() for bar in distances.containers] == ["half", "noisy"]
    heights = [patch.get_height() for patch in distances.containers[0]]
    np.testing.assert_allclose(heights, [2 * np.log10(2)] * 4, rtol=1e-6)
    with pytest.raises(UserError, match="must be equal"):
        figures.comparison({"reference": clean, "short": clean[:-1]}, SAMPLE_RATE)


def test_fusion_weights_are_counted_and_drawn_over_frequency():
    hz = np.linspace(0, 8000, 129)
    weights = {"net": np.linspace(0.1, 0.8, 129), "other": np.full(129, 0.9)}
    axes = figures.fusion_weights(weights, hz, {"net": 2000.0, "other": 4000.0}).axes
    histograms, curves = axes[:2], axes[2:]
    for histogram, curve, colour, (name, values), cutoff in zip(
        histograms, curves, COLOURS, weights.items(), (2, 4), strict=False
    ):
        percent = np.histogram(values, np.linspace(0, 1, 41))[0] * 100 / 129
        np.testing.assert_allclose([bar.get_height() for bar in histogram.patches], percent)
        assert histogram.get_title() == f"{name}: mean {values.mean():.2f}"
        points, smooth, line = curve.lines
        np.testing.assert_array_equal(points.get_ydata(), values)
        np.testing.assert_array_equal(points.get_xdata(), hz / 1000)
        assert (points.get_color(), line.get_color()) == (colour, GREY)
        assert set(line.get_xdata()) == {cutoff}
        # Bins are 62.5 Hz apart: the mean spans five of them.
        assert smooth.get_ydata()[60] == pytest.approx(values[58:63].mean())
