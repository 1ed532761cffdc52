"""Words and numbers of the comparison's page: escaping, figures with their intervals, names of metrics."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from chromagan.evaluation.metric_names import HIGHER_IS_BETTER
from chromagan.evaluation.result import ComparisonResult, Figure, MethodResult, PairedTest

DASH = '<span class="none" title="no figure">–</span>'


# What the top of the page and the captions speak of, where a result has it.
_FIRST = ("psnr", "lpips_alex", "ciede2000", "fid_tf", "delta_colourfulness", "ssim")


def escape(text: object) -> str:
    """Text for HTML, attributes included."""
    return html.escape(str(text), quote=True)


def direction(metric: str) -> str:
    """A metric's name with the arrow that says which way is better (none where neither is)."""
    higher = HIGHER_IS_BETTER.get(metric)
    if higher is None:
        return ""
    arrow, word = ("↑", "higher") if higher else ("↓", "lower")
    return f'<span class="arrow" role="img" aria-label="{word} is better" title="{word} is better">{arrow}</span>'


def decimals_for(values: Iterable[float], digits: int = 4) -> int:
    """Decimals that give the largest of some figures so many significant digits."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0:
        return 2
    return min(max(digits - 1 - math.floor(math.log10(largest)), 0), 9)


def number(value: float, decimals: int, signed: bool = False) -> str:
    """A figure with a true minus sign, or the dash where it is not finite."""
    if not math.isfinite(value):
        return DASH
    text = f"{value:+,.{decimals}f}" if signed else f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def interval(figure: Figure, decimals: int, signed: bool = False) -> str:
    """The 95 % interval in brackets; empty where there is none."""
    if not (math.isfinite(figure.low) and math.isfinite(figure.high)):
        return ""
    low, high = (number(end, decimals, signed) for end in (figure.low, figure.high))
    return f'<span class="interval">[{low}, {high}]</span>'


def p_text(p_value: float) -> str:
    """A p value as papers print it; the dash for NaN."""
    if not math.isfinite(p_value):
        return DASH
    return "&lt; 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def metrics_of(methods: Sequence[MethodResult]) -> list[str]:
    """The metrics of all methods' summaries, in order of appearance."""
    return list(dict.fromkeys(metric for method in methods for metric in method.summary))


def compared(result: ComparisonResult) -> list[MethodResult]:
    """The methods that are no baselines."""
    return [method for method in result.methods if not method.baseline]


def headline_metrics(result: ComparisonResult, most: int = 4) -> list[str]:
    """The metrics with a direction that the page opens with."""
    have = [m for m in metrics_of(compared(result)) if m in HIGHER_IS_BETTER]
    first = [metric for metric in _FIRST if metric in have]
    return (first + [metric for metric in have if metric not in first])[:most]


def value_of(method: MethodResult, metric: str) -> float:
    """A method's figure in the table; NaN where it has none."""
    figure = method.summary.get(metric)
    return figure.value if figure else math.nan


def ranking(methods: Sequence[MethodResult], metric: str) -> list[MethodResult]:
    """Methods with a finite figure, best first; empty for a metric without a direction."""
    higher = HIGHER_IS_BETTER.get(metric)
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
