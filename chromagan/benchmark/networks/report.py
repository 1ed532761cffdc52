"""The zoo's table in Markdown: means over the seeds with their spread, best first."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from chromagan.benchmark.networks.matrix import Matrix
from chromagan.benchmark.networks.run import Results, Row
from chromagan.metrics.vgg16_distance import NAME as VGG_NAME
from chromagan.reports.tables import markdown_table

MARK = "†"
_HEADER = (
    "network", "backbone", "parameters", "photographs", "seeds", "PSNR", "colourfulness", "PSNR at colourfulness {:g}",
    "SSIM", VGG_NAME, "trained at, photos/s", "samples at, photos/s",
)  # fmt: skip


def ranked(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """The rows by label, all seeds of one together; the highest PSNR at equal colourfulness first.

    Plain PSNR would put one constant colour before most networks.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.label, []).append(row)
    return sorted(groups.items(), key=lambda group: -_mean(group[1], "psnr_at_equal_colourfulness"))


def ranking_markdown(results: Results, matrix: Matrix, device: str) -> str:
    """The table, what it was measured under (the settings, the device's name), and what is missing."""
    groups = ranked(results.rows)
    header = [name.format(matrix.colourfulness) for name in _HEADER]
    lines = [markdown_table(header, [_cells(label, rows) for label, rows in groups], "ll" + 10 * "r"), ""]
    if groups:
        lines += [_conditions(groups, matrix, device)]
    if any(row.start == "not pretrained" for row in results.rows):
        lines.append(f"{MARK} The backbone began from nothing: its pretrained weights were not at hand.")
    lines += [f"- failed: {name}: {why}" for name, why in results.failures.items()]
    if results.stopped:
        lines.append(f"- not finished: stopped by {results.stopped}; the same command goes on")
    return "\n".join(lines)


def _cells(label: str, rows: list[Row]) -> list[str]:
    first = rows[0]
    mark = f" {MARK}" if first.start == "not pretrained" else ""
    return [
        label + mark,
        first.start,
        f"{first.figures['parameters'] / 1e6:.2f} M",
        "-" if first.start == "not trained" else f"{first.images:,}",
        str(len(rows)),
        _spread(rows, "psnr", 2),
        _spread(rows, "colourfulness", 1),
        _spread(rows, "psnr_at_equal_colourfulness", 2),
        _spread(rows, "ssim", 4),
        _spread(rows, VGG_NAME, 4),
        _rate(rows, "train_images_per_second"),
        "-" if first.start == "not trained" else _rate(rows, "sample_images_per_second"),
    ]


def _conditions(groups: list[tuple[str, list[Row]]], matrix: Matrix, device: str) -> str:
    rows = [row for _, group in groups for row in group]
    figures = rows[0].figures
    budget = f"{matrix.images:,} photographs" if matrix.images else f"{matrix.minutes:g} minutes"
    how = "each by its authors' recipe" if matrix.recipes else "the same optimiser, crops and batches for all"
    common = ", ".join(f"{name} {_shown(value)}" for name, value in matrix.common.items()) or "defaults"
    return (
        f"Each network: {budget}, {how} ({common}), mean ± half the range of the seeds, averaged "
        f"weights, on {device}. Measured on {figures['photos']:.0f} held-out photographs, {matrix.eval_size} pixels on "
        f"the short side ({figures['left_out']:.0f} of them without a finite PSNR are in no mean of it): the gray "
        f"photo itself scores {figures['gray_psnr']:.2f} dB, the truth's colourfulness is "
        f"{figures['true_colourfulness']:.1f}. Sampling is one photograph at a time, the network alone."
    )


def _shown(value: object) -> str:
    """An option's value; of a file its name alone, so that a table can be published."""
    return value.replace("\\", "/").rpartition("/")[2] if isinstance(value, str) else str(value)


def _values(rows: Sequence[Row], figure: str) -> list[float]:
    return [row.figures[figure] for row in rows if figure in row.figures]


def _mean(rows: Sequence[Row], figure: str) -> float:
    values = _values(rows, figure)
    return statistics.fmean(values) if values else -math.inf


def _spread(rows: Sequence[Row], figure: str, digits: int) -> str:
    values = _values(rows, figure)
    if not values:
        return "-"
    half = f" ± {(max(values) - min(values)) / 2:.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.{digits}f}{half}"


def _rate(rows: Sequence[Row], figure: str) -> str:
    values = _values(rows, figure)
    return f"{statistics.median(values):.3g}" if values else "-"
