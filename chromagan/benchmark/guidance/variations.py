"""Are variations worth choosing from: five of each photo, against the photo's own colours and against each other.

- *best over mean*, *best over default*: decibels of the best of the five over the mean of the five, and over the plain
  painting.
- *apart*: mean CIEDE2000 of the ten pairs.
- *within over between*: the spread of ab within a SLIC segment of the photo over the spread of the segment's mean
  between variations; *of the change* is the same of what differs from the mean of the five, without what the painting
  itself has within a segment.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chromagan.errors import UsageError
from chromagan.images.read import read_photo
from chromagan.inference.colorizer import Colorizer
from chromagan.metrics.ciede2000 import ciede2000
from chromagan.metrics.eight_bit import lab_of_8bit, to_8bit_rgb
from chromagan.metrics.psnr import psnr
from chromagan.reports.tables import format_table

COUNT = 5
Array = NDArray[Any]


@dataclass(frozen=True)
class VariationFigures:
    """Means over photos; see the top of this file. `photos` is how many."""

    best_over_mean: float
    best_over_default: float
    apart: float
    within_over_between: float
    of_the_change: float
    photos: int


def measure(colorizer: Colorizer, photos: Sequence[Path], seed: int = 0) -> VariationFigures:
    """Draw five variations of each photo, from this seed on, and measure them.

    Raises:
        UsageError: scikit-image is not installed.
    """
    rows = [_row(colorizer, to_8bit_rgb(read_photo(path).pixels), seed) for path in photos]
    best_mean, best_default, apart, within, change, between = np.mean(rows, axis=0)
    return VariationFigures(best_mean, best_default, apart, within / between, change / between, len(rows))


def table(made: Mapping[str, VariationFigures]) -> str:
    """The figures of models for a terminal."""
    names = [field.name for field in fields(VariationFigures)]
    rows = [[model, *(f"{getattr(figures, name):.3g}" for name in names)] for model, figures in made.items()]
    return format_table(["variations", *(name.replace("_", " ") for name in names)], rows)


def _row(colorizer: Colorizer, truth: Array, seed: int) -> list[float]:
    session = colorizer.open(truth)
    plain = session.paint()[0].photo.pixels
    pictures = [one.photo.pixels for one in session.paint(variations=COUNT, seed=seed)]
    decibels = [psnr(one, truth) for one in pictures]
    lab = np.stack([lab_of_8bit(one) for one in pictures])  # (COUNT, 3, H, W)
    pairs = itertools.combinations(torch.from_numpy(lab), 2)
    apart = np.mean([float(ciede2000(one, other).mean()) for one, other in pairs])
    return [max(decibels) - float(np.mean(decibels)), max(decibels) - psnr(plain, truth), float(apart),
            *spreads(lab[:, 1:], segments(truth))]  # fmt: skip


def segments(truth: Array) -> NDArray[np.int64]:
    """(H, W) numbers of the photo's SLIC segments, as scikit-image makes them."""
    try:
        from skimage.segmentation import slic
    except ImportError as error:
        raise UsageError(
            'variations are measured in segments of scikit-image: pip install "chromagan[demo]"'
        ) from error
    return np.asarray(slic(truth, start_label=0), np.int64)


def spreads(ab: Array, segment: NDArray[np.int64]) -> tuple[float, float, float]:
    """Standard deviations in ab, means over pixels: within segments, of the change within them, between variations.

    Args:
        ab: (N, 2, H, W).
        segment: (H, W) numbers.
    """
    labels = segment.ravel()
    counts = np.bincount(labels)

    def mean(values: Array) -> Array:
        return np.stack([np.bincount(labels, row) / np.maximum(counts, 1) for row in values.reshape(-1, labels.size)])

    def within(values: Array) -> float:
        variance = (mean(values**2) - mean(values) ** 2).clip(0).reshape(len(values), 2, -1)
        return float(np.average(np.sqrt(variance.sum(1).mean(0)), weights=counts))

    between = mean(ab).reshape(len(ab), 2, -1).var(0, ddof=1).sum(0)
    return within(ab), within(ab - ab.mean(0)), float(np.average(np.sqrt(between), weights=counts))
