"""The comparison's plots as inline SVG: histograms of a metric, the ab plane, chroma curves."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chromagan.evaluation.comparison_report.ab_density import (
    AB_LIMIT,
    AB_STEP,
    CELLS,
    CHROMA_BINS,
    CHROMA_STEP,
    AbDensity,
)
from chromagan.evaluation.comparison_report.html_text import decimals_for, direction, escape, number
from chromagan.evaluation.comparison_report.metric_labels import label_of
from chromagan.evaluation.result import MethodResult

# One user unit is one CSS pixel on a phone, so that text stays legible there; wider screens set charts side by side.
WIDTH = 360
_ROW, _BAR = 54, 28
_BINS = (10, 60)
_HUES = 8
_TAILS = (0.005, 0.995)
_NAME_LENGTH = 30


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 5 times a power of ten) from `low` to `high`, at most `about` + 1 of them."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def hue_class(index: int) -> str:
    """The CSS class of the index-th method's colour; colours repeat after eight, with another dash."""
    return f"m{index % _HUES} dash{index // _HUES % 3}"


def shorten(name: str, length: int = _NAME_LENGTH) -> str:
    """A name that fits, with an ellipsis where it was cut."""
    return name if len(name) <= length else name[: length - 1] + "…"


def distribution_html(metric: str, methods: Sequence[MethodResult], hues: Mapping[str, str]) -> str:
    """A card with one histogram a method on one axis, and the quantiles as a table below.

    Args:
        metric: of `per_image`.
        methods: those that have it are drawn.
        hues: CSS classes by method's name.

    Returns:
        HTML; empty where no method has two different finite figures to draw.
    """
    values = {m.name: np.array(m.per_image[metric], dtype=np.float64) for m in methods if metric in m.per_image}
    finite = {name: v[np.isfinite(v)] for name, v in values.items()}
    drawn = {name: v for name, v in finite.items() if v.size and v.min() < v.max()}
    if not drawn:
        return ""
    low, high, clipped = _range(list(drawn.values()))
    label = label_of(metric)
    unit = f" ({label.unit})" if label.unit else ""
    note = "Figures beyond the axis are counted in its outermost bars. " if clipped else ""
    undrawn = [f"{escape(name)} ({_why_not(values[name], v)})" for name, v in finite.items() if name not in drawn]
    note += f"Not drawn: {', '.join(undrawn)}." if undrawn else ""
    return (
        f'<figure class="card"><figcaption><h3>{escape(label.title + unit)} {direction(metric)}</h3></figcaption>'
        f"{_ridges(label.title, drawn, hues, low, high)}"
        + (f'<p class="note">{note.strip()}</p>' if note else "")
        + f"{_quantiles(finite)}</figure>"
    )


def _why_not(values: NDArray[np.float64], finite: NDArray[np.float64]) -> str:
    if not finite.size:
        return "infinite throughout" if np.isinf(values).any() else "no figures"
    return f"always {number(float(finite[0]), decimals_for(finite[:1]))}"


def _range(samples: Sequence[NDArray[np.float64]]) -> tuple[float, float, bool]:
    """The axis' ends, and whether it leaves a long tail out."""
    pooled = np.concatenate(samples)
    low, high = float(pooled.min()), float(pooled.max())
    tight_low, tight_high = (float(q) for q in np.quantile(pooled, _TAILS))
    if tight_high > tight_low and high - low > 3 * (tight_high - tight_low):
        return tight_low, tight_high, True
    return low, high, False


def _ridges(
    title: str, drawn: Mapping[str, NDArray[np.float64]], hues: Mapping[str, str], low: float, high: float
) -> str:  # fmt: skip
    height = _ROW * len(drawn) + 26
    left, right = 6, WIDTH - 6
    decimals = decimals_for([low, high])
    fewest, most = _BINS
    bins = min(max(2 * math.isqrt(max(v.size for v in drawn.values())), fewest), most)

    def x(value: float) -> float:
        return left + (right - left) * (min(max(value, low), high) - low) / (high - low)

    bottom = _ROW * len(drawn) + 4
    parts = []
    ticks = nice_ticks(low, high)
    for tick, text in zip(ticks, _tick_texts(ticks), strict=True):
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="0" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{bottom + 15}" {_anchor(x(tick))}>{text}</text>')
    for row, (name, sample) in enumerate(drawn.items()):
        base = _ROW * (row + 1)
        counts, edges = np.histogram(np.clip(sample, low, high), bins=bins, range=(low, high))
        heights = counts / counts.max() * _BAR
        steps = "".join(
            f"V{base - h:.1f}H{x(e):.1f}" if c or before else f"H{x(e):.1f}"
            for c, before, h, e in zip(counts, [0, *counts[:-1]], heights, edges[1:], strict=True)
        )
        q1, median, q3 = (float(q) for q in np.quantile(sample, (0.25, 0.5, 0.75)))
        middle = number(median, decimals)
        parts.append(
            f'<g class="{hues.get(name, "base")}"><title>{escape(name)}: median {middle}, middle half '
            f"{number(q1, decimals)} to {number(q3, decimals)}, {sample.size} images</title>"
            f'<path class="area" d="M{left} {base}{steps}V{base}Z"/>'
            f'<line class="half" x1="{x(q1):.1f}" x2="{x(q3):.1f}" y1="{base + 2.5}" y2="{base + 2.5}"/>'
            f'<line class="median" x1="{x(median):.1f}" x2="{x(median):.1f}" y1="{base - _BAR}" y2="{base + 5}"/>'
            f'<text class="name" x="{left}" y="{base - _BAR - 6}">{escape(shorten(name))}</text>'
            f'<text class="value" x="{right}" y="{base - _BAR - 6}" text-anchor="end">median {middle}</text></g>'
        )
    described = f"Histograms of {title} over images: " + "; ".join(
        f"{name}, median {number(float(np.median(v)), decimals)}" for name, v in drawn.items()
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(described)}">' + "".join(parts) + "</svg>"
    )


