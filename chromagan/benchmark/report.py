"""What the benchmark of networks found: figures by cell, as JSON and as Markdown tables."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from chromagan.benchmark.roofline import Roof, Work
from chromagan.reports.tables import markdown_table


@dataclass
class CellFigures:
    """One model at one size in one precision."""

    model: str
    size: int
    precision: str
    work: Work  # arithmetic and memory traffic that a forward pass of one photo cannot avoid
    seconds: list[float] = field(default_factory=list)  # of each timed forward pass of one photo
    batch_seconds: list[float] = field(default_factory=list)  # of each of a batch
    batch_size: int = 1
    # On the CPU the largest resident memory of a process that loads the model and runs it once on one photo; on CUDA
    # what the model's weights and that run occupy; None where nobody tells.
    peak_bytes: int | None = None
    roof: Roof | None = None  # what the device reached in this precision in the same run
    # Of each timed pass of one photo through the same layers as a plain module: eager, in PyTorch's own memory layout,
    # `predict` alone; none where that was not asked for.
    plain_seconds: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Latency in seconds that `share` per cent of the runs stay below, interpolated; needs 100 runs to tell p99."""
        return float(np.percentile(self.seconds, share))

    @property
    def against_plain(self) -> float | None:
        """Median latency over that of the plain module; None where that was not timed."""
        return statistics.median(self.seconds) / statistics.median(self.plain_seconds) if self.plain_seconds else None

    @property
    def images_per_second(self) -> float:
        """Throughput in batches, by the median."""
        return self.batch_size / statistics.median(self.batch_seconds)

    @property
    def roofline_share(self) -> float:
        """The shortest possible time over the best measured one: best against best, since noise only slows down."""
        if self.roof is None:
            raise ValueError("the roof was not measured")
        return self.roof.seconds(self.work) / min(self.seconds)


@dataclass
class PhotoFigures:
    """One model at one working size on a photo file, in sampling's own precision: seconds of each run."""

    model: str
    size: int
    whole: list[float] = field(default_factory=list)  # from file to file
    files: list[float] = field(default_factory=list)  # decoding the same photo and encoding the result alone

    @property
    def ratio(self) -> float:
        """How many times as long as decoding and encoding alone, which nobody can save."""
        return statistics.median(self.whole) / statistics.median(self.files)


@dataclass
class SpeedReport:
    """All that was measured, in the order models, sizes, precisions."""

    cells: list[CellFigures] = field(default_factory=list)
    photos: list[PhotoFigures] = field(default_factory=list)
    roofs: dict[str, Roof] = field(default_factory=dict)  # by precision
    skipped: dict[str, str] = field(default_factory=dict)  # "float16" or "MODEL, 512 px, float32", and why
    weights: dict[str, str] = field(default_factory=dict)  # by model, where they are from
    parameters: dict[str, int] = field(default_factory=dict)  # by model, at inference
    facts: dict[str, Any] = field(default_factory=dict)  # device, threads, settings
    process_bytes: int | None = None  # peak memory of a process that loads no model; None where nobody tells

    def against_first(self, cell: CellFigures) -> float | None:
        """Median latency over that of the first model at the same size and precision; None where that has none."""
        wanted = next(iter(self.weights)), cell.size, cell.precision
        same = (other for other in self.cells if (other.model, other.size, other.precision) == wanted)
        return next((cell.percentile(50) / first.percentile(50) for first in same), None)


def as_json(report: SpeedReport) -> dict[str, Any]:
    """All figures, raw seconds included, without NaN or infinity."""
    cells = [
        {
            **asdict(cell), "percentiles": {f"p{share}": cell.percentile(share) for share in (50, 90, 99)},
            "images_per_second": cell.images_per_second, "roofline_share": cell.roofline_share,
            "bound": report.roofs[cell.precision].bound(cell.work), "flops_per_byte": cell.work.intensity,
            "against_first": report.against_first(cell), "against_plain": cell.against_plain,
        }
        for cell in report.cells
    ]  # fmt: skip
    photos = [
        {**asdict(one), "median_whole": statistics.median(one.whole), "median_files": statistics.median(one.files),
         "ratio": one.ratio}
        for one in report.photos
    ]  # fmt: skip
    models = {name: {"weights": report.weights[name], "parameters": report.parameters[name]} for name in report.weights}
    roofs = {name: asdict(roof) for name, roof in report.roofs.items()}
    return {
        "facts": report.facts, "models": models, "roofs": roofs, "cells": cells, "photos": photos,
        "process_bytes": report.process_bytes, "skipped": report.skipped,
    }  # fmt: skip


def as_markdown(report: SpeedReport) -> str:
    """Two tables, cells and photos, with the roof that they are measured against and what was left out."""
    first, facts = next(iter(report.weights)), report.facts
    header: tuple[str, ...] = (
        "model", "px", "precision", "p50 ms", "p90 ms", "p99 ms", f"x {first}", f"images/s in {facts['batch_size']}s",
        "peak MB", "GFLOP", "of roofline",
    )  # fmt: skip
    plain = any(cell.plain_seconds for cell in report.cells)
    header += ("x plain",) if plain else ()
    rows = [
        (
            cell.model, str(cell.size), cell.precision, *(f"{1e3 * cell.percentile(p):.2f}" for p in (50, 90, 99)),
            _ratio(report.against_first(cell)), f"{cell.images_per_second:.2f}",
            "-" if cell.peak_bytes is None else f"{cell.peak_bytes / 1e6:.0f}", f"{cell.work.flops / 1e9:.2f}",
            f"{100 * cell.roofline_share:.1f} %", *([_ratio(cell.against_plain)] if plain else []),
        )
        for cell in report.cells
    ]  # fmt: skip
    photos = [
        (one.model, str(one.size), f"{statistics.median(one.whole):.3f}", f"{statistics.median(one.files):.3f}",
         f"{one.ratio:.2f}")
        for one in report.photos
    ]  # fmt: skip
    columns = ("model", "px", "photo to photo s", "decode + encode s", "ratio")
    notes = "\n".join(f"- {line}" for line in _notes(report))
    return "\n\n".join((markdown_table(header, rows), markdown_table(columns, photos), notes))


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _notes(report: SpeedReport) -> list[str]:
    facts = report.facts
    lines = [f"{facts['device']}, {facts['threads']} threads; {facts['runs']} runs a cell, interleaved"]
    if facts["runs"] < 100:
        lines[0] += " (below 100 runs p99 is close to the slowest)"
    for name, roof in report.roofs.items():
        lines.append(
            f"roof in {name}: {roof.matmul / 1e9:.0f} GFLOP/s in a matrix product, {roof.convolution / 1e9:.0f} in a "
            f"convolution; {roof.bandwidth / 1e9:.1f} GB/s in a copy"
        )
    if report.process_bytes is not None:
        lines.append(f"peak MB is a whole process; one without a network has {report.process_bytes / 1e6:.0f}")
    by_origin: dict[str, list[str]] = {}
    for name, origin in report.weights.items():
        by_origin.setdefault(origin, []).append(name)
    lines += [f"weights {origin}: {', '.join(names)}" for origin, names in by_origin.items()]
    return lines + [f"left out: {what}: {reason}" for what, reason in report.skipped.items()]
