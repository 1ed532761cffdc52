"""What a comparison leaves in its folder: `metrics.json`, `per_image.csv`, tables, and the page `report.html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chromagan.errors import WriteError
from chromagan.evaluation.comparison_report.examples import Pictures
from chromagan.evaluation.comparison_report.findings import compared, metrics_of
from chromagan.evaluation.comparison_report.page import write_html
from chromagan.evaluation.comparison_report.tables import latex, markdown
from chromagan.evaluation.result import ComparisonResult, MethodResult
from chromagan.files.atomic import strict_json, write_json, write_text
from chromagan.files.csv_text import csv_text
from chromagan.metrics.registry import directions


def write_comparison(
    result: ComparisonResult,
    pictures: Pictures,
    folder: Path,
    extra: Mapping[str, Any] | None = None,
    published: str | None = None,
) -> None:
    """Write everything that a reader or another program wants of a comparison, or `WriteError`.

    Args:
        result: what was found.
        pictures: from a method's name (or "truth", "gray") and an image's index to the picture.
        folder: made where it is missing.
        extra: further entries of `metrics.json`.
        published: a table of published figures, for `table.md`.
    """
    write_tables(result, folder, extra, published)
    write_html(result, pictures, folder / "report.html")


def write_tables(
    result: ComparisonResult, folder: Path, extra: Mapping[str, Any] | None = None, published: str | None = None
) -> None:
    """All but the page; arguments and errors as for `write_comparison`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: the report cannot be written ({error.strerror}); choose another --out") from error
    write_json(folder / "metrics.json", {**as_json(result), **(extra or {})})
    write_per_image(result, folder)
    write_text(folder / "table.md", markdown(result, published))
    write_text(folder / "table.tex", latex(result))


def as_json(result: ComparisonResult) -> dict[str, Any]:
    """The result as strict JSON: null stands for what is not finite; figures of images are in `per_image.csv`."""
    content = {
        "protocol": result.protocol,
        result.unit: len(result.images),
        "settings": result.settings,
        "versions": result.versions,
        "higher_is_better": directions(metrics_of(result.methods)),
        "methods": [
            {
                "name": method.name,
                "baseline": method.baseline,
                "figures": {metric: asdict(figure) for metric, figure in method.summary.items()},
            }
            for method in result.methods
        ],
        "tests": [asdict(test) for test in result.tests],
        "missing": result.missing,
        "warnings": result.warnings,
    }
    return strict_json(content)


def write_per_image(result: ComparisonResult, folder: Path) -> None:
    """Write `per_image.csv` (methods) and `per_image_baselines.csv` (the rows that cost nothing), one line an image.

    Of films they are `per_film.csv` and `per_film_baselines.csv`.

    Numbers are written in full; `inf` is the PSNR of an exact reproduction.
    """
    name = f"per_{result.unit.removesuffix('s')}"
    write_text(folder / f"{name}.csv", _per_image(result, compared(result)))
    write_text(folder / f"{name}_baselines.csv", _per_image(result, [m for m in result.methods if m.baseline]))


def _per_image(result: ComparisonResult, methods: Sequence[MethodResult]) -> str:
    settings = result.settings.get("methods", {})
    figures = list(dict.fromkeys(figure for method in methods for figure in method.per_image))
    hinted = any("simulated_hints" in settings.get(method.name, {}) for method in methods)
    given = ("saturation", "simulated_hints") if hinted else ("saturation",)
    rows: list[tuple[object, ...]] = []
    for method in methods:
        row = (method.name, *(settings.get(method.name, {}).get(setting, "") for setting in given))
        for i, (name, size) in enumerate(zip(result.images, result.sizes, strict=True)):
            rows.append((*row, name, *size, *(method.per_image[figure][i] for figure in figures)))
    return csv_text(["method", *given, "name", "height", "width", *figures], rows)
