"""A comparison as tables for papers and pages (LaTeX, Markdown, plain text), with what produced it."""

from __future__ import annotations

import json
import math

from chromagan.evaluation.result import ComparisonResult, MethodResult
from chromagan.metrics.figure import Figure
from chromagan.metrics.registry import describe
from chromagan.reports.tables import escaped, format_table, markdown_table

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def number(value: float, metric: str) -> str:
    """A figure as shown; a dash where there is none."""
    return f"{value:z.{describe(metric).digits}f}" if math.isfinite(value) else "-"


def columns_of(result: ComparisonResult) -> list[str]:
    """Metrics that any method has, in the order of the first that has them."""
    return list(dict.fromkeys(metric for method in result.methods for metric in method.summary))


def best_methods(result: ComparisonResult) -> dict[str, set[str]]:
    """By metric, the methods (no baselines) with the best figure as shown; none where a metric has no direction."""
    best: dict[str, set[str]] = {}
    ours = [method for method in result.methods if not method.baseline]
    for metric in columns_of(result):
        higher = describe(metric).higher_is_better
        values = {m.name: round(m.summary[metric].value, describe(metric).digits) for m in ours if metric in m.summary}
        values = {name: value for name, value in values.items() if math.isfinite(value)}
        best[metric] = set()
        if higher is not None and len(ours) > 1 and values:
            top = max(values.values()) if higher else min(values.values())
            best[metric] = {name for name, value in values.items() if value == top}
    return best


def plain_table(result: ComparisonResult) -> str:
    """For a terminal: metrics down, methods across, so that any number of metrics fits."""
    header = ("", *(method.name for method in result.methods))
    rows = []
    for metric in columns_of(result):
        cells = (_value(method, metric) for method in result.methods)
        rows.append((f"{metric}{_arrow(metric, ' (+)', ' (-)')}", *cells))
    return format_table(header, rows)


def markdown(result: ComparisonResult) -> str:
    """A page: the table with intervals, paired comparisons, what is missing, and what produced it."""
    best = best_methods(result)
    columns = columns_of(result)
    lines = [f"# {result.protocol}, {len(result.images)} images", ""]
    header = ["method", *(f"{c}{_arrow(c, ' ↑', ' ↓')}" for c in columns)]
    rows = []
    for method in result.methods:
        cells = []
        for metric in columns:
            figure = method.summary.get(metric)
            text = _with_interval(figure, metric) if figure else "-"
            cells.append(f"**{text}**" if method.name in best[metric] else text)
        name = escaped(method.name)
        rows.append([f"*{name}*" if method.baseline else name, *cells])
    lines += [markdown_table(header, rows), ""]
    lines += ["In brackets: 95 % intervals (bootstrap over images, unless a metric's own description says other). "
              "Arrows: the better direction. In italics: rows that cost nothing."]  # fmt: skip
    if result.tests:
        lines += ["", "## Paired comparisons on the same images", "", _tests(result)]
    if result.missing:
        lines += ["", "## Missing", "", *(f"- {metric}: {why}" for metric, why in result.missing.items())]
    if result.warnings:
        lines += ["", "## Warnings", "", *(f"- {warning}" for warning in result.warnings)]
    settings = json.dumps({"settings": result.settings, "versions": result.versions}, indent=1, ensure_ascii=False)
    lines += ["", "## Settings and versions", "", "```json", settings, "```", ""]
    return "\n".join(lines)


def latex(result: ComparisonResult) -> str:
    """A `tabular` for a paper (needs the package booktabs); settings and versions as comments before it."""
    best = best_methods(result)
    columns = columns_of(result)
    content = {"protocol": result.protocol, "settings": result.settings, "versions": result.versions}
    lines = [f"% {line}" for line in json.dumps(content, indent=1, ensure_ascii=False).splitlines()]
    lines += [f"% {metric} is missing: {why}" for metric, why in result.missing.items()]
    lines += [f"% {warning}" for warning in result.warnings]
    lines += [r"\begin{tabular}{l" + "r" * len(columns) + "}", r"\toprule"]
    heads = [_escaped_latex(c) + _arrow(c, r" $\uparrow$", r" $\downarrow$") for c in columns]
    lines += [" & ".join(["Method", *heads]) + r" \\", r"\midrule"]
    ruled = False
    for method in result.methods:
        if method.baseline and not ruled and any(not m.baseline for m in result.methods):
            lines.append(r"\midrule")
            ruled = True
        cells = [_latex_cell(method, metric, method.name in best[metric]) for metric in columns]
        lines.append(" & ".join([_escaped_latex(method.name), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _tests(result: ComparisonResult) -> str:
    header = ("metric", "a", "b", "mean of a - b", "p (Wilcoxon)", "images")
    rows = []
    for test in result.tests:
        p_value = f"{test.p_value:.2g}" if math.isfinite(test.p_value) else "-"
        difference = _with_interval(test.difference, test.metric, "+")
        rows.append([test.metric, escaped(test.a), escaped(test.b), difference, p_value, str(test.images)])
    return markdown_table(header, rows, "lllrrr")


def _value(method: MethodResult, metric: str) -> str:
    return number(method.summary[metric].value, metric) if metric in method.summary else "-"


def _with_interval(figure: Figure, metric: str, sign: str = "") -> str:
    if not math.isfinite(figure.value):
        return "-"
    places = describe(metric).digits
    text = f"{figure.value:{sign}z.{places}f}"
    if math.isfinite(figure.low) and math.isfinite(figure.high):
        text += f" [{figure.low:{sign}z.{places}f}, {figure.high:{sign}z.{places}f}]"
    return text


def _latex_cell(method: MethodResult, metric: str, best: bool) -> str:
    text = _value(method, metric)
    if text == "-":
        return "--"
    return rf"\textbf{{{text}}}" if best else f"${text}$" if text.startswith("-") else text


def _arrow(metric: str, up: str, down: str) -> str:
    higher = describe(metric).higher_is_better
    return "" if higher is None else up if higher else down


def _escaped_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
