"""The tables of the comparison's page: summary, paired tests, settings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from chromagan.evaluation.comparison_report.html_text import (
    DASH,
    compared,
    decimals_for,
    direction,
    escape,
    interval,
    metrics_of,
    number,
    p_text,
    paired,
    ranking,
    told_apart,
    value_of,
)
from chromagan.evaluation.comparison_report.metric_labels import label_of
from chromagan.evaluation.metric_names import HIGHER_IS_BETTER
from chromagan.evaluation.result import ComparisonResult, Figure, MethodResult, PairedTest

MOST_TESTS = 300
_OPEN_TESTS = 24
_BEST = ' <span class="mark" role="img" aria-label="best" title="best of this column">●</span>'
_TIED = (
    ' <span class="mark" role="img" aria-label="not told apart from the best" '
    'title="not told apart from the best: the interval of the paired difference holds zero">≈</span>'
)


def summary_table(result: ComparisonResult) -> str:
    """Methods by metrics, with intervals; the best of each column is marked, and what cannot be told from it.

    Marks go to methods alone: the baselines stand in a body of their own and are not ranked. With one method nothing
    is marked.
    """
    metrics = metrics_of(result.methods)
    decimals = {metric: _decimals_of(result, metric) for metric in metrics}
    marks = {metric: _marks(result, metric) for metric in metrics}
    head = "".join(
        f'<th scope="col" data-better="{_better_end(m)}"><span class="metric">'
        f'{escape(label_of(m).title)} {direction(m)}</span><span class="key">{escape(m)}{_unit(m)}</span></th>'
        for m in metrics
    )
    bodies = []
    for kind, methods in (("methods", compared(result)), ("baselines", [m for m in result.methods if m.baseline])):
        rows = "".join(
            f'<tr><th scope="row">{escape(method.name)}</th>'
            + "".join(_cell(method.summary.get(m), decimals[m], marks[m].get(method.name, "")) for m in metrics)
            + "</tr>\n"
            for method in methods
        )
        divider = (
            f'<tr class="divider"><th scope="rowgroup" colspan="{len(metrics) + 1}">Rows that cost nothing</th></tr>'
        )
        if rows:
            bodies.append(f'<tbody class="{kind}">{divider if kind == "baselines" else ""}\n{rows}</tbody>')
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Summary table"><table class="summary sortable">'
        f'<thead><tr><th scope="col">Method</th>{head}</tr></thead>\n' + "\n".join(bodies) + "</table></div>"
    )


def _decimals_of(result: ComparisonResult, metric: str) -> int:
    """From the methods' figures; the truth's SSIM of 1 or ab error of 0 would cost or add digits."""
    figures = [value_of(method, metric) for method in compared(result)]
    if not any(math.isfinite(value) and value for value in figures):
        figures = [value_of(method, metric) for method in result.methods]
    return decimals_for(figures)


def _better_end(metric: str) -> str:
    return {None: "", True: "high", False: "low"}[HIGHER_IS_BETTER.get(metric)]


def _unit(metric: str) -> str:
    unit = label_of(metric).unit
    return f", {escape(unit)}" if unit else ""


def _marks(result: ComparisonResult, metric: str) -> dict[str, str]:
    order = ranking(compared(result), metric)
    if len(order) < 2:
        return {}
    best = order[0]
    marks = {}
    for method in order:
        test = paired(result, metric, best.name, method.name)
        if method.summary[metric].value == best.summary[metric].value:
            marks[method.name] = _BEST
        elif test is not None and math.isfinite(test.difference.low) and not told_apart(test):
            marks[method.name] = _TIED
    return marks


def _cell(figure: Figure | None, decimals: int, mark: str) -> str:
    if figure is None:
        return f"<td>{DASH}</td>"
    left_out = ""
    if figure.left_out:
        title = f"{figure.left_out} images have no finite figure and are not in this one"
        left_out = f'<span class="leftout" title="{title}">{figure.left_out:,} left out</span>'
    # The full figure is there for sorting and for whoever copies it from the source.
    value = f' data-value="{figure.value!r}"' if math.isfinite(figure.value) else ""
    kind = ' class="best"' if mark == _BEST else ""
    shown = f'<span class="figure">{number(figure.value, decimals)}{mark}</span>'
    return f"<td{value}{kind}>{shown}{interval(figure, decimals)}{left_out}</td>"


def paired_table(result: ComparisonResult) -> str:
    """Paired differences with their intervals, drawn and in numbers; empty where nothing was compared.

    Of more than MOST_TESTS, those with the best method of their metric are kept.
    """
    tests = list(result.tests)
    note = ""
    if len(tests) > MOST_TESTS:
        best = {m: order[0].name for m in {t.metric for t in tests} if (order := ranking(compared(result), m))}
        tests = [t for t in tests if best.get(t.metric) in (t.a, t.b)][:MOST_TESTS]
        shown = f"{len(tests):,} with the best method of a metric are shown; metrics.json has all."
        note = f" Of {len(result.tests):,} comparisons, {shown}"
    if not tests:
        return ""
    spans = {m: _span([t for t in tests if t.metric == m]) for m in {t.metric for t in tests}}
    decimals = {m: decimals_for((t.difference.value for t in tests if t.metric == m), 3) for m in spans}
    rows = "\n".join(_test_row(test, spans[test.metric], decimals[test.metric]) for test in tests)
    heads = (
        ("Metric", 1),
        ("A", 1),
        ("B", 1),
        ("A − B", 1),
        ("95 % interval", 2),
        ("p", 1),
        ("Images", 1),
        ("Reading", 1),
    )
    head = "".join(f'<th scope="col" colspan="{columns}">{text}</th>' for text, columns in heads)
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="Paired comparisons"><table class="tests">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    if len(tests) > _OPEN_TESTS:
        table = f"<details><summary>All {len(tests):,} comparisons</summary>{table}</details>"
    return (
        '<p class="note">Each pair of methods on the same images: the mean difference with its 95 % interval, and the '
        "two-sided p value of Wilcoxon’s signed-rank test. The p values are not corrected for the number of "
        f"comparisons ({len(result.tests):,} here): among twenty comparisons of equals, one below 0.05 is to be "
        f"expected.{note}</p>\n{table}"
    )


def _span(tests: Sequence[PairedTest]) -> float:
    ends = [abs(end) for t in tests for end in (t.difference.value, t.difference.low, t.difference.high)]
    return max((end for end in ends if math.isfinite(end)), default=0.0) or 1.0


def _test_row(test: PairedTest, span: float, decimals: int) -> str:
    d = test.difference
    return (
        f'<tr><th scope="row">{escape(label_of(test.metric).title)} {direction(test.metric)}</th>'
        f"<td>{escape(test.a)}</td><td>{escape(test.b)}</td>"
        f"<td>{number(d.value, decimals, signed=True)}{_unit_after(test.metric, d.value)}</td>"
        f"<td>{_forest(d, span)}</td><td>{interval(d, decimals, signed=True) or DASH}</td>"
        f"<td>{p_text(test.p_value)}</td><td>{test.images:,}</td><td>{_reading(test)}</td></tr>"
    )


def _unit_after(metric: str, value: float) -> str:
    unit = label_of(metric).unit
    return f" {escape(unit)}" if unit and math.isfinite(value) else ""


def _forest(difference: Figure, span: float) -> str:
    """The interval around zero as a small drawing; all rows of a metric have one scale."""
    if not all(math.isfinite(v) for v in (difference.value, difference.low, difference.high)):
        return ""
    value, low, high = (60 + 56 * v / span for v in (difference.value, difference.low, difference.high))
    return (
        '<svg class="forest" viewBox="0 0 120 16" aria-hidden="true">'
        '<line class="zero" x1="60" x2="60" y1="0" y2="16"/>'
        f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="8" y2="8"/>'
        f'<circle cx="{value:.1f}" cy="8" r="3.2"/></svg>'
    )


def _reading(test: PairedTest) -> str:
    if not math.isfinite(test.difference.low):
        return DASH
    if not told_apart(test):
        return "not told apart"
    higher = HIGHER_IS_BETTER.get(test.metric)
    if higher is None:
        return "differ"
    better = test.a if (test.difference.low > 0) == higher else test.b
    return f"{escape(better)} is better"


def settings_table(caption: str, settings: Mapping[str, Any]) -> str:
    """Settings as name and value; nested ones under dotted names. Empty where there are none."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td><code>{escape(value)}</code></td></tr>\n'
        for name, value in _flat(settings)
    )
    if not rows:
        return ""
    caption = f"<caption>{escape(caption)}</caption>"
    return f'<div class="scroll"><table class="settings">{caption}<tbody>{rows}</tbody></table></div>'


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            rows += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, str):
            rows.append((f"{prefix}{key}", value))
        elif isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            rows.append((f"{prefix}{key}", ", ".join(value) or "none"))
        else:
            rows.append((f"{prefix}{key}", json.dumps(value, default=str)))
    return rows


def baseline_of(result: ComparisonResult, name: str) -> MethodResult | None:
    """The baseline of that name, where it is there."""
    return next((method for method in result.methods if method.baseline and method.name == name), None)
