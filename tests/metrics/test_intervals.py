import math

import numpy as np
import pytest
import torch
from scipy import stats

from chromagan.metrics.figure import disjoint_subsets, interval_from_subsets
from chromagan.metrics.frechet import frechet_distance_of_features


@pytest.mark.parametrize("count", [30, 31, 57, 99, 100, 5003])
def test_subsets_are_disjoint_and_use_everything(count):
    subsets = disjoint_subsets(count)
    assert sorted(np.concatenate(subsets)) == list(range(count))
    assert 3 <= len(subsets) <= 10
    assert min(map(len, subsets)) >= 10
    assert max(map(len, subsets)) - min(map(len, subsets)) <= 1
    assert all(len(subset) <= 12 for subset in disjoint_subsets(count, 12))


def test_no_interval_from_too_few():
    assert disjoint_subsets(29) == []
    assert all(math.isnan(end) for end in interval_from_subsets(1.0, [], [], 29))
    assert all(math.isnan(end) for end in interval_from_subsets(1.0, [1, 2, math.nan], [10] * 3, 30))


def test_for_a_mean_it_is_students_interval_of_the_subset_means():
    values = np.random.default_rng(0).normal(size=200)
    subsets = disjoint_subsets(200)
    means = [values[s].mean() for s in subsets]
    found = interval_from_subsets(values.mean(), means, [len(s) for s in subsets], 200)
    expected = stats.t.interval(0.95, 9, loc=np.mean(means), scale=stats.sem(means))
    assert found == pytest.approx(expected, rel=1e-9)


def test_coverage_of_the_frechet_distance():
    """How often the interval holds the mean figure of sets of that size, which is what it claims to."""
    generator = torch.Generator().manual_seed(0)
    count, held, figures, intervals = 400, 0, [], []
    for _ in range(120):
        truth = torch.randn(count, 3, generator=generator, dtype=torch.float64)
        ours = 1.2 * truth + 0.8 * torch.randn(count, 3, generator=generator, dtype=torch.float64) + 0.5
        subsets = disjoint_subsets(count)
        value = frechet_distance_of_features(ours, truth)
        found = [frechet_distance_of_features(ours[s], truth[s]) for s in subsets]
        figures.append(value)
        intervals.append(interval_from_subsets(value, found, [len(s) for s in subsets], count))
    expected = float(np.mean(figures))
    held = sum(low <= expected <= high for low, high in intervals)
    assert 0.88 <= held / 120 <= 1
    width = np.mean([high - low for low, high in intervals])
    assert width < 2.5 * 2 * 1.96 * np.std(figures)  # and it does not say so by being wide
