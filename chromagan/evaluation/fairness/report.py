"""Fairness on skin as `fairness.json`, `per_face.csv`, a Markdown table, a plot and text for the terminal."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, fields
from typing import Any

from chromagan.evaluation.fairness.groups import GroupedFigures
from chromagan.evaluation.fairness.measure import Face, FairnessResult
from chromagan.evaluation.fairness.shift import MEASURES
from chromagan.evaluation.fairness.skin import GROUPINGS
from chromagan.files.atomic import strict_json, write_texts
from chromagan.files.csv_text import csv_text
from chromagan.metrics.figure import Figure
from chromagan.reports.render import render
from chromagan.reports.tables import escaped, format_table, markdown_table

FILES = ("fairness.json", "per_face.csv", "fairness.md", "fairness.svg")
FEW = "*"
_FIRST_COLUMNS = ("method", "measure", "all faces")
_PLOTTED = (
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


def write_fairness(folder: str | os.PathLike[str], result: FairnessResult) -> None:
    """Write `fairness.json`, `.md`, `.svg` and `per_face.csv` into a folder, made where missing, or `WriteError`."""
    texts = (
        json.dumps(as_json(result), indent=1, allow_nan=False) + "\n", per_face_csv(result), markdown_report(result),
        fairness_svg(result),
    )  # fmt: skip
    write_texts(folder, dict(zip(FILES, texts, strict=True)), "--out")


def as_json(result: FairnessResult) -> dict[str, Any]:
    """Everything but the single faces, with null for what is not a number."""
    counts, few = result.counts(), result.few()
    content = {
        "settings": result.settings,
        "versions": result.versions,
        "photos": result.photos,
        "photos_without_face": result.without_face,
        "faces": len(result.faces),
        "groups": [
            {"name": name, "above": low, "up_to": high, "faces": counts[name], "few": name in few}
            for name, (low, high) in GROUPINGS[result.grouping].items()
        ],
        "methods": [
            {
                "name": method,
                "baseline": method in result.baselines,
                "measures": {measure: _grouped_json(found) for measure, found in result.figures[method].items()},
            }
            for method in result.methods
        ],
        "warnings": result.warnings,
    }
    return strict_json(content)


def per_face_csv(result: FairnessResult) -> str:
    """One line a face and method; an empty cell where a figure does not exist."""
    columns = [column.name for column in fields(Face) if column.name != "shifts"]
    rows: list[list[object]] = []
    for face in result.faces:
        place = [_cell(getattr(face, name)) for name in columns]
        for method, shift in face.shifts.items():
            rows.append([*place, method, *(_cell(getattr(shift, measure)) for measure in MEASURES)])
    return csv_text([*columns, "method", *MEASURES], rows)


def printed_table(result: FairnessResult) -> str:
    """Means by group, the gap and its p value, narrow enough for a terminal, and how to read them."""
    notes = _NOTES.format(" (--out writes their 95 % intervals into fairness.md)")
    return f"{format_table(*_table(result, intervals=False))}\n{notes}"


def markdown_report(result: FairnessResult) -> str:
    """Means with their intervals by group, the gap and its p value; how to read them, warnings and settings."""
    lines = ["# Fairness on skin", "", f"{len(result.faces)} faces in {result.photos} photos.", ""]
    header, rows = _table(result, intervals=True)
    rows = [[escaped(method), *cells] for method, *cells in rows]
    lines += [markdown_table(header, rows, "ll" + "r" * (len(header) - 2)), ""]
    lines += [_NOTES.format(" with 95 % bootstrap intervals"), ""]
    lines += [f"- Warning: {warning}." for warning in result.warnings]
    lines += [f"- {name}: {value}" for name, value in {**result.settings, **result.versions}.items()]
    return "\n".join(lines) + "\n"


_NOTES = (
    "Groups are those of the true skin's typology angle (ITA), or of its L*. Shifts are colorized minus truth; cells "
    f"are means over faces{{}}. {FEW}: too few faces, not in the gap. Gap: the group with the highest mean against the "
    "one with the lowest; its p value is that of groups filled at random."
)


def _table(result: FairnessResult, intervals: bool) -> tuple[list[str], list[list[str]]]:
    counts, few = result.counts(), result.few()
    shown = [name for name in counts if counts[name]]
    header = [*_FIRST_COLUMNS, *(f"{name}{FEW if name in few else ''} ({counts[name]})" for name in shown), "gap", "p"]
    rows = []
    for method in result.methods:
        for measure, title in MEASURES.items():
            found, signed = result.figures[method][measure], measure not in ("ciede2000", "hue_error")
            figures = [found.overall, *(found.groups[name] for name in shown)]
            cells = [_figure(figure, signed, intervals) for figure in figures]
            rows.append([method, title, *cells, *_gap(found, intervals)])
    return header, rows


def _figure(figure: Figure, signed: bool, interval: bool) -> str:
    if not figure.count:
        return "-"
    texts = (f"{number:{'+' * signed}.1f}" for number in (figure.value, figure.low, figure.high))
    value, low, high = ("0.0" if text in ("-0.0", "+0.0") else text for text in texts)
    return f"{value} [{low}, {high}]" if interval and math.isfinite(figure.low) else value


def _gap(found: GroupedFigures, interval: bool) -> tuple[str, str]:
    if found.gap is None:
        return "-", "-"
    value = _figure(found.gap.difference, False, interval)
    names = f" ({found.gap.highest} - {found.gap.lowest})" if interval else ""
    p = found.gap.p_value
    return f"{value}{names}", "<0.001" if p < 0.001 else f"{p:.3f}"


def _grouped_json(found: GroupedFigures) -> dict[str, Any]:
    content = asdict(found)
    if content["gap"]:
        content["gap"] |= content["gap"].pop("difference")
    return {"all": content.pop("overall"), **content}


def _cell(value: str | int | float) -> object:
    """A number with six digits: as a number, so that a sign is no formula."""
    return value if not isinstance(value, float) else float(f"{value:.6g}") if math.isfinite(value) else None


def fairness_svg(result: FairnessResult) -> str:
    """Shifts against the truth's skin as an SVG file's text: one column a colorizer, one row a measure.

    A dot is a face; the line across a group's band is the mean of the group and the block behind it the 95 % interval
    (dashed and without block where the group has too few faces to say much). Methods that are no colorizers are left
    out unless there is nothing else. Axes are the same in all columns.
    """
    methods = [name for name in result.methods if name not in result.baselines] or result.methods
    counts, few = result.counts(), result.few()
    title, abscissa = _ABSCISSA[result.grouping]
    low, high = 15.0, 95.0
    if result.grouping == "ita":
        angles = [face.ita for face in result.faces]
        # All groups have a place; what lies beyond a right angle (bluish light) is drawn at the edge.
        low, high = max(-90.0, min(-60.0, math.floor(min(angles)))), min(90.0, max(75.0, math.ceil(max(angles))))
    rows = []
    for measure, name, upwards in _PLOTTED:
        values = [getattr(face.shifts[method], measure) for face in result.faces for method in methods]
        largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
        top = max(1.05 * largest, 1.0)
        bottom = 0.0 if measure == "ciede2000" else -top
        rows.append({"measure": measure, "title": name, "upwards": upwards, "low": bottom, "high": top})
    groups = [
        {"name": name, "low": start, "high": end, "faces": counts[name], "few": name in few}
        for name, (start, end) in GROUPINGS[result.grouping].items()
    ]
    columns = [
        {"name": method,
         "means": {measure: result.figures[method][measure].groups for measure, *_ in _PLOTTED},
         "faces": {measure: _dots(result, method, measure) for measure, *_ in _PLOTTED}}
        for method in methods
    ]  # fmt: skip
    return render(
        "fairness.svg", title=title, abscissa=abscissa, low=low, high=high, rows=rows, groups=groups, columns=columns
    )


def _dots(result: FairnessResult, method: str, measure: str) -> list[tuple[float, float]]:
    ita = result.grouping == "ita"
    dots = [(face.ita if ita else face.L, getattr(face.shifts[method], measure)) for face in result.faces]
    return [(across, value) for across, value in dots if math.isfinite(value)]
