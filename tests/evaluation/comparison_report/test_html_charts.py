"""Densities against closed forms and scikit-image; ticks, histograms and chosen examples against plain counting."""

import base64
import io
import math
import re

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2lab

from chromagan.evaluation.comparison_report.ab_density import AB_STEP, CELLS, CHROMA_STEP, PIXELS_A_PICTURE, AbDensity
from chromagan.evaluation.comparison_report.html_charts import distribution_html, nice_ticks
from chromagan.evaluation.comparison_report.html_examples import choose_examples, data_uri, examples_html
from chromagan.evaluation.comparison_report.html_text import decimals_for, number, p_text
from chromagan.evaluation.comparison_report.metric_labels import label_of
from chromagan.evaluation.metric_names import HELD_OUT_METRICS
from chromagan.evaluation.result import ComparisonResult, MethodResult

RNG = np.random.default_rng(3)


def density_of(*pictures):
    density = AbDensity()
    for picture in pictures:
        density.update(picture)
    return density


def test_gray_is_one_cell_without_chroma():
    density = density_of(RNG.integers(0, 256, (40, 30), dtype=np.uint8))
    assert density.cells[CELLS // 2, CELLS // 2] == pytest.approx(1)
    assert density.cells.sum() == pytest.approx(1)
    assert density.chroma_shares()[0] == pytest.approx(1)
    assert density.mean_chroma == pytest.approx(0, abs=1e-2)


def test_counts_are_those_of_scikit_image():
    picture = RNG.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    density = density_of(picture)
    ab = rgb2lab(picture)[..., 1:].reshape(-1, 2)
    chroma = np.hypot(*ab.T)
    assert density.mean_chroma == pytest.approx(chroma.mean(), abs=1e-2)
    edges = (np.arange(CELLS + 1) - CELLS // 2 - 0.5) * AB_STEP
    expected, _, _ = np.histogram2d(ab[:, 1], ab[:, 0], bins=(edges, edges))
    # A pixel within rounding of an edge may fall either side of it.
    assert np.abs(density.cells * len(ab) - expected).sum() <= 4
    shares, _ = np.histogram(chroma, bins=np.arange(len(density.chroma) + 1) * CHROMA_STEP)
    assert np.abs(density.chroma_shares() * len(ab) - shares).sum() <= 4


def test_pictures_weigh_alike_and_large_ones_are_thinned():
    red, blue = (
        np.full((*size, 3), colour, np.uint8) for size, colour in (((9, 9), (255, 0, 0)), ((700, 900), (0, 0, 255)))
    )
    density = density_of(red, blue)
    shares = density.cells / density.pictures
    assert sorted(shares[shares > 0]) == pytest.approx([0.5, 0.5])
    chroma = [float(np.hypot(*rgb2lab(one[:1, :1])[0, 0, 1:])) for one in (red, blue)]
    assert density.mean_chroma == pytest.approx(np.mean(chroma), abs=0.02)
    step = math.ceil(math.sqrt(700 * 900 / PIXELS_A_PICTURE))
    assert len(range(0, 700, step)) * len(range(0, 900, step)) <= PIXELS_A_PICTURE


def test_picture_of_the_density_points_the_right_way():
    png = Image.open(
        io.BytesIO(density_of(np.full((8, 8, 3), (255, 220, 0), np.uint8)).png())
    )  # yellow: b high, a near 0
    assert (png.mode, png.size) == ("RGBA", (CELLS, CELLS))
    ((y, x),) = np.argwhere(np.array(png)[..., 3] > 0)
    assert y < CELLS // 4
    assert abs(x - CELLS // 2) < 8
    red, green, blue, alpha = png.getpixel((int(x), int(y)))
    assert alpha == 255
    assert min(red, green) > blue + 80


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 17), (0.911, 0.934), (1e-7, 3e-7), (0, 1e6), (-5, -4.9)])
def test_ticks_are_round_inside_and_neither_few_nor_many(low, high):
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-9 * abs(low) <= t <= high + 1e-9 * abs(high) for t in ticks)
    step = ticks[1] - ticks[0]
    assert round(step / 10 ** math.floor(math.log10(step) + 1e-9), 6) in (1, 2, 5)
    assert nice_ticks(2.0, 2.0) == [2.0]


