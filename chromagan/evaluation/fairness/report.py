"""Fairness on skin as `fairness.json`, `per_face.csv`, a Markdown table, a plot and text for the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from dataclasses import asdict, fields
from typing import Any

from chromagan.evaluation.fairness.groups import GroupedFigures
from chromagan.evaluation.fairness.measure import Face, FairnessResult
from chromagan.evaluation.fairness.plot import fairness_svg
from chromagan.evaluation.fairness.shift import MEASURES
from chromagan.evaluation.fairness.skin import GROUPINGS
from chromagan.files.atomic import strict_json, write_texts
from chromagan.metrics.figure import Figure
from chromagan.reports.tables import escaped, format_table, markdown_table

FEW = "*"
_FIRST_COLUMNS = ("method", "measure", "all faces")


def write_fairness(folder: str | os.PathLike[str], result: FairnessResult) -> None:
    """Write `fairness.json`, `per_face.csv`, `fairness.md` and `fairness.svg` into a folder, made where missing.

    Raises:
        WriteError: the folder cannot be made or written.
    """
    texts = {
        "fairness.json": json.dumps(as_json(result), indent=1, allow_nan=False) + "\n",
        "per_face.csv": per_face_csv(result),
        "fairness.md": markdown_report(result),
        "fairness.svg": fairness_svg(result),
    }
    write_texts(folder, texts, "--out")


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "method", *MEASURES])
    for face in result.faces:
        for method in result.methods:
            shift = asdict(face.shifts[method])
            writer.writerow([*(_cell(getattr(face, c)) for c in columns), method, *(_cell(shift[m]) for m in MEASURES)])
    return text.getvalue()


def printed_table(result: FairnessResult) -> str:
    """Means by group, the gap and its p value, narrow enough for a terminal; groups with few faces carry a `*`."""
    header, rows = _table(result, intervals=False)
    return format_table(header, rows)


def markdown_report(result: FairnessResult) -> str:
    """Means with their intervals by group, the gap and its p value; how to read them, warnings and settings."""
    lines = ["# Fairness on skin", "", f"{len(result.faces)} faces in {result.photos} photos.", ""]
    header, rows = _table(result, intervals=True)
    rows = [[escaped(method), *cells] for method, *cells in rows]
    lines += [markdown_table(header, rows, "ll" + "r" * (len(header) - 2)), "", NOTES, ""]
    lines += [f"- Warning: {warning}." for warning in result.warnings]
    lines += [f"- {name}: {value}" for name, value in {**result.settings, **result.versions}.items()]
    return "\n".join(lines) + "\n"


NOTES = (
    "Groups are those of the true skin's typology angle (ITA), or of its L*. Shifts are colorized minus truth; cells "
    f"are means over faces with 95 % bootstrap intervals. {FEW}: too few faces, not in the gap. Gap: the group with "
    "the highest mean against the one with the lowest; its p value is that of groups filled at random."
)


def _table(result: FairnessResult, intervals: bool) -> tuple[list[str], list[list[str]]]:
    counts, few = result.counts(), result.few()
    shown = [name for name in counts if counts[name]]
    header = [*_FIRST_COLUMNS, *(f"{name}{FEW if name in few else ''} ({counts[name]})" for name in shown), "gap", "p"]
    rows = []
    for method in result.methods:
        for measure, (title, unit) in MEASURES.items():
            found, signed = result.figures[method][measure], measure not in ("ciede2000", "hue_error")
            cells = [_figure(found.overall, signed, intervals)]
            cells += [_figure(found.groups[name], signed, intervals) for name in shown]
            rows.append([method, f"{title}, {unit}" if unit else title, *cells, *_gap(found, intervals)])
    return header, rows


def _figure(figure: Figure, signed: bool, interval: bool) -> str:
    if not figure.count:
        return "-"
    value, low, high = (_number(number, signed) for number in (figure.value, figure.low, figure.high))
    return f"{value} [{low}, {high}]" if interval and math.isfinite(figure.low) else value


def _number(value: float, signed: bool) -> str:
    text = f"{value:+.1f}" if signed else f"{value:.1f}"
    return "0.0" if text in ("-0.0", "+0.0") else text


def _gap(found: GroupedFigures, interval: bool) -> tuple[str, str]:
    if found.gap is None:
        return "-", "-"
    value = _figure(found.gap.difference, False, interval)
    names = f" ({found.gap.highest} - {found.gap.lowest})" if interval else ""
    p = found.gap.p_value
    return f"{value}{names}", "<0.001" if p < 0.001 else f"{p:.3f}"


def _grouped_json(found: GroupedFigures) -> dict[str, Any]:
    gap = found.gap and {
        "highest": found.gap.highest,
        "lowest": found.gap.lowest,
        **asdict(found.gap.difference),
        "p_value": found.gap.p_value,
    }
    groups = {name: asdict(figure) for name, figure in found.groups.items()}
    return {"all": asdict(found.overall), "groups": groups, "gap": gap}


def _cell(value: str | int | float) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.6g}" if math.isfinite(value) else ""
