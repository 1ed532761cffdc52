"""What a comparison says: rankings, what can be told apart, and the rows that its page shows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from chromagan.evaluation.result import ComparisonResult, MethodResult, PairedTest
from chromagan.metrics.figure import Figure
from chromagan.metrics.metric import Metric
from chromagan.metrics.registry import describe
from chromagan.reports.figures import decimals_for, number, p_text

MOST_TESTS = 300
# What the top of the page and the captions speak of, where a result has it.
_FIRST = ("psnr", "lpips_alex", "ciede2000", "fid_tf", "delta_colourfulness", "ssim")


def metrics_of(methods: Sequence[MethodResult]) -> list[str]:
    """The metrics of all methods' summaries, in order of appearance."""
    return list(dict.fromkeys(metric for method in methods for metric in method.summary))


def compared(result: ComparisonResult) -> list[MethodResult]:
    """The methods that are no baselines."""
    return [method for method in result.methods if not method.baseline]


def value_of(method: MethodResult, metric: str) -> float:
    """A method's figure in the table; NaN where it has none."""
    figure = method.summary.get(metric)
    return figure.value if figure else math.nan


def ranking(methods: Sequence[MethodResult], metric: str) -> list[MethodResult]:
    """Methods with a finite figure, best first; empty for a metric without a direction."""
    higher = describe(metric).higher_is_better
    if higher is None:
        return []
    sign = -1 if higher else 1
    finite = [method for method in methods if math.isfinite(value_of(method, metric))]
    return sorted(finite, key=lambda method: sign * value_of(method, metric))


def paired(result: ComparisonResult, metric: str, a: str, b: str) -> PairedTest | None:
    """The paired comparison a - b in one metric, turned round where it was made as b - a."""
    for test in result.tests:
        if test.metric == metric and (test.a, test.b) == (a, b):
            return test
        if test.metric == metric and (test.a, test.b) == (b, a):
            d = test.difference
            turned = Figure(-d.value, -d.high, -d.low, d.count, d.left_out)
            return PairedTest(a, b, metric, turned, test.p_value, test.images)
    return None


def told_apart(test: PairedTest) -> bool:
    """Whether the interval of the difference leaves zero out."""
    return test.difference.low > 0 or test.difference.high < 0


def findings(result: ComparisonResult, most: int = 4) -> list[dict[str, Any]]:
    """What the page opens with: the best figure of some metrics, and what it is best read against."""
    have = [metric for metric in metrics_of(compared(result)) if describe(metric).higher_is_better is not None]
    first = [metric for metric in _FIRST if metric in have]
    found = []
    for metric in (first + [metric for metric in have if metric not in first])[:most]:
        order = ranking(compared(result), metric)
        if order:
            best = order[0].summary[metric]
            who = order[0].name if len(order) > 1 else ""
            beside = _beside(result, metric, order)
            found.append({"metric": describe(metric), "best": best, "decimals": decimals_for([best.value]),
                          "who": who, "beside": beside})  # fmt: skip
    return found


def _beside(result: ComparisonResult, metric: str, order: Sequence[MethodResult]) -> str:
    """The next method, or the gray photo."""
    best = order[0]
    if len(order) == 1:
        gray = baseline_of(result, "gray")
        value = value_of(gray, metric) if gray else math.nan
        return f"the gray photo: {number(value, decimals_for([value]))}" if math.isfinite(value) else ""
    second = order[1]
    test = paired(result, metric, best.name, second.name)
    if test is None or not math.isfinite(test.difference.low):
        value = value_of(second, metric)
        return f"next: {second.name}, {number(value, decimals_for([value]))}"
    text = p_text(test.p_value)
    p = (f", p {text}" if text.startswith("<") else f", p = {text}") if math.isfinite(test.p_value) else ""
    if not told_apart(test):
        return f"not told apart from {second.name}{p}"
    gap = abs(test.difference.value)
    return f"ahead of {second.name} by {number(gap, decimals_for([gap], 2))}{p}"


def no_better_than_gray(result: ComparisonResult) -> list[str]:
    """The methods that lose to the gray photo, each with the metrics that they lose in."""
    gray = baseline_of(result, "gray")
    lines = []
    for method in compared(result) if gray else []:
        # A tie goes to the first. The gray photo has the truth's lightness by its making: that beats nobody.
        orders = {m: ranking([gray, method], m) for m in metrics_of([method]) if m != "lightness_difference"}  # type: ignore[list-item]
        lost = [describe(m).label for m, order in orders.items() if len(order) == 2 and order[0] is gray]
        if lost:
            lines.append(f"{method.name} in {', '.join(lost)}")
    return lines


