"""Wilson's interval against scipy, Krippendorff's alpha against the published worked examples."""

import math

import pytest
from scipy.stats import binomtest

from chromagan.evaluation.study.agreement import krippendorff_alpha, percent_agreement, wilson_interval


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 40), (40, 40), (13, 40), (323, 1000), (1, 7)])
def test_wilson_is_scipys(k, n):
    reference = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson_interval(k, n) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_wilson_of_nothing_and_of_nonsense():
    assert wilson_interval(0, 0) == (0, 1)
    with pytest.raises(ValueError, match="5 successes in 3"):
        wilson_interval(5, 3)


# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): example A, two observers and binary data (0.095),
# and example C, four observers, five nominal values, missing data (0.743). A dot is a missing value.
EXAMPLE_A = ("0100000010", "1110010000")
EXAMPLE_C = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")


def units(observers):
    return [[value for value in unit if value != "."] for unit in zip(*observers, strict=True)]


@pytest.mark.parametrize(("observers", "alpha"), [(EXAMPLE_A, 0.095), (EXAMPLE_C, 0.743)])
def test_alpha_of_the_worked_examples(observers, alpha):
    assert krippendorff_alpha(units(observers)) == pytest.approx(alpha, abs=5e-4)


def test_alpha_at_its_ends():
    assert krippendorff_alpha([[True, True], [False, False], [True, True, True]]) == 1
    assert krippendorff_alpha([["a", "b"], ["b", "a"]]) < 0
    assert math.isnan(krippendorff_alpha([["a", "a"], ["a"]]))
    assert math.isnan(krippendorff_alpha([["a"], ["b"], []]))


def test_units_judged_once_say_nothing():
    assert krippendorff_alpha([*units(EXAMPLE_A), ["1"], ["0"], []]) == krippendorff_alpha(units(EXAMPLE_A))


def test_percent_agreement_counts_pairs():
    assert percent_agreement([[1, 1, 0], [1, 1]]) == pytest.approx((2 + 2) / (6 + 2))
    assert math.isnan(percent_agreement([[1]]))
