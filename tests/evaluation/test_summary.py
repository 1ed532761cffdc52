"""Means over images: correctly rounded, so that no order changes them; over the same images in all rows."""

import math

import numpy as np
import pytest

from chromagan.evaluation.comparison import Measured
from chromagan.evaluation.summary import summarize
from chromagan.metrics.registry import choose_metrics, get_metric


def summary(*rows, metric="psnr", names=("ours", "gray", "truth")):
    figures = choose_metrics([metric])
    base = {figure.name: figure for figure in figures}
    values = {name: {metric: np.array(row)} for name, row in zip(names, rows, strict=False)}
    sizes = np.full((len(rows[0]), 2), 8)
    return {row.name: row.summary for row in summarize(Measured(base, values, sizes), figures)}


def test_order_changes_nothing():
    values = (np.random.default_rng(0).normal(size=101) * 1e6).tolist()
    expected = math.fsum(values) / 101
    for order in (values, values[::-1], sorted(values)):
        assert summary(order)["ours"]["psnr"].value == expected


def test_infinite_figures_are_left_out_of_every_row_and_counted():
    found = summary([20.0, math.inf, 30.0, 10.0], [1.0, 2.0, 3.0, math.inf])
    assert (found["ours"]["psnr"].value, found["gray"]["psnr"].value) == (25, 2)
    assert (found["ours"]["psnr"].count, found["ours"]["psnr"].left_out) == (2, 2)
    assert math.isnan(summary([math.inf, math.nan])["ours"]["psnr"].value)


def test_a_row_may_lack_a_figure():
    figures = [get_metric("psnr"), get_metric("ssim")]
    values = {"ours": {"psnr": np.array([20.0, 22.0]), "ssim": np.array([0.5, 0.7])}, "gray": {"psnr": np.ones(2)}}
    measured = Measured({figure.name: figure for figure in figures}, values, np.full((2, 2), 8))
    ours, gray = summarize(measured, figures)
    assert ours.summary["ssim"].value == pytest.approx(0.6)
    assert set(gray.summary) == {"psnr"}
