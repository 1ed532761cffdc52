"""Group means, intervals and gaps against closed forms and scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from chromagan.evaluation.fairness.groups import grouped_figures, resampled_means, shuffled_gap_p_value


def faces(values, prefix="p"):
    return [(f"{prefix}{index:04d}", float(value)) for index, value in enumerate(values)]


def test_mean_and_interval_of_many_faces_are_those_of_normal_theory():
    values = np.random.default_rng(1).normal(3, 2, 400)
    figure = grouped_figures({"a": faces(values)}, 10).groups["a"]
    half = 1.96 * values.std() / math.sqrt(400)
    assert figure.value == pytest.approx(values.mean(), abs=1e-12)
    assert figure.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert figure.high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert (figure.count, figure.left_out) == (400, 0)


def test_faces_of_one_photo_are_no_independent_witnesses():
    values = np.random.default_rng(1).normal(3, 2, 60)
    once = grouped_figures({"a": faces(values)}, 10).groups["a"]
    thrice = grouped_figures({"a": faces(values) * 3}, 10).groups["a"]
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert thrice.count == 180


def test_photos_weigh_by_their_faces():
    photos = ["a", "a", "a", "b"]
    means = resampled_means(photos, np.array([1.0, 1, 1, 5]), 0, 4000)
    found, counts = np.unique(means, return_counts=True)
    np.testing.assert_allclose(found, [1, 2, 5])  # twice a, one of each (3 + 5) / 4, twice b
    np.testing.assert_allclose(counts / 4000, [0.25, 0.5, 0.25], atol=0.03)


def test_order_changes_nothing_and_the_seed_something():
    groups = {"a": faces(np.random.default_rng(2).normal(0, 1, 30)), "b": faces(range(20), "q")}
    turned = {name: values[::-1] for name, values in groups.items()}
    assert grouped_figures(groups, 10) == grouped_figures(turned, 10)
    assert grouped_figures(groups, 10) != grouped_figures(groups, 10, seed=1)


def test_gap_is_between_the_outermost_groups_with_enough_faces():
    rng = np.random.default_rng(3)
    groups = {
        "low": faces(rng.normal(-2, 1, 50), "a"),
        "middle": faces(rng.normal(0, 1, 50), "b"),
        "high": faces(rng.normal(4, 1, 50), "c"),
        "few": faces(rng.normal(90, 1, 9), "d"),
        "none": [],
    }
    found = grouped_figures(groups, 10)
    assert (found.gap.highest, found.gap.lowest) == ("high", "low")
    difference = found.gap.difference
    assert difference.value == found.groups["high"].value - found.groups["low"].value
    half = 1.96 * math.sqrt(2 / 50)
    assert difference.high - difference.low == pytest.approx(2 * half, rel=0.25)
    assert difference.low < 6 < difference.high
    assert found.gap.p_value == pytest.approx(1 / 2001)
    assert found.groups["few"].count == 9
    assert found.groups["none"].count == 0
    assert math.isnan(found.groups["none"].value)


def test_equal_groups_have_a_gap_of_zero_and_p_one():
    found = grouped_figures({"a": faces([2.0] * 12), "b": faces([2.0] * 15, "q")}, 10)
    assert found.gap.difference.value == 0
    assert found.gap.p_value == 1
    assert {found.gap.highest, found.gap.lowest} == {"a", "b"}


def test_one_group_has_no_gap_and_one_photo_no_interval():
    found = grouped_figures({"a": [("same", 1.0), ("same", 2.0)], "b": []}, 2)
    assert found.gap is None
    assert found.groups["a"].value == 1.5
    assert math.isnan(found.groups["a"].low)


def test_what_is_not_finite_is_left_out_and_counted():
    found = grouped_figures({"a": faces([1.0, math.nan, 3.0]), "b": faces([math.nan], "q")}, 2)
    assert (found.groups["a"].value, found.groups["a"].count, found.groups["a"].left_out) == (2, 2, 1)
    assert (found.overall.count, found.overall.left_out) == (2, 2)
    assert found.gap is None


def test_p_value_of_two_groups_is_that_of_scipy():
    rng = np.random.default_rng(5)
    one, other = rng.normal(0, 1, 25), rng.normal(0.5, 1, 18)
    ours = shuffled_gap_p_value([one, other], np.random.default_rng(0), 20_000)
    theirs = stats.permutation_test(
        (one, other), lambda x, y, axis: np.abs(x.mean(axis) - y.mean(axis)), alternative="greater",
        n_resamples=20_000, vectorized=True, random_state=1,
    ).pvalue  # fmt: skip
    assert ours == pytest.approx(theirs, abs=0.015)


def test_p_value_is_fair_where_groups_do_not_differ():
    rng = np.random.default_rng(6)
    values = [
        shuffled_gap_p_value([rng.normal(size=n) for n in (12, 20, 15)], np.random.default_rng(i), 200)
        for i in range(200)
    ]
    assert stats.kstest(values, "uniform").pvalue > 0.01
