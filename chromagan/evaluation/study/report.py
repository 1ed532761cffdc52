"""What a study found, as text, Markdown, JSON, CSV and a plot."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chromagan.evaluation.study.results import MethodFoolRate, Participant, StudyResult
from chromagan.files.atomic import strict_json, write_texts
from chromagan.reports.render import render
from chromagan.reports.tables import escaped, format_table, markdown_table
from chromagan.version import __version__

_PARTICIPANT_COLUMNS = (
    "participant", "excluded", "attention passed", "attention shown", "trials", "left out", "fooled",
    "median reaction ms", "file",
)  # fmt: skip
_PICTURE_COLUMNS = ("photo", "method", "fooled", "trials")


def write_study_report(result: StudyResult, out: str | os.PathLike[str]) -> list[Path]:
    """Write `results.json`, `results.md`, `participants.csv`, `pictures.csv` and `fool_rate.svg` into a folder.

    Raises:
        WriteError: the folder cannot be written.
    """
    texts = {
        "results.json": json.dumps(as_json(result), indent=1, allow_nan=False) + "\n",
        "results.md": as_markdown(result),
        "participants.csv": _csv(_PARTICIPANT_COLUMNS, [participant_row(one) for one in result.participants]),
        "pictures.csv": _csv(_PICTURE_COLUMNS, picture_rows(result)),
        "fool_rate.svg": plot_fool_rates(result),
    }
    return write_texts(out, texts, "-o")


def as_table(result: StudyResult) -> str:
    """Plain text for the terminal: a line a method, then who counts and how far people agree."""
    rows = [_cells(method) for method in result.methods]
    return "\n".join([format_table(_header(result), rows), "", *_sentences(result)])


def as_markdown(result: StudyResult) -> str:
    """The same with a table of participants."""
    rows = [_cells(method) for method in result.methods]
    lines = ["# Colorization Turing test", "", markdown_table(_header(result), _escaped(rows)), ""]
    lines += ["![Fool rates](fool_rate.svg)", ""]
    for sentence in _sentences(result):
        lines += [escaped(sentence), ""]
    rows = [[str(value) for value in participant_row(one).values()] for one in result.participants]
    return "\n".join([*lines, "## Participants", "", markdown_table(_PARTICIPANT_COLUMNS, _escaped(rows)), ""])


def _escaped(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[escaped(cell) for cell in row] for row in rows]


def as_json(result: StudyResult) -> dict[str, Any]:
    """Everything as strict JSON; what is not defined is null."""
    content = {
        "chromagan": __version__,
        "study": result.study,
        "mode": result.mode,
        "chance": result.chance,
        "min_attention": result.min_attention,
        "participants": len(result.participants),
        "included": len(result.included),
        "trials_left_out": result.left_out,
        "krippendorff_alpha": result.alpha,
        "pairwise_agreement": result.agreement,
        "shared_pictures": result.shared,
        "methods": [asdict(method) for method in result.methods],
        "per_participant": [participant_row(one) for one in result.participants],
        "warnings": result.warnings,
    }
    return strict_json(content)


def participant_row(one: Participant) -> dict[str, Any]:
    """One participant's line; `fooled` counts colorized pictures taken for real, in trials that count."""
    passed, shown = one.checks
    colorized = [answer for answer in one.measured if answer.method is not None]
    reactions = [answer.reaction_ms for answer in one.measured]
    values = (
        one.number, one.excluded, passed, shown, len(one.measured), sum(not answer.counts for answer in one.answers),
        sum(answer.fooled for answer in colorized), round(statistics.median(reactions)) if reactions else "",
        Path(one.file).name,
    )  # fmt: skip
    return dict(zip(_PARTICIPANT_COLUMNS, values, strict=True))


def picture_rows(result: StudyResult) -> list[dict[str, Any]]:
    """One line a picture that was judged, those that fooled most people first."""
    rows = [
        dict(zip(_PICTURE_COLUMNS, (photo, method or "real", sum(votes), len(votes)), strict=True))
        for (photo, method), votes in result.pictures.items()
    ]
    return sorted(rows, key=lambda row: (-row["fooled"] / row["trials"], row["photo"], row["method"]))


def _csv(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _header(result: StudyResult) -> tuple[str, ...]:
    first = "fool rate" if result.mode == "pairs" else "called real"
    return "method", first, "95 % Wilson", "95 % over participants", "fooled / trials", "participants", "p (50 %)"


def _cells(method: MethodFoolRate) -> list[str]:
    low, high = method.over_participants
    return [
        method.name,
        _percent(method.rate.value),
        f"{100 * method.rate.low:.1f} to {100 * method.rate.high:.1f} %",
        "-" if math.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f} %",
        f"{method.fooled} / {method.rate.count}",
        str(method.participants),
        "-" if math.isnan(method.p_value) else f"{method.p_value:.2g}",
    ]


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def _sentences(result: StudyResult) -> list[str]:
    excluded = len(result.participants) - len(result.included)
    lines = [
        f"{len(result.included)} of {len(result.participants)} participants count; {excluded} excluded "
        f"(fewer than {100 * result.min_attention:g} % of the attention checks passed, or none shown in time).",
        "A picture that cannot be told from a real one has 50 %."
        if result.mode == "pairs"
        else f"A picture that cannot be told from a real one is called real as often as real ones: "
        f"{_percent(result.chance)}.",
        f"Agreement over {result.shared} pictures that two or more people judged: Krippendorff's alpha "
        f"{result.alpha:.3f}, same answer in {_percent(result.agreement)} of the pairs of people."
        if result.shared
        else "No picture was judged by two people, so agreement is not known.",
    ]
    return lines + [f"Warning: {warning}." for warning in result.warnings]


def plot_fool_rates(result: StudyResult) -> str:
    """An SVG: a dot and Wilson's interval a method, and a line where a picture cannot be told from a real one."""
    pairs = result.mode == "pairs"
    what = "colorized picture taken for the real one" if pairs else "called real"
    return render(
        "fool_rate.svg",
        rows=[(method.name, method.rate) for method in result.methods],
        chance=result.chance,
        chance_label="indistinguishable" if pairs else "as real photos",
        caption=f"{what}, % of trials, with 95 % Wilson intervals; {len(result.included)} participants",
    )
