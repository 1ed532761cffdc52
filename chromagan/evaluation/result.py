"""What a comparison of colorizers found: figures by method, metric and image, and figures of whole sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chromagan.metrics.figure import Figure


@dataclass
class MethodResult:
    """One colorizer, or one of the rows that cost nothing.

    Attributes:
        name: as shown in tables.
        per_image: by metric, one number an image, in the order of `ComparisonResult.images`.
        of_sets: by metric, figures that only a whole set has (FID, KID, pooled PSNR).
        baseline: true for the rows `gray`, `mean ab` and `truth`.
        summary: by metric, the figure that stands in the table (means of `per_image`, and all of `of_sets`).
    """

    name: str
    per_image: dict[str, list[float]] = field(default_factory=dict)
    of_sets: dict[str, Figure] = field(default_factory=dict)
    baseline: bool = False
    summary: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class PairedTest:
    """Two methods on the same images.

    Attributes:
        a, b: names of the methods.
        metric: what was compared.
        difference: mean over images of a - b, with its 95 % interval.
        p_value: two-sided, of Wilcoxon's signed-rank test; NaN where all differences are zero.
        images: how many images have a finite figure in both.
    """

    a: str
    b: str
    metric: str
    difference: Figure
    p_value: float
    images: int


@dataclass
class ComparisonResult:
    """All that a report shows.

    Attributes:
        protocol: name and version, such as `folder/1`.
        images: names below the truth folder, sorted.
        sizes: (height, width) of each, as measured.
        methods: what was compared, baselines last.
        tests: paired comparisons of the methods that are no baselines.
        settings: everything that the figures depend on: folders' digests, metrics, sizes, weights' hashes.
        versions: of the programs.
        missing: metrics that were asked for and could not be computed, with what to do.
        warnings: what a reader must know (too few images for FID, images left out).
    """

    protocol: str
    images: list[str]
    sizes: list[tuple[int, int]]
    methods: list[MethodResult]
    tests: list[PairedTest] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
