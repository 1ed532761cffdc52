"""Bootstrap intervals against closed forms."""

import math

import numpy as np
import pytest
from scipy import stats

from chromagan.metrics.figure import bootstrap_sums, interval, mean_figure


def test_interval_of_a_normal_mean_is_the_closed_form():
    values = np.random.default_rng(0).normal(10, 3, 400)
    figure = mean_figure(values)
    error = values.std() / math.sqrt(400)
    assert figure.value == pytest.approx(values.mean(), abs=1e-12)
    assert figure.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert figure.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)
    assert (figure.count, figure.left_out) == (400, 0)


def test_intervals_cover_the_true_mean_as_often_as_they_say():
    random = np.random.default_rng(1)
    covered = 0
    for seed in range(400):
        figure = mean_figure(random.normal(0, 1, 60), resamples=400, seed=seed)
        covered += figure.low <= 0 <= figure.high
    assert 0.915 < covered / 400 < 0.975  # 0.95, less a little for 60 images; three standard errors wide


def test_against_scipys_bootstrap():
    values = np.random.default_rng(2).gamma(2, 1, 120)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=0).confidence_interval
    ours = mean_figure(values, resamples=4000)
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)


def test_figures_that_are_not_finite_are_left_out_and_counted():
    figure = mean_figure([1.0, math.inf, 3.0, math.nan])
    assert (figure.value, figure.count, figure.left_out) == (2.0, 2, 2)
    assert figure.low >= 1
    assert figure.high <= 3


@pytest.mark.parametrize("values", [[], [math.inf], [5.0]])
def test_too_few_images_have_no_interval(values):
    figure = mean_figure(values)
    assert math.isnan(figure.low)
    assert math.isnan(figure.high)
    assert figure.value == 5.0 if values == [5.0] else math.isnan(figure.value)
    assert all(map(math.isnan, interval(np.array([math.nan]))))


def test_columns_share_their_samples_and_the_seed_decides():
    columns = np.random.default_rng(3).normal(size=(50, 1))
    sums = bootstrap_sums(np.hstack([columns, columns + 1, np.ones((50, 1))]), 300)
    np.testing.assert_allclose(sums[:, 1] - sums[:, 0], 50)
    np.testing.assert_array_equal(sums[:, 2], 50)
    np.testing.assert_array_equal(sums, bootstrap_sums(np.hstack([columns, columns + 1, np.ones((50, 1))]), 300))
    assert not np.array_equal(sums[:, 0], bootstrap_sums(columns, 300, seed=1)[:, 0])


def test_chunks_do_not_change_the_answer(monkeypatch):
    columns = np.random.default_rng(3).normal(size=(50, 2))
    whole = bootstrap_sums(columns, 200)
    monkeypatch.setattr("chromagan.metrics.figure._CHUNK", 50 * 7)
    np.testing.assert_array_equal(whole, bootstrap_sums(columns, 200))
