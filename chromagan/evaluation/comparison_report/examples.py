"""The pictures of the comparison's page: which images are shown, and with which figures."""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from chromagan.evaluation.comparison_report.findings import compared
from chromagan.evaluation.result import ComparisonResult, MethodResult
from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.metrics.registry import describe
from chromagan.reports.figures import decimals_for

Pictures = Callable[[str, int], NDArray[np.uint8] | None]

EXAMPLES_BYTES = 4_000_000
JPEG_QUALITY = 84
_ALL_SHOWN = 12  # this many images or fewer are shown all, in one group
_LONGEST = 2.5  # a panorama's long side, in short sides
_CAPTION_METRICS = 3


@dataclass(frozen=True)
class ExampleGroup:
    """Images that are shown together: what they are, how they were chosen, and their indices in the order shown."""

    title: str
    note: str
    indices: list[int]


def ranking_metric(result: ComparisonResult) -> str | None:
    """The per-image metric that best and worst go by: PSNR, or else the first that has a direction."""
    have = [m for method in compared(result) for m in method.per_image if describe(m).higher_is_better is not None]
    return "psnr" if "psnr" in have else next(iter(have), None)


def choose_examples(result: ComparisonResult, each: int = 4, seed: int = 0) -> list[ExampleGroup]:
    """Best, worst, most disputed and random images, `each` a group (half as many again at random).

    No image comes twice, and all of them where they are few. Best and worst go by the mean over methods of one metric;
    images without a finite figure are drawn by chance only.
    """
    metric = ranking_metric(result)
    images = range(len(result.images))
    table = _per_image_table(result, metric)
    usable = [i for i in images if len(table) and np.isfinite(table[:, i]).all()]
    mean = {i: float(table[:, i].mean()) for i in usable}
    order = sorted(usable, key=mean.__getitem__, reverse=metric is not None and describe(metric).better == "higher")
    if len(images) <= _ALL_SHOWN:
        note = f"All images, best first by {_named(metric)}." if order else "All images."
        return [ExampleGroup("All images", note, order + [i for i in images if i not in mean])] if images else []
    taken: set[int] = set()

    def take(candidates: Sequence[int], most: int) -> list[int]:
        chosen = [i for i in candidates if i not in taken][:most]
        taken.update(chosen)
        return chosen

    by = f"by {_named(metric)}" + (", mean over the methods" if len(table) > 1 else "")
    groups = [
        ExampleGroup("Best", f"The highest-ranked images {by}.", take(order, each)),
        ExampleGroup("Worst", f"The lowest-ranked images {by}, worst first.", take(order[::-1], each)),
    ]
    if len(table) > 1:
        by_spread = sorted(usable, key=lambda i: -float(np.ptp(table[:, i])))
        note = f"Where the methods lie furthest apart in {_named(metric)}."
        groups.append(ExampleGroup("Most disputed", note, take(by_spread, each)))
    drawn = [int(i) for i in np.random.default_rng(seed).permutation(len(images))]
    groups.append(ExampleGroup("Random", f"Drawn by chance (seed {seed}).", take(drawn, each + each // 2)))
    return [group for group in groups if group.indices]


def _per_image_table(result: ComparisonResult, metric: str | None) -> NDArray[np.float64]:
    """(methods that have the metric, images)."""
    rows = [method.per_image[metric] for method in compared(result) if metric in method.per_image] if metric else []
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(result.images))


def _named(metric: str | None) -> str:
    return describe(metric).label if metric else "no metric"


def data_uri(picture: NDArray[np.uint8], short_side: int) -> tuple[str, int, int]:
    """A picture (H, W, 3) or (H, W) uint8 as a JPEG data URI with full chroma resolution, its width and its height.

    It is reduced to `short_side` pixels where it is larger.
    """
    pixels = to_8bit_rgb(picture)
    height, width = pixels.shape[:2]
    scale = min(1.0, short_side / min(height, width), _LONGEST * short_side / max(height, width))
    if scale < 1:
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1,
               cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # fmt: skip
    _, jpeg = cv2.imencode(".jpg", pixels[..., ::-1], options)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode()}", width, height


def example_rows(
    result: ComparisonResult, pictures: Pictures, seed: int = 0, budget: int = EXAMPLES_BYTES
) -> dict[str, Any] | None:  # fmt: skip
    """Groups of rows gray | each method | truth, each picture with its figures.

    Rows are made in turns over the groups until the budget (characters of pictures; one row is always made) is spent,
    so that every group keeps its first ones.

    Returns:
        `groups` (title, note, rows) and how many images were `left_out`; None where no picture can be had.
    """
    groups = choose_examples(result, seed=seed)
    short_side = 256 if len(result.methods) <= 9 else 192 if len(result.methods) <= 15 else 128
    rows: dict[int, dict[str, Any]] = {}
    left_out, seen = 0, False
    turns = itertools.chain.from_iterable(itertools.zip_longest(*(group.indices for group in groups)))
    for index in (i for i in turns if i is not None):
        if budget <= 0:
            left_out += 1
            continue
        row = _row(result, pictures, index, short_side)
        shown = [cell["picture"] for cell in row["cells"] if cell["picture"]]
        length, seen = sum(len(picture["uri"]) for picture in shown), seen or bool(shown)
        if rows and length > budget:
            left_out, budget = left_out + 1, 0
            continue
        rows[index] = row
        budget -= length
    if not seen:
        return None
    chosen = [(group, [rows[i] for i in group.indices if i in rows]) for group in groups]
    return {"groups": [(group.title, group.note, made) for group, made in chosen if made], "left_out": left_out}


def _row(result: ComparisonResult, pictures: Pictures, index: int, short_side: int) -> dict[str, Any]:
    baselines = {method.name: method for method in result.methods if method.baseline}
    shown: list[tuple[str, str, MethodResult | None]] = [("gray", "gray", baselines.get("gray"))]
    shown += [(method.name, "method", method) for method in compared(result)]
    shown += [("truth", "truth", baselines.get("truth"))]
    metrics = _caption_metrics(result)
    decimals = {m: decimals_for(_finite_at(compared(result), m, index)) for m in metrics}
    best = {m: _best_at(compared(result), m, index) for m in metrics}
    cells = []
    for name, kind, method in shown:
        picture = pictures(name, index)
        figures = [
            (describe(m).label, value, decimals[m], kind == "method" and value == best[m])
            for m in metrics
            if method and m in method.per_image and math.isfinite(value := method.per_image[m][index])
        ]
        uri = picture is not None and dict(zip(("uri", "width", "height"), data_uri(picture, short_side), strict=True))
        cells.append({"name": name, "kind": kind, "picture": uri, "figures": figures})
    return {"file": result.images[index], "cells": cells}


def _caption_metrics(result: ComparisonResult) -> list[str]:
    """The ranking metric first, then others that readers look for, as far as they are there for each image."""
    have = list(dict.fromkeys(metric for method in result.methods for metric in method.per_image))
    wished = [ranking_metric(result) or "", "lpips_alex", "ciede2000", "colourfulness", "ssim", *have]
    return list(dict.fromkeys(metric for metric in wished if metric in have))[:_CAPTION_METRICS]


def _finite_at(methods: Sequence[MethodResult], metric: str, index: int) -> list[float]:
    return [v for m in methods if metric in m.per_image and math.isfinite(v := m.per_image[metric][index])]


def _best_at(methods: Sequence[MethodResult], metric: str, index: int) -> float | None:
    values = _finite_at(methods, metric, index)
    higher = describe(metric).higher_is_better
    if higher is None or len(values) < 2:
        return None
    return max(values) if higher else min(values)
