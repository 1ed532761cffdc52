"""Paired tests against scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from chromagan.evaluation.summary import paired_test


def test_paired_test_is_scipys_and_keeps_the_pairs():
    random = np.random.default_rng(4)
    hard = random.normal(0, 10, 80)  # images differ far more than methods do
    a, b = hard + random.normal(0.5, 1, 80), hard.copy()
    a[0] = math.inf
    test = paired_test("psnr", ("ours", a), ("theirs", b))
    assert test.p_value == pytest.approx(stats.wilcoxon(a[1:], b[1:]).pvalue)
    assert test.p_value < 0.01
    assert test.images == 79
    assert test.difference.value == pytest.approx(np.mean((a - b)[1:]))
    assert 0 < test.difference.low < test.difference.value < test.difference.high < 1.2
    back = paired_test("psnr", ("theirs", b), ("ours", a))
    assert back.difference.value == pytest.approx(-test.difference.value)
    assert back.p_value == pytest.approx(test.p_value)


def test_equal_methods_have_no_p_value():
    same = np.arange(10.0)
    test = paired_test("ssim", ("a", same), ("b", same.copy()))
    assert math.isnan(test.p_value)
    assert test.difference.value == 0
