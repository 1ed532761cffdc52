"""A comparison of colorizers from end to end: pictures in, a `ComparisonResult` out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chromagan.compute.distributed import rank
from chromagan.errors import UsageError
from chromagan.evaluation.baselines import as_rgb, constant_colour, gray_of_8bit
from chromagan.evaluation.comparison.measure import measure
from chromagan.evaluation.comparison.plan import Measured, Plan
from chromagan.evaluation.comparison.summary import paired_tests, summarize
from chromagan.evaluation.pairs import BASELINES, Pairs
from chromagan.evaluation.report import list_digest, versions
from chromagan.evaluation.result import ComparisonResult
from chromagan.images.read import read_photo
from chromagan.metrics.eight_bit import to_8bit_rgb
from chromagan.models.digest import digest

FEW_IMAGES = 100


def compare(
    plan: Plan, protocol: str, missing: dict[str, str] | None = None, description: dict[str, Any] | None = None
) -> ComparisonResult | None:
    """Measure and summarize. With several processes (torchrun), every one calls this.

    Args:
        plan: what to measure; `settings` is filled in here.
        protocol: name and version, such as `folder/1`.
        missing: metrics that were asked for and cannot be had, with what to do.
        description: further settings to report, which figures do not depend on (the names of folders).

    Returns:
        The result in the first process, None in the others.

    Raises:
        UsageError: a painter has the name of a folder or of a baseline.
        ChromaganError: see `measure`.
    """
    names = plan.methods
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two methods are called {twice!r}; give one of them another NAME=")
    settings = _settings(plan, protocol)
    measured = measure(replace(plan, settings=settings))
    if rank() != 0:
        return None
    methods = summarize(measured, plan.metrics)
    warnings = _warnings(measured, plan)
    for collector in plan.collectors:
        for method in methods:
            figures = collector.compute(method.name)
            method.of_sets |= figures
            method.summary |= figures
        warnings += collector.warnings
    return ComparisonResult(
        protocol=protocol,
        images=list(plan.pairs.images),
        sizes=[(int(height), int(width)) for height, width in measured.sizes],
        methods=methods,
        tests=paired_tests(methods, plan.metrics),
        settings={**settings, "mean_ab": list(measured.ab), **(description or {})},
        versions=versions(),
        missing=dict(missing or {}),
        warnings=list(dict.fromkeys(warnings)),
    )


def pictures_of(plan: Plan, ab: tuple[float, float]) -> Callable[[str, int], NDArray[np.uint8] | None]:
    """Pictures of a comparison, for a report: read, or colorized, again.

    Args:
        plan: what was measured.
        ab: the colour of the row `mean ab`.

    Returns:
        From a method's name and an image's index to its prepared picture (H, W, 3) uint8; None for an unknown name.
    """
    colours = constant_colour(ab)
    # Reports ask for all methods of one image in turn: its truth is read once, and a network runs once an image.
    latest: dict[str, NDArray[np.uint8]] = {}
    latest_index = -1

    def read(path: Path) -> NDArray[np.uint8]:
        return plan.protocol.prepare(to_8bit_rgb(read_photo(path).pixels))

    def picture(method: str, index: int) -> NDArray[np.uint8] | None:
        nonlocal latest_index
        if method in plan.pairs.predictions:
            return read(plan.pairs.predictions[method][index])
        if method not in plan.methods:
            return None
        if index != latest_index:
            latest.clear()
            latest["truth"] = read(plan.pairs.truth[index])
            latest_index = index
        if method not in latest:
            gray = gray_of_8bit(latest["truth"])
            if method in BASELINES:
                latest[method] = as_rgb(gray) if method == "gray" else colours[gray]
            else:
                painter = next(painter for painter in plan.painters if method in painter.names)
                answers = painter.paint(gray, latest["truth"], plan.pairs.images[index])
                latest.update(zip(painter.names, map(plan.protocol.prepare, answers), strict=True))
        return latest[method]

    return picture


def _settings(plan: Plan, protocol: str) -> dict[str, Any]:
    """Everything that figures of images depend on; what a resumed run must agree in."""
    painted = {name: settings for painter in plan.painters for name, settings in painter.settings.items()}
    return {
        "protocol": protocol,
        "images": len(plan.pairs.images),
        "images_sha256": list_digest(plan.pairs.images),
        "truth": _root(plan.pairs, plan.pairs.truth),
        "methods": {n: {"folder": _root(plan.pairs, made)} for n, made in plan.pairs.predictions.items()} | painted,
        "metrics": list(plan.figures),
        "lpips_sha256": {name: digest(network.state_dict()) for name, network in plan.networks.items()},
        "set_metrics": [collector.settings for collector in plan.collectors],
    }


def _root(pairs: Pairs, files: Sequence[Path]) -> str:
    """A digest of where the files are: another folder is another configuration, and its name stays private."""
    return hashlib.sha256("\n".join(str(file.resolve()) for file in files).encode()).hexdigest()[:16]


def _warnings(measured: Measured, plan: Plan) -> list[str]:
    count = len(measured.sizes)
    found = []
    if count < FEW_IMAGES:
        found.append(f"{count} image{'s' * (count != 1)}: too few to tell close methods apart; see the intervals")
    for name in [metric.name for metric in plan.metrics]:
        if name in measured.figures:
            column = measured.column(name)
            finite = np.isfinite(np.stack([v[:, column] for n, v in measured.values.items() if n != "truth"]))
            left_out = int(count - finite.all(axis=0).sum())
            if left_out:
                found.append(
                    f"{name}: {left_out} of {count} images are left out in every row, where a figure is not finite "
                    "(photos that are gray already, exact reproductions, pictures too small for the metric)"
                )
    return found
