"""Means, intervals, tables and files of results."""

import csv
import dataclasses
import json
import math

import numpy as np
import pytest
from scipy import stats
from wideband.evaluate import summary
from wideband.evaluate.summary import Mean


def test_the_interval_is_scipys_percentile_bootstrap_interval():
    values = np.random.default_rng(0).exponential(size=40)
    ours = summary.bootstrap_mean_interval(values, samples=50_000)
    scipys = stats.bootstrap(
        (values,), np.mean, n_resamples=50_000, method="percentile", random_state=1
    ).confidence_interval
    # Two draws of 50,000 differ by about a hundredth of the interval's width.
    assert ours == pytest.approx(tuple(scipys), abs=0.02 * (scipys.high - scipys.low))


def test_the_interval_holds_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for seed in range(400):
        low, high = summary.bootstrap_mean_interval(rng.normal(3, 1, size=50), seed, samples=400)
        held += low <= 3 <= high
    # Binomial: 95 % of 400 is 380, with a standard deviation of 4.4.
    assert 362 <= held <= 395


def test_the_interval_depends_on_the_seed_alone():
    values = np.random.default_rng(2).normal(size=30)
    first = summary.bootstrap_mean_interval(values, seed=5)
    assert first == summary.bootstrap_mean_interval(list(values), seed=5)
    assert first != summary.bootstrap_mean_interval(values, seed=6)


def test_many_files_are_drawn_in_blocks_of_bounded_size():
    values = np.random.default_rng(3).normal(size=200_000)
    low, high = summary.bootstrap_mean_interval(values, samples=101)
    half_width = 1.96 / math.sqrt(len(values))
    assert high - low == pytest.approx(2 * half_width, rel=0.35)
    assert low < values.mean() < high


def test_one_file_has_no_spread():
    assert summary.summarize([2.5]) == Mean(2.5, 2.5, 2.5, 1, 0)


def test_values_that_are_not_finite_are_left_out_and_counted():
    mean = summary.summarize([1.0, math.inf, 3.0, -math.inf, math.nan])
    assert (mean.mean, mean.files, mean.left_out) == (2.0, 2, 3)
    assert 1 <= mean.low <= mean.high <= 3


def test_only_values_that_are_not_finite_give_no_mean():
    mean = summary.summarize([math.inf, math.inf])
    assert math.isnan(mean.mean)
    assert (mean.files, mean.left_out) == (0, 2)
    assert summary.format_mean("snr", mean) == "-"


def test_rows_are_summarized_by_metric_and_other_columns_passed_over():
    rows = [
        {"name": "a", "seconds": 9.0, "snr": 10.0, "lsd": 1.0},
        {"name": "b", "seconds": 1.0, "snr": 20.0, "lsd": 3.0},
    ]
    means = summary.summarize_rows(rows)
    assert {name: mean.mean for name, mean in means.items()} == {"snr": 15.0, "lsd": 2.0}


def test_a_mean_is_written_with_its_interval_and_the_digits_of_its_metric():
    mean = Mean(15.6049, 15.2, 16, 9, 0)
    assert summary.format_mean("snr", mean) == "15.60 [15.20, 16.00]"
    assert summary.format_mean("lsd", mean) == "15.605 [15.200, 16.000]"


def test_a_header_names_convention_unit_and_direction():
    assert summary.metric_header("lsd_kuleshov") == "LSD (Kuleshov), ln, lower is better"
    assert summary.metric_header("snr") == "SNR, dB, higher is better"


def test_a_text_table_has_columns_in_line():
    table = summary.text_table(["system", "SNR"], [["spline", "9.70"], ["net", "15.20"]])
    assert table.splitlines() == [
        "system    SNR",
        "------  -----",
        "spline   9.70",
        "net     15.20",
    ]


def test_a_markdown_table_keeps_its_columns_when_a_name_holds_a_bar():
    assert summary.markdown_table(["system", "SNR"], [["a|b", "9.70"]]).splitlines() == [
        "| system | SNR |",
        "| --- | ---: |",
        r"| a\|b | 9.70 |",
    ]


def test_a_csv_file_gives_back_its_rows(tmp_path):
    path = tmp_path / "new" / "scores.csv"
    rows = [{"name": 'a, "b"', "snr": 0.1 + 0.2}, {"name": "ü", "snr": math.inf}]
    summary.write_csv(path, rows)
    with path.open(encoding="utf-8", newline="") as file:
        read = [{"name": row["name"], "snr": float(row["snr"])} for row in csv.DictReader(file)]
    assert read == rows
    assert list(path.parent.iterdir()) == [path]


def test_a_summary_file_is_strict_json_that_says_what_was_measured(tmp_path):
    path = tmp_path / "scores.json"
    means = {"lsd": Mean(1.5, 1.0, 2.0, 3, 0), "snr": summary.summarize([math.inf])}
    summary.write_summary(path, means, references="clean", files=3)
    read = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
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


def test_systems_stand_side_by_side_in_a_table_and_in_a_file(tmp_path):
    systems = {
        "spline": {"snr": Mean(15.6, 15, 16, 9, 0), "lsd": Mean(3.5, 3.4, 3.6, 9, 0)},
        "net": {"snr": Mean(17.1, 17, 18, 9, 0), "lsd": Mean(1.2, 1.1, 1.3, 9, 0)},
    }
    assert summary.systems_rows(systems) == [
        ["mean over files [95 % interval]", "spline", "net"],
        ["SNR, dB, higher is better", "15.60 [15.00, 16.00]", "17.10 [17.00, 18.00]"],
        [
            "LSD (modern), log10, lower is better",
            "3.500 [3.400, 3.600]",
            "1.200 [1.100, 1.300]",
        ],
    ]

    summary.write_systems(tmp_path / "evaluation.json", systems, Facts())
    read = json.loads((tmp_path / "evaluation.json").read_text())
    assert read["facts"] == {"corpus": "VCTK"}
    assert read["systems"]["net"]["lsd"]["mean"] == 1.2
