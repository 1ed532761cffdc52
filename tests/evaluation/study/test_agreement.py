"""Krippendorff's alpha against the published worked examples."""

import math

import pytest

from chromagan.evaluation.study.results import krippendorff_alpha, percent_agreement

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
