"""What a study found, as text, Markdown, JSON, CSV and a plot."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chromagan.evaluation.study.results import Participant, StudyResult
from chromagan.files.atomic import strict_json, write_texts
from chromagan.files.csv_text import csv_text
from chromagan.reports.render import render
from chromagan.reports.tables import escaped, format_table, markdown_table
from chromagan.version import __version__

FILES = ("results.json", "results.md", "participants.csv", "pictures.csv", "fool_rate.svg")
_PARTICIPANT_COLUMNS = (
    "participant", "excluded", "attention passed", "attention shown", "trials", "left out", "fooled",
    "median reaction ms", "file",
)  # fmt: skip


def write_study_report(result: StudyResult, out: str | os.PathLike[str]) -> list[Path]:
    """Write `results.json`, `.md`, two tables (CSV) and `fool_rate.svg` into a folder, or `WriteError`."""
    pictures = [(photo, method or "real", sum(votes), len(votes)) for (photo, method), votes in result.pictures.items()]
    pictures.sort(key=lambda row: (-row[2] / row[3], row[0], row[1]))  # those that fooled most people first
    texts = (
        json.dumps(as_json(result), indent=1, allow_nan=False) + "\n",
        as_markdown(result),
        csv_text(_PARTICIPANT_COLUMNS, map(_participant_row, result.participants)),
        csv_text(("photo", "method", "fooled", "trials"), pictures),
        plot_fool_rates(result),
    )
    return write_texts(out, dict(zip(FILES, texts, strict=True)), "-o")


def as_table(result: StudyResult) -> str:
    """Plain text for the terminal: a line a method, then who counts and how far people agree."""
    return "\n".join([format_table(*_table(result)), "", *_sentences(result)])


def as_markdown(result: StudyResult) -> str:
    """The same with a table of participants."""

    def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
        return markdown_table(header, [[escaped(str(cell)) for cell in row] for row in rows])

    parts = ["# Colorization Turing test", table(*_table(result)), "![Fool rates](fool_rate.svg)"]
    parts += map(escaped, _sentences(result))
    parts += ["## Participants", table(_PARTICIPANT_COLUMNS, map(_participant_row, result.participants))]
    return "\n\n".join(parts) + "\n"


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
        "per_participant": [
            dict(zip(_PARTICIPANT_COLUMNS, _participant_row(one), strict=True)) for one in result.participants
        ],
        "warnings": result.warnings,
    }
    return strict_json(content)


def _participant_row(one: Participant) -> tuple[Any, ...]:
    """The cells of `_PARTICIPANT_COLUMNS`: "fooled" counts colorized pictures taken for real, in trials that count."""
    passed, shown = one.checks
    colorized = [answer for answer in one.measured if answer.method is not None]
    reactions = [answer.reaction_ms for answer in one.measured]
    return (
        one.number, one.excluded, passed, shown, len(one.measured), sum(not answer.counts for answer in one.answers),
        sum(answer.fooled for answer in colorized), round(statistics.median(reactions)) if reactions else "",
        Path(one.file).name,
    )  # fmt: skip


def _table(result: StudyResult) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    first = "fool rate" if result.mode == "pairs" else "called real"
    header = ("method", first, "95 % Wilson", "95 % over participants", "fooled / trials", "participants", "p (50 %)")
    rows: list[tuple[str, ...]] = [
        (
            one.name, _percent(one.rate.value), _span(one.rate.low, one.rate.high), _span(*one.over_participants),
            f"{one.fooled} / {one.rate.count}", str(one.participants),
            "-" if math.isnan(one.p_value) else f"{one.p_value:.2g}",
        )
        for one in result.methods
    ]  # fmt: skip
    return header, rows


def _span(low: float, high: float) -> str:
    return "-" if math.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f} %"


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