def summary_rows(result: ComparisonResult) -> list[tuple[Metric, list[tuple[str, bool, Figure | None, int, str]]]]:
    """The summary table: a row a metric, and in it a cell for each method and, behind them, each baseline.

    A cell is the method's name, whether it is a baseline, the figure, its decimals, and "best", "tied" (not told apart
    from the best) or "". Marks go to methods alone: the baselines are not ranked. With one method nothing is marked.
    """
    rows = []
    for metric in metrics_of(result.methods):
        marks, decimals = _marks(result, metric), _decimals_of(result, metric)
        cells = [(m.name, m.baseline, m.summary.get(metric), decimals, marks.get(m.name, "")) for m in in_order(result)]
        rows.append((describe(metric), cells))
    return rows


def in_order(result: ComparisonResult) -> list[MethodResult]:
    """The methods, then the baselines."""
    return sorted(result.methods, key=lambda method: method.baseline)


def _decimals_of(result: ComparisonResult, metric: str) -> int:
    """From the methods' figures; the truth's SSIM of 1 or ab error of 0 would cost or add digits."""
    figures = [value_of(method, metric) for method in compared(result)]
    if not any(math.isfinite(value) and value for value in figures):
        figures = [value_of(method, metric) for method in result.methods]
    return decimals_for(figures)


def _marks(result: ComparisonResult, metric: str) -> dict[str, str]:
    order = ranking(compared(result), metric)
    if len(order) < 2:
        return {}
    best = order[0]
    marks = {}
    for method in order:
        test = paired(result, metric, best.name, method.name)
        if method.summary[metric].value == best.summary[metric].value:
            marks[method.name] = "best"
        elif test is not None and math.isfinite(test.difference.low) and not told_apart(test):
            marks[method.name] = "tied"
    return marks


def tests_rows(result: ComparisonResult) -> list[dict[str, Any]]:
    """Paired differences; of more than MOST_TESTS, those with the best method of their metric are kept."""
    tests = list(result.tests)
    if len(tests) > MOST_TESTS:
        best = {m: order[0].name for m in {t.metric for t in tests} if (order := ranking(compared(result), m))}
        tests = [t for t in tests if best.get(t.metric) in (t.a, t.b)][:MOST_TESTS]
    by_metric = {metric: [t.difference for t in tests if t.metric == metric] for metric in {t.metric for t in tests}}
    decimals = {metric: decimals_for((d.value for d in found), 3) for metric, found in by_metric.items()}
    spans = {metric: _span(found) for metric, found in by_metric.items()}
    return [
        {"metric": describe(t.metric), "a": t.a, "b": t.b, "difference": t.difference, "decimals": decimals[t.metric],
         "span": spans[t.metric], "p": t.p_value, "images": t.images, "reading": _reading(t)}
        for t in tests
    ]  # fmt: skip


def _span(differences: Sequence[Figure]) -> float:
    ends = [abs(end) for d in differences for end in (d.value, d.low, d.high)]
    return max((end for end in ends if math.isfinite(end)), default=0.0) or 1.0


def _reading(test: PairedTest) -> str:
    if not math.isfinite(test.difference.low):
        return ""
    if not told_apart(test):
        return "not told apart"
    higher = describe(test.metric).higher_is_better
    if higher is None:
        return "differ"
    return f"{test.a if (test.difference.low > 0) == higher else test.b} is better"


def settings_rows(settings: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Settings as the names that lead to a value, and the value in words."""
    items = settings.items() if isinstance(settings, Mapping) else enumerate(settings, 1)
    rows: list[tuple[tuple[str, ...], str]] = []
    for key, value in items:
        place = (*path, str(key))
        plain = isinstance(value, list | tuple) and not any(isinstance(item, Mapping) for item in value)
        if plain:
            rows.append((place, ", ".join(map(_in_words, value)) or "none"))
        elif isinstance(value, Mapping | list | tuple) and value:
            rows += settings_rows(value, place)
        else:
            rows.append((place, _in_words(value)))
    return rows


def _in_words(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "not given", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def baseline_of(result: ComparisonResult, name: str) -> MethodResult | None:
    """The baseline of that name, where it is there."""
    return next((method for method in result.methods if method.baseline and method.name == name), None)
