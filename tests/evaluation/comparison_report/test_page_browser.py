"""The report in a real browser: no column is out of sight at any width, and a figure's name orders the methods."""

import math

import pytest

from chromagan.evaluation.comparison_report.page import write_html
from chromagan.evaluation.result import ComparisonResult, Figure, MethodResult, PairedTest

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def page(tmp_path):
    """Write the page of so many methods, the first the worst in PSNR; a method without a figure comes second."""

    def write(count):
        names = [f"a method of a long name {i}" for i in range(count)]
        result = ComparisonResult("folder/1", ["a.png", "b.png", "c.png"], [(8, 8)] * 3, [])
        for k, name in enumerate((*names, "gray", "mean ab", "truth")):
            psnr = [math.nan if k == 1 else 20.0 + k + i / 2 for i in range(3)]
            made = MethodResult(name, {"psnr": psnr, "ab_mse": [100.0 - k - i for i in range(3)]}, baseline=k >= count)
            value = math.nan if k == 1 else 20.5 + k
            made.summary = {"psnr": Figure(value, value - 0.5, value + 0.5, 3), "ab_mse": Figure(99.0 - k, 98, 100, 3)}
            made.summary |= {f"of_a_stranger_{i}": Figure(12345.678, 12000, 13000, 3) for i in range(4)}
            result.methods.append(made)
        result.tests = [PairedTest(a, b, "psnr", Figure(-1.0, -1.5, -0.5), 0.01, 3)
                        for i, a in enumerate(names) for b in names[i + 1 :]]  # fmt: skip
        result.settings = {"methods": {name: {"weights_sha256": "0123456789abcdef" * 4} for name in names}}
        write_html(result, lambda name, index: None, tmp_path / "report.html")
        return (tmp_path / "report.html").as_uri()

    return write


OUT_OF_SIGHT = """
document.querySelectorAll("details").forEach((each) => { each.open = true; });
const width = document.documentElement.clientWidth;
const hidden = (e) => { const b = e.getBoundingClientRect(); return b.width < 5 || b.left < 0 || b.right > width + 1; };
const cells = [...document.querySelectorAll("tbody th, tbody td")].filter((e) => e.textContent.trim() && hidden(e));
const boxes = [document.documentElement, ...document.querySelectorAll(".scroll")];
return [...cells.map((e) => e.textContent.trim()),
        ...boxes.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => `${e.tagName} ${e.scrollWidth}`)];
"""


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_no_column_is_out_of_sight_at_any_width(driver, phone, page, count):
    url = page(count)
    for width in (320, 390, 768, 1000, 1001, 1280):
        phone(width, 844)
        driver.get(url)
        assert driver.execute_script(OUT_OF_SIGHT) == [], f"{count} methods at {width} pixels"


@pytest.mark.parametrize("width", [390, 1280])
def test_a_figures_name_orders_the_methods(driver, phone, page, width):
    phone(width, 844)
    driver.get(page(3))
    row = "document.querySelectorAll('table.summary tbody tr')"

    def order():
        told = driver.execute_script(f"return [...{row}].map((r) => [...r.cells].slice(1).map((c) => c.dataset.of))")
        assert all(names == told[0] for names in told), "all rows are in one order"
        heads = driver.execute_script(
            "return [...document.querySelectorAll('.summary thead th')].map((c) => c.textContent)"
        )
        assert heads[1:] == told[0]
        assert sorted(told[0][3:]) == ["gray", "mean ab", "truth"]
        return [int(name[-1]) for name in told[0][:3]]

    assert order() == [0, 1, 2]
    for metric, wanted in ((0, [2, 0, 1]), (0, [0, 2, 1]), (1, [2, 1, 0]), (1, [0, 1, 2])):
        driver.execute_script(f"{row}[{metric}].querySelector('button').click()")
        assert order() == wanted