def _anchor(position: float) -> str:
    if position < 20:
        return ""
    return 'text-anchor="end"' if position > WIDTH - 20 else 'text-anchor="middle"'


def _tick_texts(ticks: Sequence[float]) -> list[str]:
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0]) or 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [number(tick, decimals) for tick in ticks]


def _quantiles(finite: Mapping[str, NDArray[np.float64]]) -> str:
    points = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
    names = ("lowest", "5 %", "25 %", "median", "75 %", "95 %", "highest")
    decimals = decimals_for(float(value) for v in finite.values() if v.size for value in (v.min(), v.max()))
    head = "".join(f'<th scope="col">{name}</th>' for name in ("method", *names, "images"))
    body = ""
    for name, sample in finite.items():
        figures = np.quantile(sample, points) if sample.size else np.full(len(points), np.nan)
        cells = "".join(f"<td>{number(float(q), decimals)}</td>" for q in figures)
        body += f'<tr><th scope="row">{escape(name)}</th>{cells}<td>{sample.size:,}</td></tr>'
    return (
        '<details><summary>Quantiles</summary><div class="scroll"><table class="plain"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def ab_plane_svg(name: str, density: AbDensity) -> str:
    """The density over the ab plane, with both axes labelled."""
    side, left, top = 200, 46, 8
    scale = side / (2 * AB_LIMIT)

    def at(value: float) -> float:
        return (value + AB_LIMIT) * scale

    # A cell's centre is a multiple of the step, so the picture begins half a step before the axis.
    shift, size = -AB_STEP / 2 * scale, CELLS * AB_STEP * scale
    lines = []
    for tick in (-100, -50, 0, 50, 100):
        u, v, text = left + at(tick), top + side - at(tick), number(tick, 0)
        lines.append(f'<line class="grid" x1="{u:.1f}" x2="{u:.1f}" y1="{top}" y2="{top + side}"/>')
        lines.append(f'<line class="grid" x1="{left}" x2="{left + side}" y1="{v:.1f}" y2="{v:.1f}"/>')
        lines.append(f'<text class="tick" x="{u:.1f}" y="{top + side + 15}" text-anchor="middle">{text}</text>')
        lines.append(f'<text class="tick" x="{left - 5}" y="{v + 3.5:.1f}" text-anchor="end">{text}</text>')
    uri = f"data:image/png;base64,{base64.b64encode(density.png()).decode()}"
    mean = number(density.mean_chroma, 1)
    described = f"Density of {name} over the ab plane; mean chroma {mean}"
    return (
        f'<svg viewBox="0 0 {left + side + 10} {top + side + 36}" role="img" aria-label="{escape(described)}">'
        + "".join(lines)
        + f'<image href="{uri}" x="{left + shift:.2f}" y="{top - shift:.2f}" width="{size:.2f}" height="{size:.2f}" '
        + 'preserveAspectRatio="none"/>'
        + f'<text class="axis" x="{left + side / 2}" y="{top + side + 31}" text-anchor="middle">'
        + "a* (green to red)</text>"
        + f'<text class="axis" transform="translate(9 {top + side / 2}) rotate(-90)" text-anchor="middle">'
        + "b* (blue to yellow)</text></svg>"
    )


def chroma_svg(densities: Mapping[str, AbDensity], hues: Mapping[str, str]) -> str:
    """Shares of the pixels by chroma, one line a name, on a logarithmic axis."""
    left, right, top, bottom = 52, WIDTH - 8, 8, 210
    decades = (-5, -4, -3, -2, -1, 0)
    most = max((int(np.flatnonzero(d.chroma).max()) for d in densities.values() if d.chroma.any()), default=10)
    widest = min(most + 2, CHROMA_BINS) * CHROMA_STEP

    def x(chroma: float) -> float:
        return left + (right - left) * chroma / widest

    def y(share: float) -> float:
        level = math.log10(share) if share > 0 else decades[0]
        return top + (bottom - top) * (decades[-1] - max(level, decades[0])) / (decades[-1] - decades[0])

    parts = []
    for decade, text in zip(decades, ("0.001 %", "0.01 %", "0.1 %", "1 %", "10 %", "100 %"), strict=True):
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y(10**decade):.1f}" y2="{y(10**decade):.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 4}" y="{y(10**decade) + 3.5:.1f}" text-anchor="end">{text}</text>')
    for tick in nice_ticks(0, widest):
        parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x(tick):.1f}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>')
    for name, density in densities.items():
        shares = density.chroma_shares()[: widest // CHROMA_STEP].tolist()
        points = " ".join(
            f"{x((i + 0.5) * CHROMA_STEP):.1f},{y(share):.1f}"
            for i, share in enumerate(shares)
            if max(shares[max(i - 1, 0) : i + 2]) > 10 ** decades[0]  # the axis' floor is no figure
        )
        title = f"<title>{escape(name)}: mean chroma {number(density.mean_chroma, 1)}</title>"
        parts.append(f'<g class="{hues.get(name, "base")}">{title}<polyline class="curve" points="{points}"/></g>')
    described = "Shares of the pixels by chroma. Mean chroma: " + "; ".join(
        f"{name} {number(d.mean_chroma, 1)}" for name, d in densities.items()
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 36}" role="img" aria-label="{escape(described)}">'
        + "".join(parts)
        + f'<text class="axis" x="{(left + right) / 2}" y="{bottom + 31}" text-anchor="middle">'
        + f"chroma, share of the pixels in steps of {CHROMA_STEP}</text></svg>"
    )
