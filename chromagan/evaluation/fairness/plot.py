"""Shifts of skin colour against the truth's typology angle, as one SVG picture that needs nothing else."""

from __future__ import annotations

import math

from chromagan.evaluation.fairness.measure import Face, FairnessResult
from chromagan.evaluation.fairness.skin import GROUPINGS
from chromagan.reports.render import render

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
    counts, few = result.counts(), result.few()
    low, high = _abscissa_range(result)
    title, abscissa = _ABSCISSA[result.grouping]
    rows = []
    for measure, name, upwards in _ROWS:
        bottom, top = _measure_range(result, methods, measure)
        rows.append({"measure": measure, "title": name, "upwards": upwards, "low": bottom, "high": top})
    groups = [
        {"name": name, "low": start, "high": end, "faces": counts[name], "few": name in few}
        for name, (start, end) in GROUPINGS[result.grouping].items()
    ]
    columns = [
        {"name": method,
         "means": {measure: result.figures[method][measure].groups for measure, *_ in _ROWS},
         "faces": {measure: _dots(result, method, measure) for measure, *_ in _ROWS}}
        for method in methods
    ]  # fmt: skip
    return render(
        "fairness.svg", title=title, abscissa=abscissa, low=low, high=high, rows=rows, groups=groups, columns=columns
    )


def _dots(result: FairnessResult, method: str, measure: str) -> list[tuple[float, float]]:
    dots = [(_abscissa(face, result), getattr(face.shifts[method], measure)) for face in result.faces]
    return [(across, value) for across, value in dots if math.isfinite(value)]


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
