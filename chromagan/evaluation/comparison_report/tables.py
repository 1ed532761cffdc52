"""A comparison as tables for papers and pages (LaTeX, Markdown, plain text), with what produced it."""

from __future__ import annotations

import json
import math

from chromagan.evaluation.comparison_report.findings import compared, metrics_of
from chromagan.evaluation.result import ComparisonResult, MethodResult
from chromagan.metrics.figure import Figure
from chromagan.metrics.registry import describe
from chromagan.reports.render import render
from chromagan.reports.tables import escaped, format_table, latex_text, markdown_table


def best_methods(result: ComparisonResult) -> dict[str, set[str]]:
    """By metric, the methods (no baselines) with the best figure as shown; none where a metric has no direction."""
    best: dict[str, set[str]] = {metric: set() for metric in metrics_of(result.methods)}
    ours = compared(result)
    for metric in best if len(ours) > 1 else ():
        described = describe(metric)
        shown = {m.name: round(m.summary[metric].value, described.digits) for m in ours if metric in m.summary}
        finite = {name: value for name, value in shown.items() if math.isfinite(value)}
        if described.higher_is_better is not None and finite:
            top = max(finite.values()) if described.higher_is_better else min(finite.values())
            best[metric] = {name for name, value in finite.items() if value == top}
    return best


def plain_table(result: ComparisonResult) -> str:
    """For a terminal: metrics down, methods across, so that any number of metrics fits."""
    header = ("", *(method.name for method in result.methods))
    rows = [
        (f"{metric}{_arrow(metric, ' (+)', ' (-)')}", *(_value(method, metric) for method in result.methods))
        for metric in metrics_of(result.methods)
    ]
    return format_table(header, rows)


def markdown(result: ComparisonResult, published: str | None = None) -> str:
    """A page: the table with intervals, paired comparisons, what is missing, and what produced it.

    A table of published figures, if any, is its end.
    """
    best = best_methods(result)
    rows = []
    for method in result.methods:
        texts = {metric: _with_interval(method.summary.get(metric), metric) for metric in best}
        name = escaped(method.name)
        cells = [f"**{text}**" if method.name in best[metric] else text for metric, text in texts.items()]
        rows.append([f"*{name}*" if method.baseline else name, *cells])
    content = {"settings": result.settings, "versions": result.versions}
    return render(
        "comparison.md",
        protocol=result.protocol,
        images=len(result.images),
        unit=result.unit,
        table=markdown_table(["method", *(f"{metric}{_arrow(metric, ' ↑', ' ↓')}" for metric in best)], rows),
        tests=_tests(result) if result.tests else "",
        missing=result.missing,
        warnings=result.warnings,
        settings=json.dumps(content, indent=1, ensure_ascii=False),
        published=published,
    )


def latex(result: ComparisonResult) -> str:
    """A `tabular` for a paper (needs the package booktabs); settings and versions as comments before it."""
    best = best_methods(result)
    content = {"protocol": result.protocol, "settings": result.settings, "versions": result.versions}
    comments = json.dumps(content, indent=1, ensure_ascii=False).splitlines()
    comments += [f"{metric} is missing: {why}" for metric, why in result.missing.items()] + result.warnings
    rows = [
        (method.baseline, (method.name, [(_value(method, metric), method.name in best[metric]) for metric in best]))
        for method in result.methods
    ]
    return render(
        "comparison.tex",
        comments=comments,
        heads=[latex_text(metric) + _arrow(metric, r" $\uparrow$", r" $\downarrow$") for metric in best],
        bodies=[[row for baseline, row in rows if baseline == kind] for kind in (False, True)],
    )


def _tests(result: ComparisonResult) -> str:
    header = ("metric", "a", "b", "mean of a - b", "p (Wilcoxon)", result.unit)
    rows = []
    for test in result.tests:
        p_value = f"{test.p_value:.2g}" if math.isfinite(test.p_value) else "-"
        difference = _with_interval(test.difference, test.metric, "+")
        rows.append([test.metric, escaped(test.a), escaped(test.b), difference, p_value, str(test.images)])
    return markdown_table(header, rows, "lllrrr")


def _value(method: MethodResult, metric: str) -> str:
    figure = method.summary.get(metric)
    return "-" if figure is None or not math.isfinite(figure.value) else _number(figure.value, metric)


def _with_interval(figure: Figure | None, metric: str, sign: str = "") -> str:
    if figure is None or not math.isfinite(figure.value):
        return "-"
    text = _number(figure.value, metric, sign)
    if math.isfinite(figure.low) and math.isfinite(figure.high):
        text += f" [{_number(figure.low, metric, sign)}, {_number(figure.high, metric, sign)}]"
    return text


def _number(value: float, metric: str, sign: str = "") -> str:
    return f"{value:{sign}z.{describe(metric).digits}f}"


def _arrow(metric: str, up: str, down: str) -> str:
    higher = describe(metric).higher_is_better
    return "" if higher is None else up if higher else down
