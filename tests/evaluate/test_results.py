"""Results as text, in tables and in JSON files."""

import dataclasses
import json
import math

import numpy as np
import pytest
from wideband.evaluate import results
from wideband.evaluate.metrics import statistics
from wideband.evaluate.metrics.statistics import Mean


def read_strictly(path):
    """Reads JSON, which has no nan and no infinity."""
    return json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))


def test_a_mean_is_formatted_with_its_interval_and_the_digits_of_its_metric():
    mean = Mean(15.6049, 15.2, 16, 9, 0)
    assert results.format_mean("snr", mean) == "15.60 [15.20, 16.00]"
    assert results.format_mean("lsd", mean) == "15.605 [15.200, 16.000]"
    assert results.format_mean("snr", statistics.summarize([math.inf])) == "-"


def test_a_difference_is_formatted_with_signs():
    found = statistics.difference("snr", "a", "b", {"a": np.zeros(7), "b": np.full(7, 1.5)})
    assert results.format_difference(found) == "+1.50 [+1.50, +1.50]"
    infinite = {"a": np.array([math.inf]), "b": np.array([math.inf])}
    nothing = statistics.difference("snr", "a", "b", infinite)
    assert results.format_difference(nothing) == "-"


def test_a_heading_names_convention_unit_and_direction():
    assert results.metric_header("lsd_kuleshov") == "LSD (Kuleshov), ln, lower is better"
    assert results.metric_header("snr") == "SNR, dB, higher is better"
    assert results.metric_header("level_hf") == "Level-HF, dB, 0 is best"


def test_a_summary_is_strict_json_with_facts_and_units(tmp_path):
    path = tmp_path / "scores.json"
    means = {"lsd": Mean(1.5, 1.0, 2.0, 3, 0), "snr": statistics.summarize([math.inf])}
    results.write_summary(path, means, references="clean", files=3)
    read = read_strictly(path)
    assert read["references"] == "clean"
    assert read["interval"]["level"] == 0.95
    assert read["metrics"]["lsd"] == {
        "label": "LSD (modern)",
        "unit": "log10",
        "higher_is_better": False,
        "mean": 1.5,
        "low": 1.0,
        "high": 2.0,
        "files": 3,
        "left_out": 0,
    }
    assert read["metrics"]["snr"]["mean"] is None


@dataclasses.dataclass
class Facts:
    corpus: str = "VCTK"


def test_systems_appear_side_by_side_in_a_table_and_in_a_file(tmp_path):
    systems = {
        "spline": {"snr": Mean(15.6, 15, 16, 9, 0), "lsd": Mean(3.5, 3.4, 3.6, 9, 0)},
        "net": {"snr": Mean(17.1, 17, 18, 9, 0), "lsd": Mean(1.2, 1.1, 1.3, 9, 0)},
    }
    header, rows = results.systems_table(systems)
    assert header == ["mean over files [95 % interval]", "spline", "net"]
    assert rows == [
        ["SNR, dB, higher is better", "15.60 [15.00, 16.00]", "17.10 [17.00, 18.00]"],
        ["LSD (modern), log10, lower is better", "3.500 [3.400, 3.600]", "1.200 [1.100, 1.300]"],
    ]
    results.write_systems(tmp_path / "evaluation.json", systems, Facts())
    read = read_strictly(tmp_path / "evaluation.json")
    assert read["facts"] == {"corpus": "VCTK"}
    assert read["systems"]["net"]["lsd"]["mean"] == 1.2
