"""Histograms and curves against plain counting, read back from the drawings."""

import math
import re

import numpy as np
import pytest

from chromagan.reports.charts import ab_plane, chroma_curves, distribution

RNG = np.random.default_rng(3)
HOSTILE = """<script>alert("x & 'y'")</script>"""


def test_histogram_is_of_the_figures():
    sample = [0.0] * 30 + [10.0] * 10
    chart = distribution("PSNR", {"A": [*sample, math.inf, math.nan]}, {"A": "m0"})["chart"]
    path = re.search(r'class="area" d="M6 (\d+)(.*?)Z"', chart)
    base = int(path[1])
    tops = [base - float(v) for v in re.findall(r"V([\d.]+)", path[2])]
    assert max(tops) / tops[-2] == pytest.approx(3, rel=0.02)  # 30 against 10
    assert "40 images" in chart
    assert distribution("PSNR", {"A": [math.inf] * 3, "B": [2.0] * 3}, {}) is None


def test_a_far_outlier_does_not_squeeze_the_axis():
    values = [*RNG.normal(20, 1, 999), 1000.0]
    card = distribution("PSNR", {"A": values}, {})
    assert card["clipped"]
    assert ">1,000<" not in card["chart"]


def test_what_cannot_be_drawn_is_told():
    values = {"A": [1.0, 2.0], "B": [2.0, 2.0], "C": [math.inf, math.inf], "D": [math.nan]}
    card = distribution("PSNR", values, {})
    assert dict(card["undrawn"]) == {"B": "always 2.000", "C": "infinite throughout", "D": "no figures"}
    assert [(name, count) for name, _, count in card["quantiles"]] == [("A", 2), ("B", 2), ("C", 0), ("D", 0)]
    assert card["quantiles"][0][1] == pytest.approx([1, 1.05, 1.25, 1.5, 1.75, 1.95, 2])


def test_chroma_falls_along_a_logarithmic_axis():
    chart = chroma_curves([("A", "m0", 3.0, [0.1, 0.01, 0.001, 0.0, 0.0])], 2)
    (points,) = re.findall(r'points="([^"]+)"', chart)
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert np.diff(heights)[:2] == pytest.approx([40.4, 40.4], abs=0.11)  # a fifth of the axis for each decade
    assert len(heights) == 4  # down to the floor once, and not along it


@pytest.mark.parametrize("chart", [
    lambda name: distribution(name, {name: [1.0, 2.0]}, {})["chart"],
    lambda name: ab_plane(name, b"", 1.0, 110, 2),
    lambda name: chroma_curves([(name, "m0", 1.0, [0.5, 0.5])], 2),
])  # fmt: skip
def test_names_are_text_in_every_drawing(chart):
    text = chart(HOSTILE)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert """'y'""" not in text
