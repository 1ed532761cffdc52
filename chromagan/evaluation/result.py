"""What a comparison of colorizers found: figures by method, metric and image, and figures of whole sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chromagan.metrics.figure import Figure


@dataclass
class MethodResult:
    """One colorizer, or one of the rows that cost nothing."""

    name: str  # as shown in tables
    # By metric, one number an image, in the order of `ComparisonResult.images`.
    per_image: dict[str, list[float]] = field(default_factory=dict)
    # By metric, figures that only a whole set has (FID, KID, pooled PSNR).
    of_sets: dict[str, Figure] = field(default_factory=dict)
    baseline: bool = False  # true for the rows `gray`, `mean ab` and `truth`
    # By metric, the figure that stands in the table (means of `per_image`, and all of `of_sets`).
    summary: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class PairedTest:
    """Two methods on the same images."""

    a: str  # names of the methods
    b: str
    metric: str  # what was compared
    difference: Figure  # mean over images of a - b, with its 95 % interval
    p_value: float  # two-sided, of Wilcoxon's signed-rank test; NaN where all differences are zero
    images: int  # how many images have a finite figure in both


@dataclass
class ComparisonResult:
    """All that a report shows."""

    protocol: str  # name and version, such as `folder/1`
    images: list[str]  # names below the truth folder, sorted
    sizes: list[tuple[int, int]]  # (height, width) of each, as measured
    methods: list[MethodResult]  # what was compared, baselines last
    tests: list[PairedTest] = field(default_factory=list)  # paired comparisons of the methods that are no baselines
    # Everything that the figures depend on: folders' digests, metrics, sizes, weights' hashes.
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)  # of the programs
    # Metrics that were asked for and could not be computed, with what to do.
    missing: dict[str, str] = field(default_factory=dict)
    # What a reader must know (too few images for FID, images left out).
    warnings: list[str] = field(default_factory=list)
    unit: str = "images"  # what `images` names and every figure is a mean over: "images" or "films"
