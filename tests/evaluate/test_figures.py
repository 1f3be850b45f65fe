"""The pictures, judged by their pixels."""

import io
import warnings

import numpy as np
import pytest
from matplotlib import image
from wideband.evaluate import figures

SAMPLE_RATE = 8000


def sine(hz, amplitude=1.0, seconds=1.0):
    return amplitude * np.sin(
        2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    )


def pixels(png):
    return image.imread(io.BytesIO(png), format="png")[..., :3]


def share(png, colour, tolerance=0.05):
    """Share of the pixels that have nearly this colour."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float((np.abs(pixels(png) - rgb) < tolerance).all(axis=-1).mean())


@pytest.mark.parametrize(("amplitude", "expected"), [(1, 0), (0.5, -6.0206), (1e-3, -60)])
def test_a_sine_has_its_level_at_its_frequency(amplitude, expected):
    levels = figures.levels(sine(1000, amplitude), SAMPLE_RATE)
    hz = np.linspace(0, SAMPLE_RATE / 2, len(levels))
    peak = levels.mean(axis=1).argmax()
    assert len(hz) == 129  # windows of 32 ms
    assert hz[peak] == 1000
    assert levels[peak] == pytest.approx(expected, abs=0.01)


def test_a_high_tone_is_drawn_above_a_low_one():
    def brightest_row(hz):
        picture = pixels(figures.spectrograms({"": sine(hz)}, SAMPLE_RATE, top_db=0))
        inside = picture[:, picture.shape[1] // 4 : picture.shape[1] // 2]
        # The tone alone is bright and not white.
        return ((inside[..., 0] > 0.9) & (inside[..., 2] < 0.9)).sum(axis=1).argmax()

    assert brightest_row(3000) < brightest_row(2000) < brightest_row(1000)


def test_waves_side_by_side_share_their_colours():
    loud, faint = sine(1000), sine(1000, 0.01)
    alone = figures.spectrograms({"": faint}, SAMPLE_RATE)
    beside = figures.spectrograms({"": faint}, SAMPLE_RATE, figures.top_level([loud], SAMPLE_RATE))
    assert pixels(beside).mean() < pixels(alone).mean()
    assert figures.top_level([faint, loud], SAMPLE_RATE) == figures.top_level([loud], SAMPLE_RATE)


def test_what_lies_80_db_below_the_top_is_black():
    def brightness(top_db):
        picture = pixels(figures.spectrograms({"": sine(1000, 0.1)}, SAMPLE_RATE, top_db))
        height, width, _ = picture.shape
        return picture[height // 5 : height * 7 // 10, width // 4 : width // 2].max()

    # The tone lies at -20 dB.
    assert brightness(top_db=61) < 0.05
    assert brightness(top_db=50) > 0.1


def test_every_wave_gets_a_panel():
    widths = [
        pixels(figures.spectrograms({str(i): sine(1000) for i in range(n)}, SAMPLE_RATE)).shape[1]
        for n in (1, 4)
    ]
    assert widths[1] > 3 * widths[0]


def test_the_cutoff_is_drawn_where_the_input_ends():
    silence = {"": np.zeros(SAMPLE_RATE)}
    without = pixels(figures.spectrograms(silence, SAMPLE_RATE))
    with_line = pixels(figures.spectrograms(silence, SAMPLE_RATE, cutoff_hz=1000))
    rows = np.unique(np.nonzero((without != with_line).any(axis=-1))[0])
    inside = without[:, without.shape[1] // 4 : without.shape[1] // 2]
    black = np.nonzero((inside < 0.05).all(axis=(1, 2)))[0]
    assert len(rows) <= 3
    # A quarter of the way up from the bottom.
    assert (black.max() - rows.mean()) / np.ptp(black) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("n", [1, 50, 4000])
def test_silence_and_short_waves_are_drawn_without_a_warning(n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = pixels(figures.spectrograms({"silence": np.zeros(n)}, SAMPLE_RATE))
    # The panel is black.
    assert picture[picture.shape[0] // 2, picture.shape[1] // 2].max() < 0.05


def history(epochs=5, **columns):
    return [
        {"epoch": epoch, **{name: str(start / epoch) for name, start in columns.items()}}
        for epoch in range(1, epochs + 1)
    ]


def test_a_column_with_its_validation_shares_a_panel():
    one = figures.training_curves(history(loss=1, val_loss=2))
    two = figures.training_curves(history(loss=1, val_snr=2))
    assert pixels(two).shape[1] == pytest.approx(2 * pixels(one).shape[1], abs=2)


def test_training_and_validation_have_a_colour_each():
    blue, orange = "#0072B2", "#D55E00"
    both = figures.training_curves(history(loss=1, val_loss=2))
    assert share(both, blue) > 1e-3
    assert share(both, orange) > 1e-3
    assert share(figures.training_curves(history(loss=1)), orange) == 0
    assert share(figures.training_curves(history(val_snr=1)), blue) == 0


def test_what_is_no_curve_is_passed_over():
    plain = figures.training_curves(history(loss=1))
    assert figures.training_curves(history(loss=1, seconds=9)) == plain


def test_a_missing_value_leaves_a_gap():
    rows = history(loss=1, val_loss=2)
    rows[2]["val_loss"] = ""
    rows[3]["val_loss"] = None
    whole = figures.training_curves(history(loss=1, val_loss=2))
    assert 0 < share(figures.training_curves(rows), "#D55E00") < share(whole, "#D55E00")


def test_a_baseline_is_a_dashed_line_in_the_panel_of_its_metric():
    rows = history(val_snr=2)
    drawn = figures.training_curves(rows, {"spline": {"val_snr": 1.0}})
    assert share(drawn, "#888888") > 1.2 * share(figures.training_curves(rows), "#888888")
    elsewhere = {"spline": {"val_lsd": 1.0}}
    assert figures.training_curves(rows, elsewhere) == figures.training_curves(rows)


@pytest.mark.parametrize("rows", [[], history(), history(seconds=3)])
def test_a_history_without_curves_is_refused(rows):
    with pytest.raises(ValueError, match="no curves"):
        figures.training_curves(rows)


def ink(png, colour):
    """Rows and columns of the pixels that have this colour."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.nonzero((np.abs(pixels(png) - rgb) < 0.02).all(axis=-1))


BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


def test_every_run_has_its_colour_in_every_panel():
    runs = {"a": history(val_snr=1), "b": history(val_snr=2), "c": history(epochs=2, val_lsd=3)}
    picture = figures.histories(runs)
    half = pixels(picture).shape[1] // 2
    # The legend lies below the panels.
    panels = {
        colour: {bool(x > half) for y, x in zip(*ink(picture, colour), strict=True) if y < 330}
        for colour in (BLUE, ORANGE, GREEN)
    }
    assert panels == {BLUE: {False}, ORANGE: {False}, GREEN: {True}}


def test_runs_share_their_axes():
    low, high = history(val_snr=1), history(val_snr=8)
    rows = {
        colour: ink(figures.histories({"a": low, "b": high}), colour)[0]
        for colour in (BLUE, ORANGE)
    }
    above = {colour: each[each < 330].mean() for colour, each in rows.items()}
    assert above[ORANGE] < above[BLUE] - 50


def test_a_run_without_curves_is_refused_beside_others():
    with pytest.raises(ValueError, match="no curves"):
        figures.histories({"a": history(loss=1), "b": []})


def test_a_fainter_estimate_lies_below_zero_from_its_frequency_on():
    error = np.zeros(1025)
    error[513:] = -20
    drawn = figures.differences({"a": error, "b": np.full(1025, 10.0)}, SAMPLE_RATE)
    rows, columns = ink(drawn, BLUE)
    _, orange = ink(drawn, ORANGE)
    right = columns > (orange.min() + orange.max()) / 2
    # The legend stands above.
    curve = rows > 60
    assert rows[right & curve].mean() > rows[~right & curve].mean() + 100


def test_a_comparison_colours_every_estimate_and_not_the_reference():
    rng = np.random.default_rng(0)
    clean = 0.1 * rng.standard_normal(SAMPLE_RATE)
    waves = {
        "reference": clean,
        "half": 0.5 * clean,
        "noisy": clean + 0.01 * rng.random(SAMPLE_RATE),
    }
    drawn = figures.comparison(waves, SAMPLE_RATE, 1000)
    height, width, _ = pixels(drawn).shape
    for colour, third in ((BLUE, 1), (ORANGE, 2)):
        rows, columns = ink(drawn, colour)
        waveform = columns[rows < height // 4]
        # The scale of the colours takes a little of the last third.
        assert third * width / 3.4 < waveform.min() < waveform.max() < (third + 1) * width / 3
    assert share(drawn, GREEN) == 0
    with pytest.raises(ValueError, match="must be equal"):
        figures.comparison({"reference": clean, "short": clean[:-1]}, SAMPLE_RATE)


def test_weights_are_counted_where_they_lie():
    def place(value):
        hz = np.linspace(0, 8000, 129)
        picture = figures.fusion_weights({"net": np.full(129, value)}, hz, {"net": 2000.0})
        rows, columns = ink(picture, BLUE)
        return columns[rows < pixels(picture).shape[0] // 2].mean()

    left, middle, right = (place(value) for value in (0.21, 0.51, 0.91))
    assert middle - left == pytest.approx(0.75 * (right - middle), rel=0.05)
