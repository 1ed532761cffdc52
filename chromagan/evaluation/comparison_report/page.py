"""`report.html`: a whole comparison as one page that opens offline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chromagan.evaluation.comparison_report import findings
from chromagan.evaluation.comparison_report.ab_density import AB_LIMIT, AB_STEP, CHROMA_STEP, AbDensity
from chromagan.evaluation.comparison_report.examples import Pictures, example_rows
from chromagan.evaluation.comparison_report.findings import compared, metrics_of
from chromagan.evaluation.result import ComparisonResult
from chromagan.files.atomic import write_text
from chromagan.metrics.registry import describe
from chromagan.reports.charts import ab_plane, chroma_curves, distribution, hue_class
from chromagan.reports.render import render

AB_PICTURES = 100


def write_html(result: ComparisonResult, pictures: Pictures, path: Path, *, seed: int = 0) -> None:
    """Write a comparison as one page: figures, distributions, pictures and colours; no network, no other file.

    The page is bounded, however many images there are: examples share a budget, and the colour densities are over at
    most AB_PICTURES images. It is usable without JavaScript, which adds sorting only.

    Args:
        result: the comparison.
        pictures: gives the picture of a method (or "truth", "gray") for an image's index as (H, W, 3) uint8 sRGB, or
            None where it cannot be had. Called for a bounded number of images, by one thread.
        path: the file; its folder exists. `WriteError` where it cannot be written.
        seed: which images are drawn by chance.
    """
    write_text(path, render_html(result, pictures, seed=seed))


def render_html(result: ComparisonResult, pictures: Pictures, *, seed: int = 0) -> str:
    """The page of `write_html` as text; arguments as there."""
    methods = [method.name for method in compared(result)]
    hues = {name: hue_class(i) for i, name in enumerate(methods)}
    return render(
        "comparison.html",
        methods=methods,
        protocol=result.protocol,
        images=len(result.images),
        sizes=_sizes(result),
        findings=findings.findings(result),
        caution=findings.no_better_than_gray(result),
        warnings=result.warnings,
        missing=[(describe(metric), reason) for metric, reason in result.missing.items()],
        rows=[(method.name, method.baseline) for method in findings.in_order(result)],
        summary=findings.summary_rows(result),
        tests={"all": len(result.tests), "rows": findings.tests_rows(result)},
        distributions=_distributions(result, hues),
        examples=example_rows(result, pictures, seed),
        colours=_colours(result, pictures, hues, seed),
        settings=findings.settings_rows({"protocol": result.protocol, **result.settings}),
        versions=findings.settings_rows(result.versions),
    )


def _sizes(result: ComparisonResult) -> str:
    shapes = sorted({(int(height), int(width)) for height, width in result.sizes}, key=lambda s: s[0] * s[1])
    texts = [f"{width} × {height}" for height, width in shapes]
    return f"{texts[0]} to {texts[-1]}" if len(texts) > 1 else "".join(texts)


def _distributions(result: ComparisonResult, hues: Mapping[str, str]) -> list[dict[str, Any]]:
    have = {metric for method in result.methods for metric in method.per_image}
    columns = metrics_of(result.methods)
    cards = []
    for metric in [m for m in columns if m in have] + sorted(have - set(columns)):  # in the order of the table
        values = {m.name: m.per_image[metric] for m in result.methods if metric in m.per_image}
        card = distribution(describe(metric).label, values, hues)
        cards += [{"metric": describe(metric), **card}] if card else []
    return cards


def _colours(result: ComparisonResult, pictures: Pictures, hues: Mapping[str, str], seed: int) -> dict[str, Any] | None:
    drawn = np.random.default_rng(seed).permutation(len(result.images))[:AB_PICTURES]
    densities = {name: AbDensity() for name in ("truth", *hues)}
    for index in sorted(int(i) for i in drawn):
        for name, density in densities.items():
            picture = pictures(name, index)
            if picture is not None:
                density.update(picture)
    found = [(name, {**hues, "truth": "truthline"}[name], d) for name, d in densities.items() if d.pictures]
    if not found:
        return None
    planes = [
        {"name": name, "hue": hue, "mean_chroma": density.mean_chroma, "pictures": density.pictures,
         "chart": ab_plane(name, density.png(), density.mean_chroma, AB_LIMIT, AB_STEP)}
        for name, hue, density in found
    ]  # fmt: skip
    some = f"{len(drawn):,} images drawn by chance (seed {seed})"
    curves = [(name, hue, density.mean_chroma, density.chroma_shares().tolist()) for name, hue, density in found]
    return {
        "chosen": "all images" if len(drawn) == len(result.images) else some,
        "planes": planes,
        "curves": chroma_curves(curves, CHROMA_STEP),
    }
