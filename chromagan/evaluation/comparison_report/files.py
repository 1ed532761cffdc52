"""What a comparison leaves in its folder: `metrics.json`, `per_image.csv`, tables, and the page `report.html`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chromagan.errors import WriteError
from chromagan.evaluation.comparison_report.findings import metrics_of
from chromagan.evaluation.comparison_report.tables import latex, markdown
from chromagan.evaluation.result import ComparisonResult, MethodResult
from chromagan.files.atomic import strict_json, write_json
from chromagan.metrics.registry import directions

Pictures = Callable[[str, int], NDArray[np.uint8] | None]


def write_comparison(
    result: ComparisonResult,
    pictures: Pictures,
    folder: Path,
    extra: Mapping[str, Any] | None = None,
    published: str | None = None,
) -> None:
    """Write everything that a reader or another program wants of a comparison.

    Args:
        result: what was found.
        pictures: from a method's name (or "truth", "gray") and an image's index to the picture.
        folder: made where it is missing.
        extra: further entries of `metrics.json`.
        published: a table of published figures, for `table.md`.

    Raises:
        WriteError: the folder cannot be written.
    """
    from chromagan.evaluation.comparison_report.page import write_html

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "metrics.json", {**as_json(result), **(extra or {})})
        write_per_image(result, folder)
        (folder / "table.md").write_text(markdown(result, published), encoding="utf-8", errors="backslashreplace")
        (folder / "table.tex").write_text(latex(result), encoding="utf-8", errors="backslashreplace")
        write_html(result, pictures, folder / "report.html")
    except OSError as error:
        raise WriteError(f"{folder}: the report cannot be written ({error.strerror}); choose another --out") from error


def as_json(result: ComparisonResult) -> dict[str, Any]:
    """The result as strict JSON: null stands for what is not finite; figures of images are in `per_image.csv`."""
    content = {
        "protocol": result.protocol,
        "images": len(result.images),
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

    Numbers are written in full; `inf` is the PSNR of an exact reproduction.
    """
    methods = [method for method in result.methods if not method.baseline]
    _write_rows(folder / "per_image.csv", result, methods)
    _write_rows(folder / "per_image_baselines.csv", result, [m for m in result.methods if m.baseline])


def _write_rows(path: Path, result: ComparisonResult, methods: Sequence[MethodResult]) -> None:
    settings = result.settings.get("methods", {})
    figures = list(dict.fromkeys(figure for method in methods for figure in method.per_image))
    # Not every file name is Unicode.
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        hinted = any("simulated_hints" in settings.get(method.name, {}) for method in methods)
        given = ("saturation", "simulated_hints") if hinted else ("saturation",)
        writer.writerow(["method", *given, "name", "height", "width", *figures])
        for method in methods:
            row = [method.name, *(settings.get(method.name, {}).get(setting, "") for setting in given)]
            columns = [method.per_image[figure] for figure in figures]
            for index, (name, (height, width)) in enumerate(zip(result.images, result.sizes, strict=True)):
                writer.writerow([*row, name, height, width, *(column[index] for column in columns)])
