"""Which examples are shown, and that their pictures are the given ones."""

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from chromagan.evaluation.comparison_report.examples import choose_examples, data_uri, example_rows
from chromagan.evaluation.result import ComparisonResult, MethodResult
from chromagan.reports.render import render


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
    groups = example_rows(result, lambda name, index: red)["groups"]
    uri = groups[0][2][0]["cells"][0]["picture"]["uri"]
    first = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    assert np.abs(np.array(first).astype(int) - red).max() <= 4
    short = example_rows(result, lambda name, index: red, budget=1)
    assert sum(len(rows) for _, _, rows in short["groups"]) == 1
    assert short["left_out"] == 13
    assert "13 more examples were left out" in render("comparison_examples.html", examples=short)