def test_numbers():
    assert decimals_for([23.4, 0.1]) == 2
    assert decimals_for([0.9123]) == 4
    assert decimals_for([12345.0]) == 0
    assert decimals_for([math.nan, math.inf, 0.0]) == 2
    assert number(-1.239, 2) == "−1.24"
    assert number(-0.001, 2) == number(-0.001, 2, signed=True) == "0.00"
    assert number(1234.5, 1) == "1,234.5"
    assert number(0.5, 1, signed=True) == "+0.5"
    assert "–" in number(math.nan, 2)
    assert (p_text(0.0004), p_text(0.0312), p_text(1.0)) == ("&lt; 0.001", "0.031", "1.000")


def test_histogram_is_of_the_figures():
    sample = [0.0] * 30 + [10.0] * 10
    html = distribution_html("psnr", [MethodResult("A", {"psnr": [*sample, math.inf, math.nan]})], {"A": "m0"})
    path = re.search(r'class="area" d="M6 (\d+)(.*?)Z"', html)
    base = int(path[1])
    tops = [base - float(v) for v in re.findall(r"V([\d.]+)", path[2])]
    assert max(tops) / tops[-2] == pytest.approx(3, rel=0.02)  # 30 against 10
    assert "40 images" in html
    flat = MethodResult("A", {"psnr": [math.inf] * 3}), MethodResult("B", {"psnr": [2.0] * 3})
    assert distribution_html("psnr", flat, {}) == ""


def test_a_far_outlier_does_not_squeeze_the_axis():
    values = [*RNG.normal(20, 1, 999), 1000.0]
    html = distribution_html("psnr", [MethodResult("A", {"psnr": values})], {})
    assert "outermost bars" in html
    assert ">1,000<" not in re.search(r"<svg.*?</svg>", html)[0]


def test_labels():
    assert len({label_of(name).title for name in HELD_OUT_METRICS}) == len(HELD_OUT_METRICS)
    assert label_of("fid_tf_disjoint").title == "FID, TF Inception, disjoint"
    assert label_of("my_own").title == "my own"


def example_result(*rows, metric="psnr"):
    names = [f"{i}.png" for i in range(len(rows[0]))]
    methods = [MethodResult(f"m{k}", {metric: list(row)}) for k, row in enumerate(rows)]
    return ComparisonResult("folder/1", names, [(4, 4)] * len(names), methods)


@pytest.mark.parametrize(("metric", "best"), [("psnr", [29, 28]), ("ciede2000", [0, 1])])
def test_best_and_worst_follow_the_direction(metric, best):
    row = [float(i) for i in range(30)]
    row[15], row[16] = math.inf, math.nan
    groups = {g.title: g.indices for g in choose_examples(example_result(row, metric=metric), each=2)}
    assert groups["Best"] == best
    assert groups["Worst"] == [29 - i for i in best]
    assert "Most disputed" not in groups
    assert len(groups["Random"]) == 3


def test_most_disputed_is_where_methods_differ_and_nothing_comes_twice():
    a, b = [20.0 + i / 10 for i in range(30)], [20.0 + i / 10 for i in range(30)]
    a[12], b[12] = 10.0, 33.0
    groups = choose_examples(example_result(a, b), each=3)
    assert {g.title: g.indices for g in groups}["Most disputed"][0] == 12
    shown = [i for g in groups for i in g.indices]
    assert len(shown) == len(set(shown))


def test_without_a_ranking_there_are_random_ones_only():
    result = example_result([1.0] * 20, metric="colourfulness")
    assert [g.title for g in choose_examples(result)] == ["Random"]
    assert choose_examples(ComparisonResult("folder/1", [], [], [])) == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [((512, 1024), (512, 256)), ((100, 50), (50, 100)), ((300, 9000), (640, 21)), ((1, 1), (1, 1))],
)
def test_pictures_are_reduced_to_a_short_side(size, expected):
    uri, width, height = data_uri(np.zeros((*size, 3), np.uint8), 256)
    assert (width, height) == expected
    assert uri.startswith("data:image/jpeg;base64,")


def test_examples_keep_their_colours_and_their_budget():
    result = example_result([float(i) for i in range(20)])
    red = np.full((32, 32, 3), (200, 30, 40), np.uint8)
    html = examples_html(result, lambda name, index: red)
    first = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", html)[1])))
    assert np.abs(np.array(first).astype(int) - red).max() <= 4
    short = examples_html(result, lambda name, index: red, budget=1)
    assert short.count('class="example"') == 1
    assert "13 more examples were left out" in short
