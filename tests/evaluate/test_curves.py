"""Training curves, checked on the contents of their axes."""

import numpy as np
import pytest
from wideband.command import UserError
from wideband.command.drawing import COLOURS, GREY
from wideband.evaluate import curves


def history(epochs=5, **columns):
    """A history whose columns fall from their start, as text."""
    return [
        {"epoch": epoch, **{name: str(start / epoch) for name, start in columns.items()}}
        for epoch in range(1, epochs + 1)
    ]


def lines(figure):
    """Panel -> colour -> line."""
    return {
        axis.get_title(): {line.get_color(): line for line in axis.lines} for axis in figure.axes
    }


def test_a_quantity_shares_its_panel_with_its_validation():
    assert list(lines(curves.training_curves(history(loss=1, val_loss=2)))) == ["loss"]
    titles = ["loss", "SNR, dB", "LSD (modern), log10"]
    assert list(lines(curves.training_curves(history(loss=1, val_snr=2, val_lsd=3)))) == titles


def test_training_and_validation_have_the_values_of_their_columns():
    panel = lines(curves.training_curves(history(loss=1, val_loss=2)))["loss"]
    assert list(panel) == [curves.TRAINING, curves.VALIDATION]
    for colour, start in ((curves.TRAINING, 1), (curves.VALIDATION, 2)):
        np.testing.assert_array_equal(panel[colour].get_xdata(), range(1, 6))
        np.testing.assert_allclose(panel[colour].get_ydata(), start / np.arange(1, 6))
    assert panel[curves.TRAINING].get_label() == "training"
    assert list(lines(curves.training_curves(history(val_snr=1)))["SNR, dB"]) == [curves.VALIDATION]


def test_columns_without_a_curve_are_ignored():
    figure = curves.training_curves(history(loss=1, seconds=9, step=5))
    assert list(lines(figure)) == ["loss"]


def test_a_missing_value_leaves_a_gap():
    rows = history(loss=1, val_loss=2)
    rows[2]["val_loss"] = ""
    rows[3]["val_loss"] = None
    panel = lines(curves.training_curves(rows))["loss"]
    gaps = np.isnan(panel[curves.VALIDATION].get_ydata())
    assert gaps.tolist() == [False, False, True, True, False]


def test_a_baseline_is_a_dashed_line_in_the_panel_of_its_metric():
    rows = history(val_snr=2)
    baseline = lines(curves.training_curves(rows, {"spline": {"val_snr": 1.5}}))["SNR, dB"][GREY]
    assert set(baseline.get_ydata()) == {1.5}
    assert (baseline.get_linestyle(), baseline.get_label()) == ("--", "spline, validation")
    other_metric = curves.training_curves(rows, {"spline": {"val_lsd": 1.5}})
    assert GREY not in lines(other_metric)["SNR, dB"]


@pytest.mark.parametrize("rows", [[], history(), history(seconds=3)])
def test_a_history_without_curves_is_refused(rows):
    with pytest.raises(UserError, match="no curves"):
        curves.training_curves(rows)
    with pytest.raises(UserError, match="second: the history has no curves"):
        curves.histories({"first": history(loss=1), "second": rows})


def test_each_run_has_one_colour_in_all_panels():
    runs = {
        "a": history(val_snr=1),
        "b": history(val_snr=2, val_lsd=2),
        "c": history(epochs=2, val_lsd=3),
    }
    panels = lines(curves.histories(runs))
    first, second, third = COLOURS[:3]
    assert list(panels["SNR, dB"]) == [first, second]
    assert list(panels["LSD (modern), log10"]) == [second, third]
    np.testing.assert_array_equal(panels["LSD (modern), log10"][third].get_xdata(), [1, 2])


def test_validation_is_solid_and_training_dotted():
    figure = curves.histories({"a": history(loss=1, val_loss=2)})
    drawn = {line.get_linestyle(): line.get_ydata()[0] for line in figure.axes[0].lines}
    assert drawn == {":": 1, "-": 2}
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["a", "validation", "training"]
