"""Shifts of skin colour against the truth's typology angle, as one SVG picture that needs nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from chromagan.evaluation.fairness.measure import Face, FairnessResult
from chromagan.evaluation.fairness.skin import GROUPINGS
from chromagan.evaluation.result import Figure

_ROWS = (
    ("lightness_shift", "L* shift", "lighter"),
    ("a_shift", "a* shift", "redder"),
    ("b_shift", "b* shift", "yellower"),
    ("ita_shift", "ITA shift, degrees", "lighter"),
    ("ciede2000", "CIEDE2000", "worse"),
)
_ABSCISSA = {
    "ita": ("true photo's individual typology angle (ITA)", "ITA of the truth, degrees (dark to light)"),
    "lightness": ("true photo's lightness of skin", "mean L* of the true skin"),
}
"""By grouping: (in the title, of the horizontal axis)."""
_WIDTH, _HEIGHT = 620, 150  # of a panel
_LEFT, _TOP, _BETWEEN, _BOTTOM = 74, 76, 26, 62
_BAND = ("#f4f4f4", "#e6e6e6")
_DOT, _MEAN, _INTERVAL, _FRAME = "#4477aa", "#aa3311", "#ee8866", "#777777"


@dataclass(frozen=True)
class _Axis:
    """Maps figures between `low` and `high` to pixels between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (self.clamp(value) - self.low) / (self.high - self.low) * (self.end - self.start)

    def clamp(self, value: float) -> float:
        return min(max(value, self.low), self.high)


def fairness_svg(result: FairnessResult) -> str:
    """Draw the plot: one column a colorizer, one row a measure.

    A dot is a face; the line across a group's band is the mean of the group and the block behind it the 95 % interval
    (dashed and without block where the group has too few faces to say much). Methods that are no colorizers are left
    out unless there is nothing else. Axes are the same in all columns.

    Args:
        result: faces and figures.

    Returns:
        The text of an SVG file.
    """
    methods = [name for name in result.methods if name not in result.baselines] or result.methods
    width = _LEFT + len(methods) * (_WIDTH + _BETWEEN)
    height = _TOP + len(_ROWS) * (_HEIGHT + _BETWEEN) + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        "<title>Shift of skin colour by group of skin</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(_LEFT, 18, f"Shift of skin colour by the {_ABSCISSA[result.grouping][0]}", size=14),
        _text(_LEFT, 34, "dot: a face; line: mean of a group; block: its 95 % interval; dashed: too few faces"),
    ]
    low, high = _abscissa_range(result)
    for column, method in enumerate(methods):
        left = _LEFT + column * (_WIDTH + _BETWEEN)
        x = _Axis(low, high, left, left + _WIDTH)
        parts.append(_text(left + _WIDTH / 2, 52, method, "middle", 13))
        for row, (measure, title, upwards) in enumerate(_ROWS):
            top = _TOP + row * (_HEIGHT + _BETWEEN)
            bottom, ceiling = _measure_range(result, methods, measure)
            y = _Axis(bottom, ceiling, top + _HEIGHT, top)
            parts += _panel(result, method, measure, x, y)
            parts += _y_axis(y, left, f"{title} (up: {upwards})" if column == 0 else "")
        parts += _x_axis(x, _ABSCISSA[result.grouping][1], _TOP + len(_ROWS) * (_HEIGHT + _BETWEEN) - _BETWEEN)
    return "\n".join([*parts, "</svg>\n"])


def _panel(result: FairnessResult, method: str, measure: str, x: _Axis, y: _Axis) -> list[str]:
    counts, few, figures = result.counts(), result.few(), result.figures[method][measure].groups
    parts = []
    for index, (name, (low, high)) in enumerate(GROUPINGS[result.grouping].items()):
        left, right = x(low), x(high)
        if right - left < 1:
            continue
        parts.append(
            f'<rect x="{left:.1f}" y="{y.end:.1f}" width="{right - left:.1f}" height="{y.start - y.end:.1f}" '
            f'fill="{_BAND[index % 2]}"/>'
        )
        if measure == _ROWS[0][0]:
            # Narrow bands have no room for name and count side by side.
            parts.append(_text((left + right) / 2, y.end - 13, name, "middle", 8))
            parts.append(_text((left + right) / 2, y.end - 3, f"n = {counts[name]}", "middle", 8))
        parts += _mean(figures[name], left, right, y, name in few)
    if y.low < 0 < y.high:
        parts.append(_line(x.start, y(0), x.end, y(0), _FRAME, 1))
    for face in result.faces:
        value = getattr(face.shifts[method], measure)
        if math.isfinite(value):
            across = x(_abscissa(face, result))
            parts.append(
                f'<circle cx="{across:.1f}" cy="{y(value):.1f}" r="2.2" fill="{_DOT}" fill-opacity="0.55"/>'
            )
    parts.append(
        f'<rect x="{x.start:.1f}" y="{y.end:.1f}" width="{x.end - x.start:.1f}" height="{y.start - y.end:.1f}" '
        f'fill="none" stroke="{_FRAME}"/>'
    )
    return parts


def _mean(figure: Figure, left: float, right: float, y: _Axis, few: bool) -> list[str]:
    if not figure.count:
        return []
    parts = []
    if not few and math.isfinite(figure.low):
        top, bottom = y(figure.high), y(figure.low)
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{max(bottom - top, 0.5):.1f}" '
            f'fill="{_INTERVAL}" fill-opacity="0.45"/>'
        )
    dashes = ' stroke-dasharray="4 3"' if few else ""
    parts.append(_line(left, y(figure.value), right, y(figure.value), _MEAN, 2, dashes))
    return parts


def _y_axis(y: _Axis, left: float, title: str) -> list[str]:
    parts = []
    for tick in _ticks(y.low, y.high, 4):
        parts.append(_line(left - 4, y(tick), left, y(tick), _FRAME, 1))
        if title:
            parts.append(_text(left - 7, y(tick) + 4, f"{tick:g}", "end"))
    if title:
        middle = (y.start + y.end) / 2
        parts.append(
            f'<text x="{left - 46}" y="{middle:.1f}" text-anchor="middle" '
            f'transform="rotate(-90 {left - 46} {middle:.1f})">{escape(title)}</text>'
        )
    return parts


def _x_axis(x: _Axis, title: str, bottom: float) -> list[str]:
    parts = []
    for tick in _ticks(x.low, x.high, 9):
        parts.append(_line(x(tick), bottom, x(tick), bottom + 4, _FRAME, 1))
        parts.append(_text(x(tick), bottom + 16, f"{tick:g}", "middle"))
    parts.append(_text((x.start + x.end) / 2, bottom + 34, title, "middle"))
    return parts


def _abscissa(face: Face, result: FairnessResult) -> float:
    return face.ita if result.grouping == "ita" else face.L


def _abscissa_range(result: FairnessResult) -> tuple[float, float]:
    if result.grouping == "lightness":
        return 15.0, 95.0
    angles = [face.ita for face in result.faces]
    # All groups have a place; what lies beyond a right angle (bluish light) is drawn at the edge.
    return max(-90.0, min(-60.0, math.floor(min(angles)))), min(90.0, max(75.0, math.ceil(max(angles))))


def _measure_range(result: FairnessResult, methods: list[str], measure: str) -> tuple[float, float]:
    values = [getattr(face.shifts[method], measure) for face in result.faces for method in methods]
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    top = max(1.05 * largest, 1.0)
    return (0.0 if measure == "ciede2000" else -top), top


def _ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers within a range, about so many of them."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 10) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float, more: str = "") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width}"{more}/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
