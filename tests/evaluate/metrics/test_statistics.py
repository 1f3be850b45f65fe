"""Bootstrap intervals and paired comparisons, compared with SciPy, Student and chance."""

import math

import numpy as np
import pytest
from scipy import stats
from wideband.evaluate.metrics import statistics
from wideband.evaluate.metrics.statistics import Mean


def test_the_interval_is_scipys_percentile_bootstrap_interval():
    values = np.random.default_rng(0).exponential(size=40)
    ours = statistics.bootstrap_mean_interval(values, samples=50_000)
    scipys = stats.bootstrap(
        (values,), np.mean, n_resamples=50_000, method="percentile", random_state=1
    ).confidence_interval
    # Two runs of 50,000 draws differ by about a hundredth of the interval's width.
    assert ours == pytest.approx(tuple(scipys), abs=0.02 * (scipys.high - scipys.low))


def test_the_interval_contains_the_true_mean_as_often_as_its_level_says():
    rng = np.random.default_rng(1)
    contained = 0
    for seed in range(150):
        low, high = statistics.bootstrap_mean_interval(rng.normal(3, 1, size=50), seed, samples=400)
        contained += low <= 3 <= high
    # Binomial: 95 % of 150 is 142.5, with a standard deviation of 2.7.
    assert 131 <= contained <= 149


def test_the_interval_depends_on_the_seed_alone():
    values = np.random.default_rng(2).normal(size=30)
    first = statistics.bootstrap_mean_interval(values, seed=5)
    assert first == statistics.bootstrap_mean_interval(list(values), seed=5)
    assert first != statistics.bootstrap_mean_interval(values, seed=6)


def test_many_files_are_drawn_in_blocks_of_bounded_size(monkeypatch):
    values = np.random.default_rng(3).normal(size=2_000)
    whole = statistics.bootstrap_mean_interval(values, samples=101)
    # The block has room for less than one draw, and holds one.
    monkeypatch.setattr(statistics, "_BLOCK", 1)
    assert statistics.bootstrap_mean_interval(values, samples=101) == whole


def test_groups_are_drawn_as_a_whole():
    rng = np.random.default_rng(4)
    groups = np.repeat(["a", "b", "c", "d", "e", "f"], [1, 2, 3, 4, 5, 6])
    values = rng.normal(size=21) + np.repeat(rng.normal(0, 3, size=6), [1, 2, 3, 4, 5, 6])
    # A draw written out: six groups, and all their files.
    means = [
        np.concatenate([values[groups == group] for group in rng.choice(list("abcdef"), 6)]).mean()
        for _ in range(10_000)
    ]
    expected = np.quantile(means, [0.025, 0.975])
    ours = statistics.bootstrap_mean_interval(values, samples=10_000, groups=groups)
    assert ours == pytest.approx(tuple(expected), abs=0.03 * np.ptp(expected))
    # Dependent files carry less information than as many independent ones.
    independent = statistics.bootstrap_mean_interval(values, samples=10_000)
    assert np.ptp(ours) > 1.3 * np.ptp(independent)


def test_groups_of_one_file_are_files():
    values = np.random.default_rng(5).normal(size=30)
    groups = [f"{number:02}" for number in range(30)]
    expected = statistics.bootstrap_mean_interval(values)
    assert statistics.bootstrap_mean_interval(values, groups=groups) == expected


def test_a_group_whose_files_are_left_out_is_not_drawn():
    values = [math.nan, 1.0, 2.0, 4.0, math.inf]
    mean = statistics.summarize(values, groups=["b", "a", "a", "c", "b"])
    expected = statistics.summarize([1.0, 2.0, 4.0], groups=["a", "a", "c"])
    assert mean == expected._replace(left_out=2)


def test_a_difference_is_real_if_its_interval_excludes_zero():
    hard = np.random.default_rng(6).normal(10, 5, size=40)
    step = np.random.default_rng(7).normal(0.5, 0.2, size=40)
    values = {"old": hard, "new": hard + step}
    found = statistics.difference("snr", "old", "new", values)
    assert found.mean.mean == pytest.approx(step.mean())
    assert (found.mean.files, found.mean.left_out) == (40, 0)
    # Student's interval of a mean.
    half_width = stats.t(39).ppf(0.975) * step.std(ddof=1) / math.sqrt(40)
    assert found.mean.low == pytest.approx(step.mean() - half_width, abs=0.1 * half_width)
    assert found.mean.high == pytest.approx(step.mean() + half_width, abs=0.1 * half_width)
    assert (found.better, found.verdict) == ("new", "new better")
    assert statistics.difference("snr", "new", "old", values).better == "new"
    # A lower LSD is better.
    assert statistics.difference("lsd", "old", "new", values).better == "old"


@pytest.mark.parametrize(("files", "groups"), [(8, 8), (60, 60), (60, 10)])
def test_equal_systems_differ_as_often_as_the_level_says(files, groups):
    rng = np.random.default_rng(8)
    group = np.arange(files) % groups
    found = 0
    for seed in range(150):
        values = {"a": rng.normal(size=files), "b": rng.normal(size=files)}
        # The files of a group share an offset.
        values["b"] += 2 * rng.normal(size=groups)[group]
        difference = statistics.difference("snr", "a", "b", values, seed, group)
        found += difference.better is not None
    # Binomial: 5 % of 150 is 7.5, with a standard deviation of 2.7.
    assert 1 <= found <= 18


def test_the_better_of_two_levels_is_left_to_the_reader():
    """+2 dB is not better than -3 dB only because it is higher."""
    values = {"a": np.arange(9.0) - 9, "b": np.arange(9.0)}
    found = statistics.difference("level_hf", "a", "b", values)
    assert (found.better, found.verdict) == (None, "real difference")
    found = statistics.difference("level_hf", "a", "a", values)
    assert found.verdict == "no real difference"


def test_equal_systems_and_few_files_have_no_real_difference():
    same = np.arange(9.0)
    assert statistics.difference("snr", "a", "b", {"a": same, "b": same}).verdict == (
        "no real difference"
    )
    few = {"a": np.zeros(5), "b": np.ones(5)}
    assert statistics.difference("snr", "a", "b", few).verdict == "too few files to tell"
    more = {"a": np.zeros(6), "b": np.ones(6)}
    assert statistics.difference("snr", "a", "b", more).verdict == "b better"
    grouped = statistics.difference("snr", "a", "b", more, groups=list("aabbcc"))
    assert (grouped.better, grouped.verdict) == (None, "too few groups to tell")


def test_one_file_has_no_spread():
    assert statistics.summarize([2.5]) == Mean(2.5, 2.5, 2.5, 1, 0)


def test_values_that_are_not_finite_are_left_out_and_counted():
    mean = statistics.summarize([1.0, math.inf, 3.0, -math.inf, math.nan])
    assert (mean.mean, mean.files, mean.left_out) == (2.0, 2, 3)
    assert 1 <= mean.low <= mean.high <= 3


def test_the_mean_is_nan_if_no_value_is_finite():
    mean = statistics.summarize([math.inf, math.inf])
    assert math.isnan(mean.mean)
    assert (mean.files, mean.left_out) == (0, 2)


def test_rows_are_summarized_by_metric_and_other_columns_are_ignored():
    rows = [
        {"name": "a", "seconds": 9.0, "snr": 10.0, "lsd": 1.0},
        {"name": "b", "seconds": 1.0, "snr": 20.0, "lsd": 3.0},
    ]
    means = statistics.summarize_rows(rows)
    assert {name: mean.mean for name, mean in means.items()} == {"snr": 15.0, "lsd": 2.0}
