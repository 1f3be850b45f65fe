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


def test_groups_are_drawn_whole():
    rng = np.random.default_rng(4)
    groups = np.repeat(["a", "b", "c", "d", "e", "f"], [1, 2, 3, 4, 5, 6])
    values = rng.normal(size=21) + np.repeat(rng.normal(0, 3, size=6), [1, 2, 3, 4, 5, 6])
    # A draw in plain words: six groups, and all files of those.
    means = [
        np.concatenate([values[groups == group] for group in rng.choice(list("abcdef"), 6)]).mean()
        for _ in range(20_000)
    ]
    expected = np.quantile(means, [0.025, 0.975])
    ours = summary.bootstrap_mean_interval(values, samples=20_000, groups=groups)
    assert ours == pytest.approx(tuple(expected), abs=0.02 * np.ptp(expected))
    # Files that hang together tell less than as many that do not.
    alone = summary.bootstrap_mean_interval(values, samples=20_000)
    assert np.ptp(ours) > 1.3 * np.ptp(alone)


def test_groups_of_one_file_are_files():
    values = np.random.default_rng(5).normal(size=30)
    groups = [f"{number:02}" for number in range(30)]
    expected = summary.bootstrap_mean_interval(values)
    assert summary.bootstrap_mean_interval(values, groups=groups) == expected


def test_a_group_whose_files_are_left_out_is_not_drawn():
    values = [math.nan, 1.0, 2.0, 4.0, math.inf]
    mean = summary.summarize(values, groups=["b", "a", "a", "c", "b"])
    assert mean == summary.summarize([1.0, 2.0, 4.0], groups=["a", "a", "c"])._replace(left_out=2)


def test_a_difference_is_real_where_its_interval_leaves_zero_out():
    hard = np.random.default_rng(6).normal(10, 5, size=40)
    step = np.random.default_rng(7).normal(0.5, 0.2, size=40)
    values = {"old": hard, "new": hard + step}
    found = summary.difference("snr", "old", "new", values)
    assert found.mean.mean == pytest.approx(step.mean())
    assert (found.mean.files, found.mean.left_out) == (40, 0)
    # Student's interval of a mean.
    half_width = stats.t(39).ppf(0.975) * step.std(ddof=1) / math.sqrt(40)
    assert found.mean.low == pytest.approx(step.mean() - half_width, abs=0.1 * half_width)
    assert found.mean.high == pytest.approx(step.mean() + half_width, abs=0.1 * half_width)
    assert (found.better, found.verdict) == ("new", "new better")
    assert summary.difference("snr", "new", "old", values).better == "new"
    # Of an LSD, less is better.
    assert summary.difference("lsd", "old", "new", values).better == "old"


@pytest.mark.parametrize(("files", "groups"), [(8, 8), (60, 60), (60, 10)])
def test_equal_systems_look_different_as_often_as_the_interval_says(files, groups):
    rng = np.random.default_rng(8)
    group = np.arange(files) % groups
    found = 0
    for seed in range(400):
        values = {"a": rng.normal(size=files), "b": rng.normal(size=files)}
        # What the files of a group have in common.
        values["b"] += 2 * rng.normal(size=groups)[group]
        difference = summary.difference("snr", "a", "b", values, seed, group)
        found += difference.better is not None
    # Binomial: 5 % of 400 is 20, with a standard deviation of 4.4.
    assert 7 <= found <= 33


def test_a_difference_of_nothing_and_one_of_few_files_are_not_real():
    same = np.arange(9.0)
    assert summary.difference("snr", "a", "b", {"a": same, "b": same}).verdict == (
        "no real difference"
    )
    few = {"a": np.zeros(5), "b": np.ones(5)}
    assert summary.difference("snr", "a", "b", few).verdict == "too few files to tell"
    more = {"a": np.zeros(6), "b": np.ones(6)}
    assert summary.difference("snr", "a", "b", more).verdict == "b better"
    groups = list("aabbcc")
    grouped = summary.difference("snr", "a", "b", more, groups=groups)
    assert (grouped.better, grouped.verdict) == (None, "too few groups to tell")


def test_a_difference_is_written_with_its_signs():
    values = {"a": np.array([math.inf]), "b": np.array([math.inf])}
    assert summary.format_difference(summary.difference("snr", "a", "b", values)) == "-"
    found = summary.difference("snr", "a", "b", {"a": np.zeros(7), "b": np.full(7, 1.5)})
    assert summary.format_difference(found) == "+1.50 [+1.50, +1.50]"


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
